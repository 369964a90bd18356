import { expect } from 'chai'
import { beforeEach, describe, it } from 'mocha'
import type { Action } from '../../engine/index.ts'
import {
  ANSWER_ELSEWHERE,
  ANSWER_LATE,
  ANSWER_PINNED,
  ANSWER_UNPINNED,
  EngineError,
  isConserved,
  MILLISECOND,
  QUESTION,
  QUESTION_SYN,
  QUESTION_WORDS,
  SECOND,
} from '../../engine/index.ts'
import { ip, TCP_SYN, tcp, udp } from '../support/packets.ts'
import { TestRouter } from '../support/test-router.ts'

const OWNER = 'policy'
const PORTS = [
  { name: 'in', address: '10.0.1.1/24' },
  { name: 'out', address: '10.0.2.1/24' },
]

function ask(router: TestRouter, otherwise: Action = { kind: 'drop' }, owner = OWNER): void {
  const action: Action = { kind: 'decide', waitNs: 50 * MILLISECOND, otherwise }
  router.commit([{ do: 'install-filter', name: 'ask', filter: { to: '198.18.0.0/15' }, action }], owner)
}

function flow(router: TestRouter, fromPort: number): number {
  router.inject('in', tcp({ to: '198.18.0.80', fromPort, flags: TCP_SYN }))
  return router.engine.nextUpcall()
}

describe('Decisions', () => {
  let router: TestRouter

  beforeEach(() => {
    router = new TestRouter(PORTS)
    router.commit([{ do: 'open-tunnel', name: 'server', tunnel: { to: '10.0.2.2' } }], OWNER)
    ask(router)
  })

  describe('when an upcall is answered', () => {
    it('pins the flow and lets all parked packets go (R-SLR-11)', () => {
      const { decisions } = router.engine
      const upcall = flow(router, 1000)
      router.inject('in', tcp({ to: '198.18.0.80', fromPort: 1000, data: 5 }))
      const action = decisions.prepare(OWNER, { kind: 'tunnel', tunnel: 'server' })
      expect(decisions.resume(upcall, action, 60 * SECOND, router.now)).to.equal(ANSWER_PINNED)
      router.settle()
      expect(router.take('out')).to.have.length(2)
      router.inject('in', tcp({ to: '198.18.0.80', fromPort: 1000, data: 9 }))
      expect(router.take('out'), 'a later packet').to.have.length(1)
      const [row] = router.engine.query.get({ table: 'flows' }, router.now).rows
      expect(row).to.include({ owner: OWNER, packets: 3 })
      expect(isConserved(router.engine.balance())).to.equal(true)
    })

    it('keeps the tunnel of a prepared action until it is released', () => {
      const { decisions } = router.engine
      const action = decisions.prepare(OWNER, { kind: 'tunnel', tunnel: 'server' })
      router.commit([{ do: 'close-tunnel', name: 'server' }], OWNER)
      expect(router.engine.stages.tunnels.size).to.equal(1)
      decisions.release(action)
      expect(router.engine.stages.tunnels.size).to.equal(0)
    })

    it('refuses a late answer and changes nothing', () => {
      const { decisions } = router.engine
      const upcall = flow(router, 1000)
      const action = decisions.prepare(OWNER, { kind: 'forward' })
      router.advance(60 * MILLISECOND)
      expect(decisions.resume(upcall, action, 0, router.now)).to.equal(ANSWER_LATE)
      expect(decisions.giveUp(upcall, router.now)).to.equal(false)
      expect(decisions.defer(upcall, action, SECOND, router.now)).to.equal(false)
      expect(router.engine.stages.flows.size).to.equal(0)
    })

    it('does not mistake a later upcall in the same place for the expired one', () => {
      const { decisions } = router.engine
      const first = flow(router, 1000)
      router.advance(60 * MILLISECOND)
      const second = flow(router, 2000)
      const action = decisions.prepare(OWNER, { kind: 'forward' })
      expect(decisions.resume(first, action, 0, router.now)).to.equal(ANSWER_LATE)
      expect(decisions.resume(second, action, 0, router.now)).to.equal(ANSWER_PINNED)
    })

    it('follows a flow that another owner has pinned meanwhile', () => {
      const { decisions } = router.engine
      const upcall = flow(router, 1000)
      const key = { from: '10.0.1.2', to: '198.18.0.80', protocol: 6, fromPort: 1000, toPort: 80 }
      router.commit([{ do: 'install-flow', key, action: { kind: 'forward', via: '10.0.2.9' } }], 'other')
      const action = decisions.prepare(OWNER, { kind: 'drop' })
      expect(decisions.resume(upcall, action, 0, router.now)).to.equal(ANSWER_ELSEWHERE)
      router.settle()
      expect(router.take('out')).to.have.length(1)
    })

    it('sends the packets without pinning when the owner holds as many flows as it may', () => {
      const { decisions, owned } = router.engine
      owned.limit(OWNER, 1)
      const action = decisions.prepare(OWNER, { kind: 'tunnel', tunnel: 'server' })
      expect(decisions.resume(flow(router, 1), action, 0, router.now)).to.equal(ANSWER_PINNED)
      expect(decisions.resume(flow(router, 2), action, 0, router.now)).to.equal(ANSWER_UNPINNED)
      router.settle()
      expect(router.take('out')).to.have.length(2)
      expect(owned.count(OWNER)).to.equal(1)
    })
  })

  describe('when it is prepared', () => {
    it('refuses what a change would refuse, naming the place', () => {
      const { decisions } = router.engine
      expect(() => decisions.prepare(OWNER, { kind: 'tunnel', tunnel: 'none' }, 'requests[3]'))
        .to.throw(EngineError, 'requests[3].tunnel')
        .with.property('code', 'unknown')
      expect(() => decisions.release(7)).to.throw('not prepared')
    })

    it('answers upcalls of its own owner only', () => {
      const { decisions } = router.engine
      const action = decisions.prepare('other', { kind: 'forward' })
      const upcall = flow(router, 1)
      expect(() => decisions.resume(upcall, action, 0, router.now)).to.throw('its own owner')
    })
  })

  describe('when an upcall is deferred', () => {
    it('waits longer and then does the new fallback', () => {
      const { decisions } = router.engine
      const upcall = flow(router, 1000)
      const action = decisions.prepare(OWNER, { kind: 'forward', via: '10.0.2.9' })
      expect(decisions.defer(upcall, action, 200 * MILLISECOND, router.now)).to.equal(true)
      decisions.release(action)
      router.advance(150 * MILLISECOND)
      expect(router.engine.balance().parked).to.equal(1)
      router.advance(100 * MILLISECOND)
      expect(router.take('out')).to.have.length(1)
      expect(router.engine.stages.flows.size, 'a fallback is not pinned').to.equal(0)
    })

    it('keeps its own fallback when none is given', () => {
      const { decisions } = router.engine
      const upcall = flow(router, 1000)
      expect(decisions.defer(upcall, undefined, 200 * MILLISECOND, router.now)).to.equal(true)
      router.advance(250 * MILLISECOND)
      expect(router.dropped).to.deep.equal({ policy: 1 })
    })

    it('can be given up at once', () => {
      const upcall = flow(router, 1000)
      expect(router.engine.decisions.giveUp(upcall, router.now)).to.equal(true)
      expect(router.dropped).to.deep.equal({ policy: 1 })
    })
  })

  describe('when a question is read', () => {
    it('tells key, port, flags, length and the filter that asked', () => {
      const upcall = flow(router, 1234)
      const words = new Int32Array(QUESTION_WORDS)
      expect(router.engine.readQuestion(upcall, words, 0, 0)).to.equal(true)
      expect(words[QUESTION.source]).to.equal(ip('10.0.1.2'))
      expect(words[QUESTION.destination]! >>> 0).to.equal(ip('198.18.0.80'))
      expect(words[QUESTION.ports]! >>> 16).to.equal(1234)
      expect(words[QUESTION.ports]! & 0xffff).to.equal(80)
      expect(words[QUESTION.protocol]).to.equal(6)
      expect(words[QUESTION.inPort]).to.equal(0)
      expect(words[QUESTION.flags]).to.equal(QUESTION_SYN)
      expect(words[QUESTION.length]).to.equal(14 + 40)
      expect(words[QUESTION.arrival]).to.equal(0)
      const owner = router.engine.owners.numberOf(OWNER)
      expect(words[QUESTION.filter]).to.equal(router.engine.names.find(owner, 'filter', 'ask'))
      expect(router.engine.askedBy(upcall)).to.equal(owner)
    })

    it('shows as much payload as asked for, and no byte of the padding', () => {
      const data = Uint8Array.of(1, 2, 3, 4, 5)
      router.inject('in', udp({ to: '198.18.0.80', data }))
      const upcall = router.engine.nextUpcall()
      const words = new Int32Array(QUESTION_WORDS + 3).fill(-1)
      router.engine.readQuestion(upcall, words, 0, 4)
      expect(words[QUESTION.length]! >>> 16).to.equal(4)
      expect(words[QUESTION.payload]).to.equal(0x04030201)
      router.engine.readQuestion(upcall, words, 0, 12)
      expect(words[QUESTION.length]! >>> 16).to.equal(5)
      expect([...words.slice(QUESTION.payload)]).to.deep.equal([0x04030201, 5, 0])
    })

    it('answers false for an upcall that is not open', () => {
      const words = new Int32Array(QUESTION_WORDS).fill(9)
      expect(router.engine.readQuestion(12345, words, 0, 0)).to.equal(false)
      expect(words[0]).to.equal(9)
      expect(router.engine.askedBy(12345)).to.equal(-1)
    })
  })
})

describe('OwnedFlows', () => {
  it('tells the ends of a followed owner’s flows with their tunnel, and pages of those that live', () => {
    const router = new TestRouter(PORTS)
    const { decisions, owned } = router.engine
    router.commit([{ do: 'open-tunnel', name: 'server', tunnel: { to: '10.0.2.2' } }], OWNER)
    ask(router)
    const ends: [number, number, number][] = []
    owned.sink = (each, end) => ends.push([each.sourcePort, each.tunnel, end])
    owned.follow(OWNER, true)
    // biome-ignore lint/suspicious/noThenProperty: a field of the action
    const into = { kind: 'class', class: 'web', then: { kind: 'tunnel', tunnel: 'server' } } as const
    const action = decisions.prepare(OWNER, into)
    for (let port = 1; port <= 5; port++) decisions.resume(flow(router, port), action, SECOND, router.now)
    const tunnel = router.engine.names.find(router.engine.owners.numberOf(OWNER), 'tunnel', 'server')
    const seen: number[] = []
    let after = 0
    do after = owned.page(OWNER, after, 2, (each) => seen.push(each.sourcePort))
    while (after !== 0)
    expect(seen).to.deep.equal([5, 4, 3, 2, 1])
    const key = { from: '10.0.1.2', to: '198.18.0.80', protocol: 6, fromPort: 3, toPort: 80 }
    router.commit([{ do: 'remove-flow', key }], OWNER)
    expect(ends).to.deep.equal([[3, tunnel, 2]])
    owned.follow(OWNER, false)
    router.advance(5 * SECOND)
    expect(owned.count(OWNER)).to.equal(0)
    expect(ends).to.have.length(1)
  })
})

describe('Engine.lookupRoute', () => {
  it('tells how an address would be routed and counts the changes', () => {
    const router = new TestRouter(PORTS)
    const before = router.engine.routeGeneration
    router.commit([
      { do: 'add-route', prefix: '198.18.0.0/15', target: { kind: 'via', via: '10.0.2.2' }, cost: 7 },
    ])
    expect(router.engine.routeGeneration).to.be.greaterThan(before)
    expect(router.engine.lookupRoute(ip('198.19.1.1'))).to.include({
      prefix: '198.18.0.0/15',
      kind: 'via',
      via: '10.0.2.2',
      cost: 7,
      port: 1,
    })
    expect(router.engine.lookupRoute(ip('10.0.2.7'))).to.include({ kind: 'connected', port: 1 })
    expect(router.engine.lookupRoute(ip('9.9.9.9'))).to.equal(undefined)
  })
})
