import { expect } from 'chai'
import { describe, it } from 'mocha'
import { ip } from '../../support/packets.ts'
import { ROUTER, SECOND, SignalingRig } from '../../support/signaling.ts'

describe('SignalingServer (R-SLR-17)', () => {
  describe('when a host says hello', () => {
    it('takes it in after it has shown its certificate, and tells who is here', () => {
      const rig = new SignalingRig()
      rig.started('s1', '10.0.2.2')
      expect(rig.messages('to-router').map(({ type }) => type)).to.deep.equal([
        'hello',
        'introduction',
        'state',
      ])
      expect(rig.messages('to-host').map(({ type }) => type)).to.deep.equal(['challenge', 'welcome', 'ack'])
      expect(rig.tidings.map(({ topic, body, from }) => ({ topic, body, from }))).to.deep.equal([
        {
          topic: 'host/hello',
          body: { host: 's1', address: '10.0.2.2', virtualHosts: ['198.18.0.0/15'] },
          from: '10.0.2.2',
        },
        {
          topic: 'host/state',
          body: {
            host: 's1',
            address: '10.0.2.2',
            state: 'active',
            services: [{ prefix: '198.18.0.0/15', load: 0.2 }],
            connections: 3,
          },
          from: '10.0.2.2',
        },
      ])
    })

    it('hears its load at every interval, of each of its prefixes', () => {
      const rig = new SignalingRig()
      const virtualHosts = ['192.200.0.0/16', '192.201.0.0/16']
      const credential = rig.authority.issue('s1', { grant: { virtualHosts } })
      const loads = { '192.200.0.0/16': 0.3, '192.201.0.0/16': 0.87 }
      const load = () => ({ load: 0, loads, connections: 1 })
      rig.host(credential, '10.0.2.2', { virtualHosts, load }).agent.start(0)
      rig.advance(10 * SECOND)
      const states = rig.tidings.filter(({ topic }) => topic === 'host/state')
      expect(states.length).to.be.within(10, 18)
      for (const { body } of states)
        expect((body as { services: unknown }).services).to.deep.equal([
          { prefix: '192.200.0.0/16', load: 0.3 },
          { prefix: '192.201.0.0/16', load: 0.87 },
        ])
      expect(rig.server.counters.ignored).to.satisfy((all: object) =>
        Object.values(all).every((count) => count === 0),
      )
    })

    it('hears a change of state at once', () => {
      const rig = new SignalingRig()
      const { agent } = rig.started('s1', '10.0.2.2')
      rig.heard()
      agent.setState('draining', rig.now)
      agent.setState('draining', rig.now)
      expect(rig.heard()).to.deep.equal(['host/state s1 draining'])
    })

    it('decides how often it reports', () => {
      const rig = new SignalingRig()
      rig.started('s1', '10.0.2.2', { intervalMs: 1 })
      const [welcome] = rig.messages('to-host').filter(({ type }) => type === 'welcome')
      expect(welcome).to.deep.include({ intervalMs: 200 })
    })

    it('shows whom it has taken in', () => {
      const rig = new SignalingRig()
      rig.started('s1', '10.0.2.2')
      rig.inject({ payload: new Uint8Array(3) })
      const { view } = rig.server
      expect([...view.hosts()]).to.deep.equal([
        {
          host: 's1',
          address: '10.0.2.2',
          state: 'active',
          virtualHosts: '198.18.0.0/15',
          loads: '0.2',
          connections: 3,
          intervalMs: 1000,
          reports: 1,
          heardAtNs: 0,
        },
      ])
      const counters = new Map([...view.counters()].map(({ name, value }) => [name, value]))
      expect(counters.get('welcomes')).to.equal(1)
      expect(counters.get('ignored.malformed')).to.equal(1)
      expect(counters.get('refused.busy')).to.equal(0)
    })
  })

  describe('when a host leaves', () => {
    it('hears its bye', () => {
      const rig = new SignalingRig()
      const { agent } = rig.started('s1', '10.0.2.2')
      rig.heard()
      agent.stop(rig.now)
      expect(rig.heard()).to.deep.equal(['host/gone s1 bye'])
      expect(agent.isEnded).to.equal(true)
      expect([...rig.server.view.hosts()]).to.deep.equal([])
    })

    it('hears the bye that is repeated because it was lost, and whose answer was lost', () => {
      for (const lost of ['to-router', 'to-host'] as const) {
        const rig = new SignalingRig()
        const { agent } = rig.started('s1', '10.0.2.2')
        rig.heard()
        let losses = 1
        rig.wire = (datagram, direction) => (direction === lost && losses-- > 0 ? undefined : datagram)
        agent.stop(rig.now)
        rig.advance(2 * SECOND)
        expect(rig.heard()).to.deep.equal(['host/gone s1 bye'])
        expect(agent.isEnded).to.equal(true)
      }
    })

    it('notices its silence after 3.5 intervals', () => {
      const rig = new SignalingRig()
      rig.started('s1', '10.0.2.2')
      rig.heard()
      rig.wire = () => undefined
      rig.advance(3.49 * SECOND)
      expect(rig.heard()).to.deep.equal([])
      rig.advance(0.02 * SECOND)
      expect(rig.heard()).to.deep.equal(['host/gone s1 silent'])
    })

    it('tells that a host which begins anew is another one', () => {
      const rig = new SignalingRig()
      rig.started('s1', '10.0.2.2')
      rig.heard()
      rig.started('s1', '10.0.2.3', { port: 30_001 })
      expect(rig.heard()).to.deep.equal(['host/gone s1 replaced', 'host/hello s1', 'host/state s1 active'])
    })
  })

  describe('when the network loses messages', () => {
    it('still takes the host in, whichever message of the greeting is lost', () => {
      for (let lost = 0; lost < 6; lost++) {
        const rig = new SignalingRig()
        let passed = 0
        rig.wire = (datagram) => (passed++ === lost ? undefined : datagram)
        rig.started('s1', '10.0.2.2')
        rig.advance(3 * SECOND)
        const heard = rig.heard()
        expect(heard.slice(0, 2), `message ${lost}`).to.deep.equal(['host/hello s1', 'host/state s1 active'])
        expect(heard).to.not.include('host/gone s1 replaced')
      }
    })

    it('keeps the session with a fifth of all messages lost', () => {
      const rig = new SignalingRig()
      rig.wire = (datagram) => (rig.random() % 5 === 0 ? undefined : datagram)
      rig.started('s1', '10.0.2.2')
      rig.advance(30 * SECOND)
      expect(rig.heard().filter((each) => each.startsWith('host/gone')).length).to.be.at.most(1)
      expect([...rig.server.view.hosts()].length).to.equal(1)
    })

    it('repeats the welcome of an introduction that it hears again', () => {
      const rig = new SignalingRig()
      let losses = 1
      rig.wire = (datagram, direction) =>
        direction === 'to-host' && datagram.payload[3] === 4 && losses-- > 0 ? undefined : datagram
      rig.started('s1', '10.0.2.2')
      rig.advance(2 * SECOND)
      expect(rig.heard().filter((each) => each.includes('hello'))).to.deep.equal(['host/hello s1'])
      const welcomes = rig.messages('to-host').filter(({ type }) => type === 'welcome')
      expect(welcomes.length).to.equal(2)
      expect(welcomes[1]).to.deep.equal(welcomes[0])
    })
  })

  describe('when a router has lost its memory', () => {
    it('lets hosts say hello again, to which it then listens', () => {
      const rig = new SignalingRig()
      const host = rig.started('s1', '10.0.2.2')
      const other = new SignalingRig()
      rig.wire = (datagram, direction) => {
        if (direction === 'to-router') other.server.receive(datagram, rig.now)
        return undefined
      }
      other.wire = ({ from, payload }) => {
        host.agent.receive(from, payload, rig.now)
        return undefined
      }
      rig.advance(3 * SECOND)
      expect(other.heard().slice(0, 2)).to.deep.equal(['host/hello s1', 'host/state s1 active'])
      expect(host.agent.sessions[0]!.counters.restarts).to.equal(1)
    })
  })

  describe('when a session is spoken of', () => {
    it('costs strangers nothing: no memory and no signature before the cookie', () => {
      const rig = new SignalingRig()
      const hello = (() => {
        rig.started('s1', '10.0.2.2')
        return rig.lastToRouter('hello')
      })()
      for (let i = 0; i < 5000; i++) rig.inject({ from: ip('172.16.0.0') + i, payload: hello })
      expect([...rig.server.view.hosts()].length).to.equal(1)
      expect(rig.server.counters.refused).to.deep.equal({
        certificate: 0,
        'beyond-grant': 0,
        address: 0,
        busy: 0,
      })
    })

    it('names the router it belongs to', () => {
      const rig = new SignalingRig()
      rig.started('s1', '10.0.2.2')
      expect(rig.messages('to-router')[1]).to.deep.include({ router: ip(ROUTER), address: ip('10.0.2.2') })
    })
  })
})
