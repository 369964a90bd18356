import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { createFlowRecord } from '../../../engine/classifier/flow-entry.ts'
import {
  END_CLOSED,
  END_IDLE,
  END_REMOVED,
  END_REUSED,
  FlowTable,
  type FlowTableOptions,
} from '../../../engine/classifier/flow-table.ts'
import { MILLISECOND, NEVER, SECOND } from '../../../engine/clock.ts'
import {
  FLAG_RELATED,
  FLAG_TCP_ACK,
  FLAG_TCP_FIN,
  FLAG_TCP_RST,
  FLAG_TCP_SYN,
  KEY_SOURCE,
  META_SHIFT,
  PacketSlab,
} from '../../../engine/packet.ts'
import { Random } from '../../../engine/random.ts'

const TCP = 6
const UDP = 17
const WEB = (40_000 << 16) | 80
/** Two ticks of the table's clock: how much longer than asked for a flow may live. */
const GRACE = 2 * 2 ** 22

const table = (options: Partial<FlowTableOptions> = {}): FlowTable => new FlowTable({ seed: 1, ...options })

/** Inserts a UDP flow from source `n`. */
function add(flows: FlowTable, n: number, now = 0, idleNs = 0, owner = 0): number {
  return flows.insert(n, 0x0a000001, WEB, UDP, n, owner, idleNs, now)
}

const find = (flows: FlowTable, n: number): number => flows.lookup(n, 0x0a000001, WEB, UDP)

describe('FlowTable', () => {
  describe('when it is asked for a key', () => {
    it('finds exactly that key, given as signed or unsigned words (R-SLR-11)', () => {
      const flows = table()
      const flow = flows.insert(0xc0a80001, 0xc6120050, 0xffff0050, TCP, 7, 0, 0, 0)
      expect(flows.lookup(0xc0a80001, 0xc6120050, 0xffff0050, TCP)).to.equal(flow)
      expect(flows.lookup(0xc0a80001 | 0, 0xc6120050 | 0, 0xffff0050 | 0, TCP)).to.equal(flow)
      expect(flows.actionOf(flow)).to.equal(7)
      expect(flows.lookup(0xc0a80001, 0xc6120050, 0xffff0050, UDP)).to.equal(-1)
      expect(flows.lookup(0xc0a80001, 0xc6120050, 0xffff0051, TCP)).to.equal(-1)
      expect(flows.lookup(0xc0a80001, 0xc6120051, 0xffff0050, TCP)).to.equal(-1)
      expect(flows.lookup(0xc0a80000, 0xc6120050, 0xffff0050, TCP)).to.equal(-1)
    })

    it('tells its key, action, owner and times', () => {
      const flows = table()
      const flow = flows.insert(0xc0a80001, 0x0a000001, WEB, TCP, 7, 3, SECOND, 10 * SECOND)
      const record = flows.read(flow, createFlowRecord())
      expect(record).to.include({
        source: 0xc0a80001,
        destination: 0x0a000001,
        protocol: TCP,
        action: 7,
        owner: 3,
      })
      expect(record).to.include({ sourcePort: 40_000, destinationPort: 80, packets: 0, bytes: 0, state: 0 })
      expect(record.createdNs).to.be.within(10 * SECOND - GRACE, 10 * SECOND)
      expect(record.idleNs).to.be.within(SECOND, SECOND + GRACE)
    })

    it('refuses to hold one key twice', () => {
      const flows = table()
      add(flows, 1)
      expect(() => add(flows, 1)).to.throw('in the table already')
    })
  })

  describe('when packets pass', () => {
    it('counts them and their bytes beyond 32 bits', () => {
      const flows = table()
      const flow = add(flows, 1)
      for (let i = 0; i < 5; i++) flows.touch(flow, 0x7fffffff, 0, SECOND)
      flows.touch(flow, 1500, 0, SECOND)
      expect(flows.read(flow, createFlowRecord())).to.include({ packets: 6, bytes: 5 * 0x7fffffff + 1500 })
    })

    it('starts a reused entry at zero', () => {
      const flows = table({ capacity: 1 })
      const flow = add(flows, 1)
      flows.touch(flow, 1500, 0, SECOND)
      flows.remove(flow)
      expect(flows.read(add(flows, 2, 2 * SECOND), createFlowRecord())).to.include({
        packets: 0,
        bytes: 0,
        idleNs: 0,
      })
    })
  })

  describe('when a flow is idle', () => {
    const expiry = (protocol: number, idleNs: number, packets: readonly number[]): number => {
      const flows = table()
      const flow = flows.insert(1, 2, WEB, protocol, 0, 0, idleNs, SECOND)
      for (const flags of packets) flows.touch(flow, 100, flags, SECOND)
      for (let elapsed = 0; elapsed <= 400 * SECOND; elapsed += 50 * MILLISECOND)
        if (flows.sweep(SECOND + elapsed, 10) > 0) return elapsed
      return NEVER
    }
    const SYN = FLAG_TCP_SYN
    const ACK = FLAG_TCP_ACK
    const FIN = FLAG_TCP_FIN | FLAG_TCP_ACK
    const RST = FLAG_TCP_RST
    const cases: readonly [string, number, number, readonly number[], number][] = [
      ['UDP after 30 s', UDP, 0, [0], 30],
      ['UDP after what was asked for', UDP, 5 * SECOND, [0], 5],
      ['ICMP after 10 s', 1, 0, [0], 10],
      ['another protocol after 30 s', 47, 0, [0], 30],
      ['a pinned TCP flow without packets after 30 s', TCP, 0, [], 30],
      ['a pinned TCP flow after what was asked for', TCP, 60 * SECOND, [], 60],
      ['a TCP SYN without more after 30 s', TCP, 60 * SECOND, [SYN, SYN], 30],
      ['a TCP SYN sooner when less was asked for', TCP, 5 * SECOND, [SYN], 5],
      ['an established TCP connection after 300 s', TCP, 0, [SYN, ACK, ACK], 300],
      ['a TCP connection whose beginning was missed after 300 s', TCP, 0, [ACK], 300],
      ['an established TCP connection after what was asked for', TCP, 60 * SECOND, [SYN, ACK], 60],
      ['a connection that a second SYN does not shorten', TCP, 0, [SYN, ACK, SYN], 300],
      ['a half-closed TCP connection after 10 s', TCP, 0, [SYN, ACK, FIN], 10],
      ['a closing TCP connection after 10 s', TCP, 60 * SECOND, [SYN, ACK, FIN, ACK, ACK], 10],
      ['a reset TCP connection after 2 s', TCP, 0, [SYN, ACK, RST, RST], 2],
      ['a connection that goes on after a forged reset', TCP, 0, [SYN, ACK, RST, ACK], 300],
      ['a new connection under an old key after 30 s', TCP, 0, [SYN, ACK, FIN, SYN], 30],
    ]
    for (const [what, protocol, idleNs, packets, seconds] of cases)
      it(`ends ${what}`, () => {
        expect(expiry(protocol, idleNs, packets)).to.be.within(
          seconds * SECOND,
          seconds * SECOND + 60 * MILLISECOND,
        )
      })

    it('keeps one that shall never end', () => {
      expect(expiry(UDP, NEVER, [0])).to.equal(NEVER)
    })

    it('is not kept alive by ICMP errors about it, which are counted', () => {
      const flows = table()
      const flow = add(flows, 1)
      flows.touch(flow, 56, FLAG_RELATED, 29 * SECOND)
      expect(flows.read(flow, createFlowRecord())).to.include({ packets: 1, lastSeenNs: 0 })
      expect(flows.sweep(30 * SECOND + GRACE, 1)).to.equal(1)
    })

    it('keeps its time when the clock is beyond 2^31 ticks', () => {
      const late = 2 ** 53 - SECOND
      const flows = table()
      add(flows, 1, late)
      expect(flows.sweep(late + 29 * SECOND, 10)).to.equal(0)
      expect(flows.sweep(late + 31 * SECOND, 10)).to.equal(1)
    })

    it('takes the times of its configuration', () => {
      const flows = table({ timeouts: { udpNs: SECOND } })
      add(flows, 1)
      expect(flows.sweep(SECOND + GRACE, 1)).to.equal(1)
      expect(() => table({ timeouts: { udpNs: 0 } })).to.throw(RangeError)
    })
  })

  describe('when a flow ends', () => {
    it('says so once, with the reason, while the entry can be read', () => {
      const log: [number, number][] = []
      const flows: FlowTable = table({ ended: (flow, end) => log.push([flows.actionOf(flow), end]) })
      const closed = flows.insert(9, 9, WEB, TCP, 9, 0, 0, 0)
      flows.touch(closed, 40, FLAG_TCP_FIN, 0)
      add(flows, 1)
      flows.remove(add(flows, 2))
      flows.remove(add(flows, 3), END_REUSED)
      flows.sweep(40 * SECOND, 100)
      expect(log).to.deep.equal([
        [2, END_REMOVED],
        [3, END_REUSED],
        [9, END_CLOSED],
        [1, END_IDLE],
      ])
      expect([...flows.ended]).to.deep.equal([1, 1, 1, 1])
      expect(flows.size).to.equal(0)
    })

    it('does not let the sink remove flows', () => {
      const flows: FlowTable = table({ ended: (flow) => flows.remove(flow) })
      const flow = add(flows, 1)
      expect(() => flows.remove(flow)).to.throw('must not remove')
    })

    it('knows a new connection under the key of one that has ended (R-SLR-11)', () => {
      const flows = table()
      const flow = flows.insert(1, 2, WEB, TCP, 0, 0, 0, 0)
      flows.touch(flow, 40, FLAG_TCP_SYN, 0)
      expect(flows.isReused(flow, FLAG_TCP_SYN)).to.equal(false)
      flows.touch(flow, 40, FLAG_TCP_ACK, 0)
      expect(flows.isReused(flow, FLAG_TCP_SYN)).to.equal(false)
      flows.touch(flow, 40, FLAG_TCP_RST, 0)
      expect(flows.isReused(flow, FLAG_TCP_SYN)).to.equal(true)
      expect(flows.isReused(flow, FLAG_TCP_ACK)).to.equal(false)
      expect(flows.isReused(flow, FLAG_TCP_SYN | FLAG_RELATED)).to.equal(false)
    })
  })

  describe('when a handle outlives its flow', () => {
    it('resolves to nothing, also when the entry is used again', () => {
      const flows = table()
      const flow = add(flows, 1)
      const handle = flows.handleOf(flow)
      expect(flows.resolve(handle)).to.equal(flow)
      flows.remove(flow)
      expect(flows.resolve(handle)).to.equal(-1)
      expect(flows.resolve(handle + 2 ** 22), 'the generation of a free entry').to.equal(-1)
      expect(add(flows, 2)).to.equal(flow)
      expect(flows.resolve(handle)).to.equal(-1)
      expect(flows.handleOf(flow))
        .to.be.above(handle)
        .and.below(2 ** 53)
    })

    it('resolves no number that was never a handle', () => {
      const flows = table()
      const handle = flows.handleOf(add(flows, 1))
      for (const bad of [-1, 0, 0.5, Number.NaN, NEVER, 2 ** 53, handle + 1, handle + 2 ** 22, 2 ** 52])
        expect(flows.resolve(bad), `${bad}`).to.equal(-1)
    })
  })

  describe('when it is full', () => {
    it('refuses new flows, counts them and keeps the old', () => {
      const flows = table({ capacity: 300 })
      for (let n = 0; n < 300; n++) expect(add(flows, n)).to.be.at.least(0)
      expect(add(flows, 300)).to.equal(-1)
      expect([flows.size, flows.refused]).to.deep.equal([300, 1])
      for (let n = 0; n < 300; n++) expect(flows.actionOf(find(flows, n))).to.equal(n)
      flows.remove(find(flows, 7))
      expect(add(flows, 300)).to.be.at.least(0)
    })

    it('takes over the entry of an expired flow', () => {
      const flows = table({ capacity: 300 })
      for (let n = 0; n < 300; n++) add(flows, n, 0, n === 150 ? SECOND : 0)
      let admitted = 0
      for (let n = 1000; n < 1010; n++) if (add(flows, n, 2 * SECOND) >= 0) admitted++
      expect(admitted).to.equal(1)
      expect(find(flows, 150)).to.equal(-1)
      expect(flows.ended[END_IDLE]).to.equal(1)
    })

    it('is bounded', () => {
      for (const capacity of [0, -1, 1.5, 2 ** 22]) expect(() => table({ capacity })).to.throw(RangeError)
    })
  })

  describe('when flows have owners', () => {
    const ofOwner = (flows: FlowTable, owner: number): number[] => {
      const result: number[] = []
      for (let flow = flows.firstOf(owner); flow >= 0; flow = flows.nextOf(flow)) result.push(flow)
      return result
    }

    it('counts and walks them by owner', () => {
      const flows = table()
      const mine = [1, 2, 3].map((n) => add(flows, n, 0, 0, 70))
      const other = add(flows, 4, 0, 0, 5)
      expect(ofOwner(flows, 70)).to.deep.equal(mine.toReversed())
      flows.remove(mine[1]!)
      expect(ofOwner(flows, 70)).to.deep.equal([mine[2], mine[0]])
      expect([flows.countOf(70), flows.countOf(5), flows.countOf(9999)]).to.deep.equal([2, 1, 0])
      expect([ofOwner(flows, 5), ofOwner(flows, 9999), flows.ownerOf(other)]).to.deep.equal([[other], [], 5])
    })

    it('refuses an owner more than its limit, and counts that', () => {
      const flows = table()
      flows.setLimit(2, 1)
      expect(add(flows, 1, 0, 0, 2)).to.be.at.least(0)
      expect(add(flows, 2, 0, 0, 2)).to.equal(-1)
      expect(add(flows, 2, 0, 0, 3)).to.be.at.least(0)
      expect([flows.refusedByOwner, flows.refused]).to.deep.equal([1, 0])
    })

    it('gives all flows of one owner to another in slices', () => {
      const flows = table()
      for (let n = 0; n < 10; n++) add(flows, n, 0, 0, 1)
      add(flows, 10, 0, 0, 2)
      expect(flows.adopt(1, 2, 4)).to.equal(6)
      expect(flows.adopt(1, 2, 100)).to.equal(0)
      expect([flows.countOf(1), flows.countOf(2), ofOwner(flows, 2).length]).to.deep.equal([0, 11, 11])
      expect(flows.adopt(2, 2, 100)).to.equal(0)
    })
  })

  describe('when it grows', () => {
    it('finds every flow at every moment, also those removed or kept while the index moves', () => {
      const flows = table()
      const random = Random.fromSeed(5)
      const model = new Map<number, number>()
      const check = (n: number): void => {
        const flow = find(flows, n)
        if (!model.has(n)) expect(flow).to.equal(-1)
        else if (flow !== model.get(n)) expect(flow).to.equal(model.get(n))
      }
      for (let n = 0; n < 40_000; n++) {
        model.set(n, add(flows, n))
        if (n % 3 === 0) {
          const gone = random.below(n + 1)
          if (model.has(gone)) flows.remove(model.get(gone)!)
          model.delete(gone)
          check(gone)
        }
        check(random.below(n + 1))
        check(n)
      }
      for (let n = 0; n < 40_000; n++) check(n)
      expect(flows.size).to.equal(model.size)
    })

    it('holds little while it is small', () => {
      expect(table().byteLength).to.be.below(8_000)
      const flows = table()
      for (let n = 0; n < 100; n++) add(flows, n)
      expect(flows.byteLength).to.be.below(32_000)
    })

    it('holds 2^20 flows in at most 134 MB', () => {
      const flows = table({ capacity: 1 << 20 })
      let most = 0
      for (let n = 0; n < 1 << 20; n++) {
        add(flows, n)
        if (n % 1024 === 0) most = Math.max(most, flows.byteLength)
      }
      expect(flows.size).to.equal(1 << 20)
      expect(Math.max(most, flows.byteLength)).to.be.at.most(134e6)
      expect(add(flows, 1 << 20)).to.equal(-1)
    })
  })

  describe('when it is warmed up for a batch', () => {
    for (const size of [1, 20_000])
      it(`changes nothing, whether or not the packets' flows are there (${size} flows)`, () => {
        const flows = table()
        const slab = new PacketSlab({ capacity: 4 })
        for (let n = 0; n < size; n++) add(flows, n)
        slab.meta.set([0, 0x0a000001, WEB, UDP], (2 << META_SHIFT) + KEY_SOURCE)
        slab.meta.set([size, 0x0a000001, WEB, UDP], (3 << META_SHIFT) + KEY_SOURCE)
        expect(flows.warm(slab.meta, Int32Array.of(2, 3, 0), 2)).to.be.a('number')
        expect(flows.size).to.equal(size)
        for (let n = 0; n < size; n++) expect(flows.actionOf(find(flows, n))).to.equal(n)
      })
  })

  describe('when flows come, go and expire in any order', () => {
    type Step =
      | { do: 'insert'; key: number; idle: number; owner: number }
      | { do: 'remove' | 'touch'; key: number }
      | { do: 'wait'; ms: number }
      | { do: 'sweep'; budget: number }
    const key = fc.nat(40)
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({
        do: fc.constant('insert' as const),
        key,
        idle: fc.integer({ min: 1, max: 90 }),
        owner: fc.nat(3),
      }),
      fc.record({ do: fc.constantFrom('remove' as const, 'touch' as const), key }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.nat(40) }),
      fc.record({ do: fc.constant('sweep' as const), budget: fc.constantFrom(1, 5, 1000) }),
    )

    it('agrees with a map', () => {
      interface Known {
        flow: number
        handle: number
        seen: number
        idle: number
        owner: number
        packets: number
      }
      const property = fc.property(
        fc.array(step, { maxLength: 200, size: 'max' }),
        fc.integer(),
        (steps, seed) => {
          const model = new Map<number, Known>()
          const gone: number[] = []
          let now = SECOND
          const flows: FlowTable = table({
            seed,
            capacity: 24,
            ended: (flow) => {
              const name = flows.actionOf(flow)
              const known = model.get(name)!
              expect(known.flow).to.equal(flow)
              gone.push(known.handle)
              model.delete(name)
            },
          })
          const isDue = (each: Known): boolean => now - each.seen > each.idle
          const insert = (name: number, idle: number, owner: number): void => {
            const due = [...model.values()].some(isDue)
            const size = model.size
            const flow = flows.insert(name * 0x01000193, name, WEB, UDP, name, owner, idle, now)
            if (flow < 0) expect(size).to.equal(24)
            else {
              if (size === 24) expect(due).to.equal(true)
              model.set(name, { flow, handle: flows.handleOf(flow), seen: now, idle, owner, packets: 0 })
            }
          }
          for (const each of steps) {
            if (each.do === 'insert' && !model.has(each.key))
              insert(each.key, each.idle * MILLISECOND, each.owner)
            else if (each.do === 'remove' && model.has(each.key)) flows.remove(model.get(each.key)!.flow)
            else if (each.do === 'touch' && model.has(each.key)) {
              const known = model.get(each.key)!
              flows.touch(known.flow, 100, 0, now)
              known.seen = now
              known.packets++
            } else if (each.do === 'wait') now += each.ms * MILLISECOND
            else if (each.do === 'sweep') {
              const before = [...model]
              flows.sweep(now, each.budget)
              for (const [name, known] of before) if (!model.has(name)) expect(isDue(known)).to.equal(true)
              if (each.budget === 1000)
                for (const known of model.values()) expect(now - known.seen).to.be.at.most(known.idle + GRACE)
            }
            expect(flows.size).to.equal(model.size)
          }
          for (let name = 0; name <= 40; name++) {
            const flow = flows.lookup(name * 0x01000193, name, WEB, UDP)
            expect(flow).to.equal(model.get(name)?.flow ?? -1)
            if (flow >= 0)
              expect(flows.read(flow, createFlowRecord()).packets).to.equal(model.get(name)!.packets)
          }
          for (const each of model.values()) expect(flows.resolve(each.handle)).to.equal(each.flow)
          for (const handle of gone) expect(flows.resolve(handle)).to.equal(-1)
          for (let owner = 0; owner < 4; owner++) {
            const mine = [...model.values()].filter((each) => each.owner === owner).map((each) => each.flow)
            const walked: number[] = []
            for (let flow = flows.firstOf(owner); flow >= 0; flow = flows.nextOf(flow)) walked.push(flow)
            expect(walked.sort()).to.deep.equal(mine.sort())
            expect(flows.countOf(owner)).to.equal(mine.length)
          }
        },
      )
      fc.assert(property, { numRuns: 200 })
    })
  })
})
