/** Attacks on signaling between hosts and routers: whatever a stranger, a neighbour or a host without rights may send. */
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  emitMessage,
  emitSignedMessage,
  type MessageOf,
  parseMessage,
  SIGNALING_PROTOCOL,
} from '../../engine/signaling/message.ts'
import { type Credential, signMessage } from '../../execution-env/certificates/index.ts'
import { keepPacketsFlowing } from '../support/keep-packets-flowing.ts'
import { ip } from '../support/packets.ts'
import {
  EPOCH_MS,
  PORT,
  type RigHost,
  ROUTER,
  SECOND,
  SignalingRig,
  TestAuthority,
} from '../support/signaling.ts'

const HOST = '10.0.2.2'
const HOUR_MS = 3_600_000

const sign = (credential: Credential) => (bytes: Uint8Array) =>
  signMessage(credential.key, SIGNALING_PROTOCOL, bytes)

/** The introduction of a host that the rig has seen, with some of it changed and signed again. */
function introduction(
  rig: SignalingRig,
  credential: Credential,
  changes: Partial<MessageOf<'introduction'>> = {},
): Uint8Array {
  const message = parseMessage(rig.lastToRouter('introduction'))!.message as MessageOf<'introduction'>
  const certificates = [credential.certificate, ...credential.chain].map(({ der }) => der)
  return emitSignedMessage({ ...message, certificates, ...changes }, sign(credential))
}

/** A host that gets as far as a cookie; its own introduction is lost. */
function withCookie(rig: SignalingRig, name = 'evil'): { host: RigHost; credential: Credential } {
  const credential = rig.authority.issue(name)
  rig.wire = (datagram) => (datagram.payload[3] === 3 ? undefined : datagram)
  const host = rig.host(credential, HOST)
  host.agent.start(rig.now)
  rig.wire = (datagram) => datagram
  return { host, credential }
}

const lastRefusal = (rig: SignalingRig) => {
  const message = rig.messages('to-host').at(-1)
  return message?.type === 'refused' ? message.refusal : undefined
}

/** The last report with some of it changed, signed by whoever. */
function report(rig: SignalingRig, credential: Credential, changes: Partial<MessageOf<'state'>>): Uint8Array {
  const message = parseMessage(rig.lastToRouter('state'))!.message as MessageOf<'state'>
  return emitSignedMessage({ ...message, ...changes }, sign(credential))
}

describe('signaling under attack (R-SLR-17)', () => {
  keepPacketsFlowing()

  describe('when a host shows what it has no right to', () => {
    const refused = (title: string, refusal: string, issue: (rig: SignalingRig) => Credential) =>
      it(`refuses ${title}`, () => {
        const rig = new SignalingRig()
        rig.host(issue(rig), HOST).agent.start(0)
        expect(lastRefusal(rig)).to.equal(refusal)
        expect(rig.server.counters.refused[refusal]).to.equal(1)
        expect(rig.tidings).to.deep.equal([])
        expect(rig.phases.at(-1)).to.equal(`seeking ${refusal}`)
        expect(rig.notices.length).to.equal(1)
      })

    for (const type of ['router', 'operator', 'signer'] as const)
      refused(`a certificate of type ${type}`, 'certificate', (rig) =>
        rig.authority.issue('x', { type, grant: {} }),
      )
    refused('a certificate of an authority that nobody trusts', 'certificate', () =>
      new TestAuthority('another one').issue('s1'),
    )
    refused('a certificate of an authority of the same name', 'certificate', () => {
      const twin = new TestAuthority('test authority', 'another secret')
      return twin.issue('s1')
    })
    refused('the authority itself', 'certificate', (rig) => rig.authority.root)
    refused('an expired certificate', 'certificate', (rig) =>
      rig.authority.issue('s1', { notBeforeMs: EPOCH_MS - 2 * HOUR_MS, notAfterMs: EPOCH_MS - HOUR_MS }),
    )
    refused('a certificate that is not valid yet', 'certificate', (rig) =>
      rig.authority.issue('s1', { notBeforeMs: EPOCH_MS + HOUR_MS, notAfterMs: EPOCH_MS + 2 * HOUR_MS }),
    )
    refused('a revoked certificate', 'certificate', (rig) => {
      const credential = rig.authority.issue('s1')
      rig.authority.revoke(credential)
      rig.trust = rig.authority.trust()
      return credential
    })
    refused('virtual hosts beyond the grant', 'beyond-grant', (rig) =>
      rig.authority.issue('s1', { grant: { virtualHosts: ['198.18.0.0/16'] } }),
    )
    refused('virtual hosts without any grant', 'beyond-grant', (rig) =>
      rig.authority.issue('s1', { grant: {} }),
    )

    it('refuses a certificate whose key the host does not have', () => {
      const rig = new SignalingRig()
      const { credential } = withCookie(rig)
      const stolen = rig.authority.issue('victim')
      rig.inject({ payload: introduction(rig, credential, { certificates: [stolen.certificate.der] }) })
      expect(lastRefusal(rig)).to.equal('certificate')
      expect(rig.notices[0]).to.include('not signed with the key')
    })

    it('refuses to report loads of prefixes that were not introduced', () => {
      const rig = new SignalingRig()
      const credential = rig.authority.issue('s1', { grant: { virtualHosts: ['198.18.0.0/15'] } })
      rig.host(credential, HOST, { virtualHosts: ['198.18.0.0/16'] }).agent.start(0)
      rig.heard()
      rig.now += SECOND
      const prefix = { address: ip('198.19.0.0'), length: 16 }
      rig.inject({ payload: report(rig, credential, { sequence: 2, services: [{ prefix, load: 0 }] }) })
      expect(rig.server.counters.ignored['beyond-grant']).to.equal(1)
      expect(rig.heard()).to.deep.equal([])
    })
  })

  describe('when rights end while a session lasts', () => {
    for (const [title, end] of [
      [
        'a revocation',
        (rig: SignalingRig, credential: Credential) => {
          rig.authority.revoke(credential)
          rig.trust = rig.authority.trust()
        },
      ],
      [
        'the end of trust in the authority',
        (rig: SignalingRig) => {
          rig.trust = new TestAuthority('a new one').trust()
        },
      ],
    ] as const)
      it(`ends the session with ${title}`, () => {
        const rig = new SignalingRig()
        const credential = rig.authority.issue('s1')
        rig.host(credential, HOST).agent.start(0)
        rig.advance(5 * SECOND)
        rig.heard()
        end(rig, credential)
        rig.advance(10 * SECOND)
        expect(rig.heard()).to.deep.equal(['host/gone s1 silent'])
        expect(rig.phases.at(-1)).to.equal('seeking certificate')
      })

    it('ends the session when the certificate expires, within a minute', () => {
      const rig = new SignalingRig()
      const credential = rig.authority.issue('s1', { notAfterMs: EPOCH_MS + 30_000 })
      rig.host(credential, HOST).agent.start(0)
      rig.advance(29 * SECOND)
      rig.heard()
      rig.advance(62 * SECOND)
      expect(rig.heard().at(-1)).to.equal('host/gone s1 silent')
    })
  })

  describe('when messages are repeated', () => {
    it('refuses an introduction that was heard, after its session is over', () => {
      const rig = new SignalingRig()
      const { agent } = rig.started('s1', HOST)
      const recorded = rig.lastToRouter('introduction')
      agent.stop(0)
      rig.heard()
      rig.inject({ payload: recorded })
      expect(rig.server.counters.ignored.replay).to.equal(1)
      rig.now = 60 * SECOND
      rig.inject({ payload: recorded })
      expect(rig.server.counters.ignored.cookie).to.equal(1)
      expect(rig.heard()).to.deep.equal([])
    })

    it('answers an introduction heard again with the session that it has, and does nothing else', () => {
      const rig = new SignalingRig()
      rig.started('s1', HOST)
      rig.heard()
      const before = rig.messages('to-host').find(({ type }) => type === 'welcome')
      rig.inject({ payload: rig.lastToRouter('introduction') })
      expect(rig.messages('to-host').at(-1)).to.deep.equal(before)
      expect(rig.heard()).to.deep.equal([])
      expect([...rig.server.view.hosts()].length).to.equal(1)
    })

    it('refuses old reports and old byes, in any order', () => {
      const rig = new SignalingRig()
      rig.started('s1', HOST)
      rig.advance(10 * SECOND)
      rig.heard()
      const recorded = rig.trace.filter(({ direction }) => direction === 'to-router')
      for (const { datagram } of recorded) if (datagram.payload[3]! >= 5) rig.inject(datagram)
      expect(rig.heard()).to.deep.equal([])
      expect(rig.server.counters.ignored.replay).to.be.greaterThan(9)
    })

    it('refuses the messages of another session of the same host', () => {
      const rig = new SignalingRig()
      const first = rig.started('s1', HOST)
      first.agent.setState('draining', 0)
      const old = rig.lastToRouter('state')
      first.agent.stop(0)
      rig.started('s1', HOST)
      rig.heard()
      rig.inject({ payload: old })
      expect(rig.server.counters.ignored['unknown-session']).to.equal(1)
      expect(rig.heard()).to.deep.equal([])
    })
  })

  describe('when messages are forged', () => {
    it('hears nothing from a stolen session id, whoever signs and wherever from', () => {
      const rig = new SignalingRig()
      rig.started('s1', HOST)
      const evil = rig.authority.issue('evil')
      rig.heard()
      rig.now += SECOND
      const payload = report(rig, evil, { sequence: 9, state: 'maintenance' })
      rig.inject({ payload })
      rig.inject({ payload, from: ip('10.0.2.66') })
      rig.inject({ payload, fromPort: 31_000 })
      rig.inject({ payload, to: ip('10.0.1.1') })
      const { ignored } = rig.server.counters
      expect([ignored.signature, ignored['foreign-address']]).to.deep.equal([1, 3])
      expect(rig.heard()).to.deep.equal([])
      rig.advance(2 * SECOND)
      expect(rig.heard()).to.include('host/state s1 active')
    })

    it('does not end a session by a bye that another host signed', () => {
      const rig = new SignalingRig()
      rig.started('s1', HOST)
      const { session } = parseMessage(rig.lastToRouter('state'))!.message as MessageOf<'state'>
      rig.heard()
      rig.now += SECOND
      const evil = rig.authority.issue('evil')
      rig.inject({ payload: emitSignedMessage({ type: 'bye', session, sequence: 99 }, sign(evil)) })
      expect(rig.heard()).to.deep.equal([])
    })

    it('refuses an introduction without a cookie, or with the cookie of another address, port or nonce', () => {
      const rig = new SignalingRig()
      const { credential } = withCookie(rig)
      const payload = introduction(rig, credential)
      rig.inject({ payload, from: ip('10.0.2.66') })
      rig.inject({ payload, fromPort: 31_000 })
      rig.inject({ payload: introduction(rig, credential, { nonce: new Uint8Array(8) }) })
      rig.inject({ payload: introduction(rig, credential, { cookie: new Uint8Array(16) }) })
      expect(rig.server.counters.ignored.cookie).to.equal(4)
      expect(rig.tidings).to.deep.equal([])
    })

    it('refuses a host whose own address is not the one that it speaks from, or who meant another router', () => {
      const rig = new SignalingRig()
      const { credential } = withCookie(rig)
      rig.inject({ payload: introduction(rig, credential, { address: ip('10.0.9.9') }) })
      expect(lastRefusal(rig)).to.equal('address')
      rig.inject({ payload: introduction(rig, credential, { router: ip('10.0.1.1') }) })
      expect(rig.server.counters.refused['address']).to.equal(2)
      expect(rig.tidings).to.deep.equal([])
    })

    it('believes nothing of a message of which any bit was changed', () => {
      const rig = new SignalingRig()
      rig.started('s1', HOST)
      rig.advance(2 * SECOND)
      const payload = report(rig, rig.authority.issue('s1'), { sequence: 1_000_000, state: 'maintenance' })
      fc.assert(
        fc.property(fc.nat({ max: payload.length * 8 - 1 }), (bit) => {
          const changed = Uint8Array.from(payload)
          changed[bit >>> 3]! ^= 1 << (bit & 7)
          rig.advance(0.7 * SECOND)
          rig.inject({ payload: changed })
          for (const heard of rig.heard()) expect(heard).to.match(/^host\/(hello|state) s1( active)?$/)
        }),
        { numRuns: 200 },
      )
      expect(rig.server.counters.ignored.signature).to.be.greaterThan(30)
      expect(rig.server.counters.ignored.rate).to.be.lessThan(10)
      rig.inject({ payload })
      expect(rig.heard()).to.deep.equal(['host/state s1 maintenance'])
    })

    it('tells routers apart from hosts: a router does not listen to what only routers say', () => {
      const rig = new SignalingRig()
      const nonce = new Uint8Array(8)
      const session = new Uint8Array(16)
      rig.inject({ payload: emitMessage({ type: 'welcome', nonce, session, intervalMs: 1 }) })
      rig.inject({ payload: emitMessage({ type: 'restart', session }) })
      expect(rig.server.counters).to.deep.include({ sent: 0 })
      expect(rig.server.counters.ignored.unexpected).to.equal(2)
    })
  })

  describe('when a host is told lies', () => {
    const toHost = (host: RigHost, payload: Uint8Array, now: number) =>
      host.agent.receive(ip(ROUTER), payload, now)

    it('ignores answers to nothing that it asked', () => {
      const rig = new SignalingRig()
      const host = rig.started('s1', HOST)
      const [, ...before] = rig.phases
      const nonce = new Uint8Array(8)
      const session = new Uint8Array(16)
      toHost(host, emitMessage({ type: 'challenge', nonce, cookie: session }), 1)
      toHost(host, emitMessage({ type: 'welcome', nonce, session, intervalMs: 1 }), 1)
      toHost(host, emitMessage({ type: 'refused', nonce, refusal: 'busy' }), 1)
      toHost(host, emitMessage({ type: 'restart', session }), 1)
      toHost(host, emitMessage({ type: 'ack', session, sequence: 1 }), 1)
      toHost(host, new Uint8Array(40), 1)
      expect(rig.phases.slice(1)).to.deep.equal(before)
      expect(host.agent.sessions[0]!.counters.ignored).to.equal(6)
    })

    it('does not rush when it is told to begin anew again and again', () => {
      const rig = new SignalingRig()
      const host = rig.started('s1', HOST)
      for (let i = 0; i < 1000; i++) {
        const welcome = rig.messages('to-host').findLast(({ type }) => type === 'welcome')
        const { session } = welcome as MessageOf<'welcome'>
        toHost(host, emitMessage({ type: 'restart', session }), rig.now)
        rig.advance(SECOND / 100)
      }
      const hellos = rig.messages('to-router').filter(({ type }) => type === 'hello')
      expect(hellos.length).to.be.within(5, 14)
    })

    it('survives any bytes', () => {
      const rig = new SignalingRig()
      const host = rig.started('s1', HOST)
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => toHost(host, noise, rig.now)),
        { numRuns: 300 },
      )
      expect(host.agent.sessions[0]!.phase).to.equal('open')
    })
  })

  describe('when the bytes are hostile', () => {
    it('survives any bytes, truncations and changes of what hosts say', () => {
      const rig = new SignalingRig()
      const { credential } = withCookie(rig)
      const good = [rig.lastToRouter('hello'), introduction(rig, credential)]
      fc.assert(
        fc.property(
          fc.constantFrom(...good),
          fc.nat({ max: 2000 }),
          fc.array(fc.tuple(fc.nat({ max: 900 }), fc.nat({ max: 255 })), { maxLength: 3 }),
          (from, length, changes) => {
            const payload = Uint8Array.from(from.subarray(0, length))
            for (const [at, value] of changes) if (at < payload.length) payload[at] = value
            rig.now += SECOND / 20
            rig.inject({ payload })
          },
        ),
        { numRuns: 500 },
      )
      expect(rig.server.counters.ignored.malformed).to.be.greaterThan(50)
    })

    it('survives certificates that are none', () => {
      const rig = new SignalingRig()
      const credential = rig.authority.issue('evil')
      const { der } = credential.certificate
      fc.assert(
        fc.property(fc.nat({ max: der.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
          rig.now += 20 * SECOND
          const changed = Uint8Array.from(der)
          changed[at] = value
          const nonce = Uint8Array.from({ length: 8 }, () => rig.random() & 255)
          rig.inject({ payload: emitMessage({ type: 'hello', nonce, cookie: new Uint8Array(16) }) })
          const { cookie } = rig.messages('to-host').at(-1) as MessageOf<'challenge'>
          rig.inject({
            payload: emitSignedMessage(
              {
                type: 'introduction',
                nonce,
                cookie,
                router: ip(ROUTER),
                address: ip(HOST),
                intervalMs: 1000,
                virtualHosts: [],
                certificates: [changed],
              },
              sign(credential),
            ),
          })
          const { type } = rig.messages('to-host').at(-1)!
          if (changed.some((byte, i) => byte !== der[i])) expect(type).to.equal('refused')
        }),
        { numRuns: 150 },
      )
    }).timeout(20_000)

    it('takes nothing that is longer than a message may be', () => {
      const rig = new SignalingRig()
      rig.inject({ payload: new Uint8Array(1801) })
      rig.inject({ payload: new Uint8Array(65_507) })
      expect(rig.server.counters.ignored.malformed).to.equal(2)
    })
  })

  describe('when it is flooded', () => {
    it('answers strangers at a bounded rate, with no more bytes than they sent', () => {
      const rig = new SignalingRig()
      const payload = emitMessage({ type: 'hello', nonce: new Uint8Array(8), cookie: new Uint8Array(16) })
      for (let i = 0; i < 20_000; i++) rig.inject({ from: ip('172.16.0.0') + (i % 50), payload })
      const answers = rig.trace.filter(({ direction }) => direction === 'to-host')
      expect(answers.length).to.be.at.most(50 * 32)
      for (const { datagram } of answers) expect(datagram.payload.length).to.be.at.most(payload.length)
      for (let i = 0; i < 100_000; i++) rig.inject({ from: rig.random(), payload })
      expect(rig.server.counters.challenges).to.be.at.most(1024 * 32)
    }).timeout(20_000)

    it('verifies few signatures for one address, however many introductions it sends', () => {
      const rig = new SignalingRig()
      const { credential } = withCookie(rig)
      const payload = introduction(rig, credential, { certificates: [new Uint8Array(100)] })
      for (let i = 0; i < 5_000; i++) rig.inject({ payload })
      expect(rig.server.counters.refused['certificate']).to.be.at.most(8)
      expect(rig.server.counters.ignored.rate).to.be.at.least(4_992)
    })

    it('verifies few signatures of a session, and hears the host again afterwards', () => {
      const rig = new SignalingRig()
      rig.started('s1', HOST)
      rig.heard()
      const payload = report(rig, rig.authority.issue('evil'), { sequence: 1_000_000 })
      for (let i = 0; i < 5_000; i++) rig.inject({ payload })
      expect(rig.server.counters.ignored.signature).to.be.at.most(4)
      rig.advance(5 * SECOND)
      expect(rig.heard()).to.include('host/state s1 active')
    })

    it('still takes in a host while others flood from elsewhere', () => {
      const rig = new SignalingRig()
      const payload = emitMessage({ type: 'hello', nonce: new Uint8Array(8), cookie: new Uint8Array(16) })
      for (let i = 0; i < 10_000; i++) rig.inject({ from: ip('172.16.0.0') + (i % 20), payload })
      rig.started('s1', HOST)
      rig.advance(5 * SECOND)
      expect(rig.heard()[0]).to.equal('host/hello s1')
    })

    it('has a bound for sessions, and says so', () => {
      const rig = new SignalingRig({ sessions: 2 })
      for (const [i, name] of ['a', 'b', 'c'].entries())
        rig.started(name, `10.0.2.${i + 2}`, { port: PORT + i })
      expect([...rig.server.view.hosts()].map(({ host }) => host)).to.deep.equal(['a', 'b'])
      expect(lastRefusal(rig)).to.equal('busy')
    })
  })
})
