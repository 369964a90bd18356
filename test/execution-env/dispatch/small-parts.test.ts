import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { createFlowRecord } from '../../../engine/classifier/flow-entry.ts'
import { type CompiledFilter, compileFilter, EngineError, type Filter } from '../../../engine/index.ts'
import { END_RECORD, END_WORDS } from '../../../execution-env/contract/api/index.ts'
import { overlap, requireDistinct } from '../../../execution-env/dispatch/claims.ts'
import { DefinedActions } from '../../../execution-env/dispatch/defined-actions.ts'
import { ENDS_LIMIT, EndQueue } from '../../../execution-env/dispatch/end-queue.ts'
import { HandleQueue } from '../../../execution-env/dispatch/handle-queue.ts'
import { claimKey, equalData } from '../../../execution-env/dispatch/holdings.ts'
import { ProgramLog } from '../../../execution-env/dispatch/program-log.ts'
import { Rate } from '../../../execution-env/dispatch/rate.ts'
import { Replies } from '../../../execution-env/dispatch/replies.ts'
import { TimerQueue } from '../../../execution-env/dispatch/timer-queue.ts'

const compile = (filter: Filter): CompiledFilter => compileFilter(filter, () => 0)

describe('overlap of claims', () => {
  const octet = fc.integer({ min: 0, max: 3 })
  const side = fc.oneof(
    fc.constant(undefined),
    octet.map((last) => `10.0.0.${last}`),
    fc.constant('10.0.0.0/31'),
    fc.record({ value: octet, mask: octet }).map(({ value, mask }) => ({
      value: `10.0.0.${value & mask}`,
      mask: `255.255.255.${252 | mask}`,
    })),
  )
  const port = fc.oneof(fc.constant(undefined), fc.constant(80), fc.constant({ from: 79, to: 80 }))
  const filter = fc.record({ from: side, to: side, protocol: fc.constant('tcp' as const), toPort: port })

  it('is whether some packet agrees with both', () => {
    const agrees = (each: CompiledFilter, from: number, to: number, toPort: number): boolean =>
      ((from ^ each.sourceValue) & each.sourceMask) === 0 &&
      ((to ^ each.destinationValue) & each.destinationMask) === 0 &&
      toPort >= each.destinationPortFrom &&
      toPort <= each.destinationPortTo
    fc.assert(
      fc.property(filter, filter, (one, other) => {
        const [a, b] = [compile(one as Filter), compile(other as Filter)]
        let found = false
        for (let from = 0; from < 4; from++)
          for (let to = 0; to < 4; to++)
            for (const toPort of [78, 79, 80, 81])
              found ||= [a, b].every((each) => agrees(each, 0x0a000000 + from, 0x0a000000 + to, toPort))
        expect(overlap(a, b)).to.equal(found)
        expect(overlap(b, a)).to.equal(found)
      }),
      { numRuns: 300 },
    )
  })

  const standing = (owner: string, filter: Filter, priority = 0) => ({
    owner,
    priority,
    compiled: compile(filter),
  })

  it('matters only where neither priority nor specificity decides', () => {
    const web = standing('a', { to: '10.0.0.1', protocol: 'tcp' })
    const conflict = (other: Parameters<typeof standing>): boolean => {
      try {
        requireDistinct(standing(...other), [web], 'claim')
        return false
      } catch (error) {
        expect(error).to.be.instanceOf(EngineError).and.include({ code: 'conflict' })
        return true
      }
    }
    expect(conflict(['b', { to: '10.0.0.1', protocol: 'tcp' }]), 'the same').to.equal(true)
    expect(conflict(['b', { to: '10.0.0.1', protocol: 'tcp' }, 1]), 'the operator decides').to.equal(false)
    expect(conflict(['b', { to: '10.0.0.0/24', protocol: 'tcp' }]), 'the specific one decides').to.equal(
      false,
    )
    expect(conflict(['b', { from: '10.0.0.9', protocol: 'tcp' }]), 'across').to.equal(true)
    expect(conflict(['b', { to: '10.0.0.2', protocol: 'tcp' }]), 'apart').to.equal(false)
  })

  it('knows equal filters by their key, however they are written', () => {
    expect(claimKey(compile({ to: '10.0.0.1/32', protocol: 6 }))).to.equal(
      claimKey(compile({ protocol: 'tcp', to: '10.0.0.1' })),
    )
    expect(equalData({ a: [1, { b: 2 }], c: 3 }, { c: 3, a: [1, { b: 2 }] })).to.equal(true)
    expect(equalData({ a: 1 }, { a: 1, b: 2 })).to.equal(false)
    expect(equalData(null, {})).to.equal(false)
  })
})

describe('TimerQueue', () => {
  it('gives what is due by time, then by order of arrival', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), (times) => {
        const queue = new TimerQueue<number>()
        times.forEach((at, i) => {
          queue.add(at, i)
        })
        const expected = times.map((at, i) => [at, i] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1])
        for (const [at, i] of expected) {
          expect(queue.earliest).to.equal(at)
          expect(queue.takeDue(at - 1)).to.equal(undefined)
          expect(queue.takeDue(at)).to.equal(i)
        }
        expect(queue.earliest).to.equal(Number.POSITIVE_INFINITY)
      }),
      { numRuns: 200 },
    )
  })
})

describe('HandleQueue', () => {
  it('is a queue, whatever it goes through, within its limit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 2 ** 40 })), { maxLength: 300 }),
        (steps) => {
          const queue = new HandleQueue(100)
          const model: number[] = []
          for (const step of steps)
            if (step < 0) expect(queue.shift()).to.equal(model.shift() ?? -1)
            else {
              expect(queue.push(step)).to.equal(model.length < 100)
              if (model.length < 100) model.push(step)
            }
          expect(queue.size).to.equal(model.length)
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('EndQueue', () => {
  const flow = (packets: number) => ({ ...createFlowRecord(), packets, bytes: packets * 2 ** 33, tunnel: 4 })

  it('keeps order over its growth and tells doubles in two words', () => {
    const queue = new EndQueue()
    const words = new Int32Array(END_WORDS)
    let next = 0
    for (let i = 0; i < 1000; i++) {
      queue.push(flow(i), 1, 5)
      if (i % 3 === 0) {
        expect(queue.shift(words, 0)).to.equal(true)
        expect(words[END_RECORD.packets]).to.equal(next++)
      }
    }
    while (queue.shift(words, 0)) expect(words[END_RECORD.packets]).to.equal(next++)
    expect(next).to.equal(1000)
    const bytes = (words[END_RECORD.bytes]! >>> 0) + words[END_RECORD.bytes + 1]! * 2 ** 32
    expect(bytes).to.equal(999 * 2 ** 33)
    expect(words[END_RECORD.tunnel]).to.equal(5)
    queue.push(flow(1), 0, 5)
    queue.renumber((number) => number * 10)
    queue.shift(words, 0)
    expect(words[END_RECORD.tunnel]).to.equal(50)
  })

  it('counts what is too much', () => {
    const queue = new EndQueue()
    for (let i = 0; i < ENDS_LIMIT + 7; i++) queue.push(flow(i), 0, 0)
    expect(queue.size).to.equal(ENDS_LIMIT)
    expect(queue.refused).to.equal(7)
  })
})

describe('Rate', () => {
  it('gives as much as it says, also below one a second', () => {
    for (const perSecond of [0.5, 1, 10, 1000]) {
      const rate = new Rate(perSecond)
      let taken = 0
      for (let ms = 0; ms < 10_000; ms++) if (rate.take(ms * 1e6)) taken++
      expect(taken, String(perSecond)).to.be.within(perSecond * 10 - 1, perSecond * 11 + 2)
    }
  })

  it('gives nothing at zero and everything at infinity', () => {
    expect(new Rate(0).take(1e18)).to.equal(false)
    const endless = new Rate(Number.POSITIVE_INFINITY)
    for (let i = 0; i < 100; i++) expect(endless.take(0)).to.equal(true)
  })
})

describe('ProgramLog', () => {
  it('keeps the last lines on one line each, and counts what is too much', () => {
    const log = new ProgramLog(3)
    log.take(
      Array.from({ length: 5 }, (_, i) => ({ level: 'info' as const, text: `a\nb\u001b[31m${i}` })),
      4,
      1e9,
    )
    expect(log.entries.map((each) => each.text)).to.deep.equal(['a b [31m0', 'a b [31m1', 'a b [31m2'])
    expect(log.dropped).to.equal(6)
    for (let i = 0; i < 1000; i++) log.note('error', `note ${i}`, 2e9)
    expect(log.entries.length).to.equal(53)
    for (let i = 0; i < 1000; i++) log.note('error', `note ${i}`, 3e9 + i * 1e9)
    expect(log.entries.length).to.equal(256)
    expect(log.entries.at(-1)).to.include({ by: 'router', text: 'note 999' })
  })
})

describe('Replies', () => {
  it('take effect by time, tenant and sequence, whatever order they came in', () => {
    const item = fc.record({ at: fc.integer({ min: 0, max: 3 }), order: fc.integer({ min: 0, max: 3 }) })
    fc.assert(
      fc.property(fc.array(item, { maxLength: 30 }), (items) => {
        const replies = new Replies()
        const told: number[] = []
        items.forEach(({ at, order }, i) => {
          replies.hold(at, order, () => told.push(i))
        })
        for (let now = 0; now <= 3; now++) replies.release(now)
        const key = (i: number) => items[i]!.at * 1e6 + items[i]!.order * 1e3 + i
        expect(told).to.deep.equal(items.map((_, i) => i).sort((a, b) => key(a) - key(b)))
      }),
      { numRuns: 100 },
    )
  })
})

describe('DefinedActions', () => {
  const released: number[] = []
  const decisions = { release: (prepared: number) => released.push(prepared) } as never

  it('knows a number from its definition until it is cleared', () => {
    const actions = new DefinedActions(decisions)
    actions.define(3, false, () => 30, 'x')
    actions.define(4, true, () => 40, 'x')
    expect([
      actions.lookup(3),
      actions.lookup(4),
      actions.lookupFallback(3),
      actions.lookupFallback(4),
    ]).to.deep.equal([30, -1, 30, 40])
    expect(() => actions.define(3, false, () => 31, 'x')).to.throw(EngineError, 'defined')
    for (const strange of [0, -1, 5, 4097, 2 ** 31 - 1]) expect(actions.lookup(strange)).to.be.lessThan(0)
    actions.clear()
    expect(released).to.deep.equal([30, 40])
    expect(actions.lookup(3)).to.be.lessThan(0)
  })

  it('refuses decisions of an action that was refused', () => {
    const actions = new DefinedActions(decisions)
    const refuse = (): never => {
      throw new EngineError('forbidden', 'no')
    }
    expect(() => actions.define(1, false, refuse, 'x')).to.throw('no')
    expect(actions.lookup(1)).to.be.lessThan(0)
    actions.clear()
  })
})
