import { expect } from 'chai'
import { describe, it } from 'mocha'
import { emitMessage, type MessageOf, parseMessage } from '../../../engine/signaling/message.ts'
import { HostAgent, type HostAgentOptions } from '../../../host/agent/index.ts'
import { ip } from '../../support/packets.ts'
import { SECOND, SignalingRig, TestAuthority } from '../../support/signaling.ts'

const ROUTERS = [ip('10.0.2.1'), ip('10.0.2.254')]

/** A host whose routers say only what the test lets them say. */
class Alone {
  now = 0
  readonly sent: { at: number; router: number; payload: Uint8Array }[] = []
  readonly phases: string[] = []
  readonly agent: HostAgent
  #state = 1

  constructor(options: Partial<HostAgentOptions> = {}) {
    this.agent = new HostAgent({
      credential: new TestAuthority().issue('s1'),
      address: ip('10.0.2.2'),
      routers: [ROUTERS[0]!],
      virtualHosts: ['198.18.0.0/15'],
      intervalMs: 1000,
      load: () => ({ load: 0.3, connections: 1 }),
      random: () => {
        this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
        return this.#state
      },
      send: (router, payload) => this.sent.push({ at: this.now, router, payload }),
      onPhase: (_, phase, reason) => this.phases.push(reason === undefined ? phase : `${phase} ${reason}`),
      ...options,
    })
    this.agent.start(0)
  }

  advance(byNs: number): void {
    const until = this.now + byNs
    while (this.agent.pollAt <= until) {
      this.now = this.agent.pollAt
      this.agent.poll(this.now)
    }
    this.now = until
  }

  last<Type extends 'hello' | 'introduction' | 'state' | 'bye'>(type: Type): MessageOf<Type> {
    const found = this.sent
      .map(({ payload }) => parseMessage(payload)!.message)
      .findLast((each) => each.type === type)
    if (found === undefined) throw new Error(`no ${type}`)
    return found as unknown as MessageOf<Type>
  }

  count(type: string): number {
    return this.sent.filter(({ payload }) => parseMessage(payload)!.message.type === type).length
  }

  hear(message: Parameters<typeof emitMessage>[0], router = ROUTERS[0]!): void {
    this.agent.receive(router, emitMessage(message), this.now)
  }

  /** Plays the router as far as a welcome. */
  open(intervalMs = 1000): Uint8Array {
    const session = new Uint8Array(16).fill(7)
    this.hear({ type: 'challenge', nonce: this.last('hello').nonce, cookie: new Uint8Array(16).fill(1) })
    this.hear({ type: 'welcome', nonce: this.last('introduction').nonce, session, intervalMs })
    return session
  }
}

describe('HostAgent (R-SLR-17)', () => {
  describe('when no router answers', () => {
    it('says hello again at growing, spread intervals, with a nonce of its own each time', () => {
      const host = new Alone()
      host.advance(300 * SECOND)
      const gaps = host.sent.slice(1).map(({ at }, i) => (at - host.sent[i]!.at) / SECOND)
      for (const [i, gap] of gaps.entries()) {
        const turn = Math.min(30, 0.5 * 2 ** i)
        expect(gap, `gap ${i}`).to.be.within(turn * 0.75, turn * 1.25)
      }
      expect(gaps.length).to.be.within(13, 18)
      const nonces = host.sent.map(({ payload }) => Buffer.from(payload.subarray(12, 20)).toString('hex'))
      expect(new Set(nonces).size).to.equal(nonces.length)
    })

    it('begins anew when its introduction is never answered', () => {
      const host = new Alone()
      host.hear({ type: 'challenge', nonce: host.last('hello').nonce, cookie: new Uint8Array(16) })
      host.advance(10 * SECOND)
      expect(host.count('introduction')).to.equal(3)
      expect(host.count('hello')).to.be.greaterThan(1)
    })
  })

  describe('when a router takes it in', () => {
    it('reports at once and then within every interval that the router set', () => {
      const host = new Alone()
      const session = host.open(2000)
      for (let i = 0; i < 20; i++) {
        host.advance(SECOND)
        host.hear({ type: 'ack', session, sequence: host.last('state').sequence })
      }
      const reports = host.sent.filter(({ payload }) => payload[3] === 5).map(({ at }) => at)
      expect(reports[0]).to.equal(0)
      for (const [i, at] of reports.slice(1).entries())
        expect(at - reports[i]!).to.be.within(1.19 * SECOND, 2.01 * SECOND)
      expect(host.agent.sessions[0]!.phase).to.equal('open')
    })

    it('looks for it again when nothing was acknowledged for 3.5 intervals', () => {
      const host = new Alone()
      host.open()
      host.advance(3.4 * SECOND)
      expect(host.phases).to.deep.equal(['seeking', 'introducing', 'open'])
      host.advance(1.2 * SECOND)
      expect(host.phases).to.deep.equal(['seeking', 'introducing', 'open', 'seeking'])
    })

    it('reports what its load source says, made sound', () => {
      const load = {
        load: Number.NaN,
        loads: { '198.18.0.0/16': -4, '198.19.0.0/16': 1e9 },
        connections: -1.5,
      }
      const virtualHosts = ['198.18.0.0/16', '198.19.0.0/16', '198.20.0.0/16']
      const host = new Alone({ virtualHosts, load: () => load })
      host.open()
      const { services, connections } = host.last('state')
      expect([...services.map((each) => each.load), connections]).to.deep.equal([0, 1_000_000, 0, 0])
    })
  })

  describe('when a router does not take it in', () => {
    it('stays away for half a minute, give or take', () => {
      const host = new Alone()
      host.hear({ type: 'challenge', nonce: host.last('hello').nonce, cookie: new Uint8Array(16) })
      host.hear({ type: 'refused', nonce: host.last('introduction').nonce, refusal: 'beyond-grant' })
      expect(host.agent.sessions[0]).to.include({ phase: 'seeking', refusal: 'beyond-grant' })
      host.advance(22 * SECOND)
      expect(host.count('hello')).to.equal(1)
      host.advance(16 * SECOND)
      expect(host.count('hello')).to.be.greaterThan(1)
    })
  })

  describe('when it has several routers', () => {
    it('keeps a session with each, and listens only to them', () => {
      const host = new Alone({ routers: ROUTERS })
      expect(host.sent.map(({ router }) => router)).to.deep.equal(ROUTERS)
      const hello = parseMessage(host.sent[0]!.payload)!.message as MessageOf<'hello'>
      const challenge = { type: 'challenge', nonce: hello.nonce, cookie: new Uint8Array(16) } as const
      host.hear(challenge, ip('10.0.2.77'))
      host.hear(challenge, ROUTERS[1])
      expect(host.agent.sessions.map(({ phase }) => phase)).to.deep.equal(['seeking', 'seeking'])
      host.hear(challenge)
      expect(host.agent.sessions.map(({ phase }) => phase)).to.deep.equal(['introducing', 'seeking'])
      expect(host.last('introduction').router).to.equal(ROUTERS[0])
    })

    it('goes on with one when the other is gone', () => {
      const rig = new SignalingRig()
      const { agent } = rig.started('s1', '10.0.2.2', { routers: [...ROUTERS] })
      rig.advance(10 * SECOND)
      // The rig has one router; it is asked for both addresses, and each is a session of its own.
      expect(
        agent.sessions[0]!.counters.acknowledged + agent.sessions[1]!.counters.acknowledged,
      ).to.be.greaterThan(9)
    })
  })

  describe('when it stops', () => {
    it('says bye until it is heard', () => {
      const host = new Alone()
      const session = host.open()
      host.agent.stop(host.now)
      host.advance(0.7 * SECOND)
      expect(host.count('bye')).to.equal(2)
      host.hear({ type: 'ack', session, sequence: host.last('bye').sequence })
      expect(host.agent.isEnded).to.equal(true)
      expect(host.agent.pollAt).to.equal(Number.POSITIVE_INFINITY)
    })

    it('gives up after three', () => {
      const host = new Alone()
      host.open()
      host.agent.stop(host.now)
      host.advance(10 * SECOND)
      expect(host.count('bye')).to.equal(3)
      expect(host.agent.isEnded).to.equal(true)
    })

    it('ends at once where it has no session, and may start again', () => {
      const host = new Alone()
      host.agent.stop(0)
      expect(host.agent.isEnded).to.equal(true)
      host.agent.start(1)
      expect(host.agent.sessions[0]!.phase).to.equal('seeking')
    })
  })

  describe('when it cannot speak', () => {
    it('refuses too many routers or prefixes, and prefixes that are none', () => {
      const many = Array.from({ length: 65 }, (_, i) => `198.18.${i}.0/24`)
      expect(() => new Alone({ routers: Array.from({ length: 17 }, (_, i) => i) })).to.throw(RangeError)
      expect(() => new Alone({ virtualHosts: ['everything'] })).to.throw(RangeError, 'everything')
      expect(() => new Alone({ virtualHosts: many })).to.throw(RangeError, '65 virtualHosts')
    })

    it('leaves out authorities that do not fit into a message, its own certificate never', () => {
      const credential = new TestAuthority().issue('s1')
      const chain = Array.from({ length: 6 }, () => credential.certificate)
      const host = new Alone({ credential: { ...credential, chain } })
      host.hear({ type: 'challenge', nonce: host.last('hello').nonce, cookie: new Uint8Array(16) })
      const { certificates } = host.last('introduction')
      expect(certificates.length).to.be.within(2, 4)
      expect(certificates[0]).to.deep.equal(credential.certificate.der)
    })
  })
})
