import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { type CompiledFilter, compileFilter, type Filter } from '../../../engine/classifier/filter.ts'
import { specificity } from '../../../engine/classifier/filter-store.ts'
import { FilterTable } from '../../../engine/classifier/filter-table.ts'
import { EngineError } from '../../../engine/errors.ts'
import { FLAG_LATER_FRAGMENT } from '../../../engine/packet.ts'
import { Random } from '../../../engine/random.ts'
import { parseIpv4Address, prefixMask } from '../../../engine/wire/address.ts'

const TCP = 6
const UDP = 17
const ports = ['eth0', 'eth1']
const compile = (filter: Filter): CompiledFilter =>
  compileFilter(filter, (name) => (ports.includes(name) ? ports.indexOf(name) : undefined))

interface Probe {
  readonly source: number
  readonly destination: number
  readonly ports: number
  readonly protocol: number
  readonly inPort: number
  readonly flags: number
}

/** A packet from its addresses and ports. */
function packet(from: string, to: string, fromPort = 1000, toPort = 80, protocol = TCP, inPort = 0): Probe {
  const source = parseIpv4Address(from)!
  const destination = parseIpv4Address(to)!
  return { source, destination, ports: (fromPort << 16) | toPort, protocol, inPort, flags: 0 }
}

const find = (table: FilterTable, probe: Probe): number =>
  table.lookup(probe.source, probe.destination, probe.ports, probe.protocol, probe.inPort, probe.flags)

/** Merges all that is pending, in slices of `budget` units. */
function settle(table: FilterTable, budget = 1000): void {
  while (table.work(budget));
}

/** What a filter table does, as plainly as it can be said. */
class NaiveTable {
  readonly filters: { id: number; filter: CompiledFilter; priority: number; age: number }[] = []
  #age = 0

  add(id: number, filter: CompiledFilter, priority: number): void {
    this.filters.push({ id, filter, priority, age: this.#age++ })
    this.filters.sort(
      (a, b) => b.priority - a.priority || specificity(b.filter) - specificity(a.filter) || a.age - b.age,
    )
  }

  remove(id: number): void {
    const at = this.filters.findIndex((each) => each.id === id)
    this.filters.splice(at, 1)
  }

  lookup({ source, destination, ports: pair, protocol, inPort, flags }: Probe): number {
    const isPortless = (flags & FLAG_LATER_FRAGMENT) !== 0 && pair === 0
    const within = (port: number, from: number, to: number): boolean =>
      isPortless ? from === 0 && to === 65535 : port >= from && port <= to
    const found = this.filters.find(
      ({ filter }) =>
        (source & filter.sourceMask) >>> 0 === filter.sourceValue &&
        (destination & filter.destinationMask) >>> 0 === filter.destinationValue &&
        within(pair >>> 16, filter.sourcePortFrom, filter.sourcePortTo) &&
        within(pair & 0xffff, filter.destinationPortFrom, filter.destinationPortTo) &&
        (filter.protocol < 0 || filter.protocol === protocol) &&
        (filter.inPort < 0 || filter.inPort === inPort),
    )
    return found?.id ?? -1
  }
}

/** Addresses, ports and masks from small sets, so that filters overlap and packets meet several. */
const address = fc.constantFrom(0, 1, 2, 0x0a000001, 0x0a000002, 0x0a010003, 0x80ff0001, 0xffffffff)
const mask = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 32 }).map(prefixMask) },
  { weight: 2, arbitrary: fc.constantFrom(3, 1, 0x0000ff00, 0xff0000ff, 0xffffff03, 0xfffffffe, 0x00ff0000) },
  { weight: 1, arbitrary: fc.nat(0xffffffff) },
)
const port = fc.constantFrom(0, 1, 79, 80, 81, 255, 256, 1024, 65534, 65535)
const range = fc.oneof(
  fc.constant([0, 65535] as const),
  fc.constant([0, 65535] as const),
  port.map((one) => [one, one] as const),
  fc.tuple(port, port).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
)
const protocol = fc.constantFrom(-1, -1, -1, TCP, UDP, 0, 255)
const inPort = fc.constantFrom(-1, -1, -1, 0, 1, 300)
const filter: fc.Arbitrary<CompiledFilter> = fc
  .tuple(address, mask, address, mask, range, range, protocol, inPort)
  .map(([source, sourceMask, destination, destinationMask, from, to, number, arrival]) => ({
    sourceValue: (source & sourceMask) >>> 0,
    sourceMask,
    destinationValue: (destination & destinationMask) >>> 0,
    destinationMask,
    protocol: number,
    sourcePortFrom: from[0],
    sourcePortTo: from[1],
    destinationPortFrom: to[0],
    destinationPortTo: to[1],
    inPort: arrival,
  }))
const probe: fc.Arbitrary<Probe> = fc
  .tuple(
    address,
    address,
    port,
    port,
    fc.constantFrom(TCP, UDP, 0, 255),
    fc.constantFrom(-2, -1, 0, 1, 2, 300),
    fc.nat(9),
  )
  .map(([source, destination, from, to, number, arrival, kind]) => ({
    source: kind & 1 ? source | 0 : source,
    destination,
    ports: kind === 0 ? 0 : (from << 16) | to,
    protocol: number,
    inPort: arrival,
    flags: kind < 2 ? FLAG_LATER_FRAGMENT : 0,
  }))

describe('FilterTable', () => {
  const web: Filter = { to: '198.18.0.80', protocol: 'tcp', toPort: 80 }

  /** The same table before and after its filters have gone into the index. */
  const inBothForms = (
    filters: readonly (readonly [Filter, number])[],
    check: (table: FilterTable) => void,
  ): void => {
    const table = new FilterTable()
    for (const [i, [each, priority]] of filters.entries()) table.add(compile(each), priority, 100 + i, 0)
    check(table)
    const extra = compile({ from: '203.0.113.1', to: '203.0.113.2', protocol: 99 })
    const fillers = Array.from({ length: 40 }, () => table.add(extra, 1000, 0, 0))
    settle(table)
    expect(table.overlaySize).to.equal(0)
    check(table)
    for (const each of fillers) table.remove(each)
    check(table)
  }

  describe('when it is empty', () => {
    it('finds nothing and has nothing to do', () => {
      const table = new FilterTable()
      expect(find(table, packet('10.0.0.1', '198.18.0.80'))).to.equal(-1)
      expect([table.pending, table.size, table.work(10)]).to.deep.equal([false, 0, false])
    })
  })

  describe('when one filter matches (R-SLR-11)', () => {
    it('gives its number and payload', () => {
      inBothForms([[web, 0]], (table) => {
        const found = find(table, packet('10.0.0.1', '198.18.0.80'))
        expect(table.payloadOf(found)).to.equal(100)
        expect(find(table, packet('10.0.0.1', '198.18.0.81'))).to.equal(-1)
        expect(find(table, packet('10.0.0.1', '198.18.0.80', 1000, 81))).to.equal(-1)
        expect(find(table, packet('10.0.0.1', '198.18.0.80', 1000, 80, UDP))).to.equal(-1)
      })
    })

    it('compares masks with gaps bit by bit (decision 5)', () => {
      const quarter: Filter = { from: { value: '0.0.0.2', mask: '0.0.0.3' }, to: '198.18.0.0/15' }
      inBothForms([[quarter, 0]], (table) => {
        const hits = Array.from({ length: 256 }, (_, i) => find(table, packet(`10.7.3.${i}`, '198.19.1.1')))
        expect(hits.map((each) => each >= 0)).to.deep.equal(hits.map((_, i) => i % 4 === 2))
      })
    })

    it('compares the port by which the packet came', () => {
      inBothForms([[{ inPort: 'eth1' }, 0]], (table) => {
        const at = (index: number): boolean =>
          find(table, packet('10.0.0.1', '10.0.0.2', 1, 2, TCP, index)) >= 0
        expect([-2, -1, 0, 1, 2, 1000].map(at)).to.deep.equal([false, false, false, true, false, false])
      })
    })

    it('takes both ends of a range of ports', () => {
      inBothForms(
        [[{ protocol: 'udp', toPort: { from: 1024, to: 65535 }, fromPort: { from: 0, to: 9 } }, 0]],
        (table) => {
          const at = (from: number, to: number): boolean =>
            find(table, packet('1.1.1.1', '2.2.2.2', from, to, UDP)) >= 0
          expect([at(0, 1024), at(9, 65535), at(10, 1024), at(0, 1023)]).to.deep.equal([
            true,
            true,
            false,
            false,
          ])
        },
      )
    })
  })

  describe('when the packet is a later fragment', () => {
    it('matches filters that leave the ports open, or those of its first fragment when they are known', () => {
      inBothForms(
        [
          [{ protocol: 'udp', toPort: { from: 0, to: 79 } }, 5],
          [{ protocol: 'udp', toPort: 80 }, 4],
          [{ protocol: 'udp' }, 0],
        ],
        (table) => {
          const fragment = { ...packet('1.1.1.1', '2.2.2.2', 0, 0, UDP), flags: FLAG_LATER_FRAGMENT }
          expect(table.payloadOf(find(table, fragment))).to.equal(102)
          expect(table.payloadOf(find(table, { ...fragment, ports: (9 << 16) | 80 }))).to.equal(101)
          expect(table.payloadOf(find(table, { ...fragment, flags: 0 }))).to.equal(100)
        },
      )
    })
  })

  describe('when several filters match', () => {
    const best = (filters: readonly (readonly [Filter, number])[]): number => {
      const seen = new Set<number>()
      inBothForms(filters, (table) =>
        seen.add(table.payloadOf(find(table, packet('10.0.0.2', '198.18.0.80'))) - 100),
      )
      expect(seen.size).to.equal(1)
      return [...seen][0]!
    }

    it('prefers the higher priority', () => {
      expect(
        best([
          [web, 1],
          [{}, 2],
          [web, -5],
        ]),
      ).to.equal(1)
      expect(
        best([
          [web, -2],
          [{}, -1],
        ]),
      ).to.equal(1)
    })

    it('prefers the more specific among equal priorities', () => {
      expect(
        best([
          [{ to: '198.18.0.0/15' }, 0],
          [{ to: '198.18.0.0/16' }, 0],
          [{}, 0],
        ]),
      ).to.equal(1)
      expect(
        best([
          [{ protocol: 'tcp' }, 0],
          [{ protocol: 'tcp', toPort: 80 }, 0],
        ]),
      ).to.equal(1)
      expect(
        best([
          [{ protocol: 'tcp', toPort: { from: 80, to: 81 } }, 0],
          [{ protocol: 'tcp', toPort: 80 }, 0],
        ]),
      ).to.equal(1)
      expect(
        best([
          [{ from: { value: '0.0.0.2', mask: '0.0.0.3' } }, 0],
          [{ from: { value: '0.0.0.2', mask: '0.0.0.7' } }, 0],
        ]),
      ).to.equal(1)
    })

    it('prefers the older among equals', () => {
      expect(
        best([
          [{ from: '10.0.0.0/8' }, 0],
          [{ to: '198.0.0.0/8' }, 0],
        ]),
      ).to.equal(0)
    })

    it('shows the next one when the first is removed', () => {
      for (const merge of [false, true]) {
        const table = new FilterTable()
        const first = table.add(compile(web), 9, 1, 0)
        const second = table.add(compile({ to: '198.18.0.0/15' }), 9, 2, 0)
        if (merge) {
          for (let i = 0; i < 40; i++) table.add(compile({ from: '203.0.113.1' }), 0, 0, 0)
          settle(table)
        }
        const probe = packet('10.0.0.1', '198.18.0.80')
        expect(find(table, probe)).to.equal(first)
        table.remove(first)
        expect(find(table, probe)).to.equal(second)
        table.remove(second)
        expect(find(table, probe)).to.equal(-1)
      }
    })
  })

  describe('when filters change', () => {
    it('keeps what belongs to each: owner, counters, description', () => {
      const table = new FilterTable()
      const filter = table.add(
        compile({
          from: { value: '0.0.0.2', mask: '0.0.0.3' },
          to: '198.18.0.0/15',
          protocol: 'tcp',
          toPort: 80,
        }),
        7,
        55,
        3,
      )
      table.hit(filter, 1500)
      table.hit(filter, 40)
      table.setOwner(filter, 4)
      expect([table.ownerOf(filter), table.payloadOf(filter)]).to.deep.equal([4, 55])
      expect(table.describe(filter)).to.deep.equal({
        from: '0.0.0.2 & 0.0.0.3',
        to: '198.18.0.0/15',
        protocol: 6,
        fromPort: null,
        toPort: '80',
        inPort: null,
        priority: 7,
        packets: 2,
        bytes: 1540,
      })
    })

    it('refuses more than its limit and takes new ones after removals', () => {
      const table = new FilterTable({ limit: 50 })
      const filters = Array.from({ length: 50 }, () => table.add(compile(web), 0, 0, 0))
      expect(() => table.add(compile(web), 0, 0, 0))
        .to.throw(EngineError)
        .with.property('code', 'limit')
      table.remove(filters[7]!)
      expect(table.add(compile(web), 0, 0, 0)).to.be.a('number')
      expect(table.size).to.equal(50)
      for (const limit of [0, 65_537, 1.5]) expect(() => new FilterTable({ limit })).to.throw(RangeError)
    })

    it('refuses to remove a filter twice', () => {
      const table = new FilterTable()
      const filter = table.add(compile(web), 0, 0, 0)
      table.remove(filter)
      expect(() => table.remove(filter)).to.throw('not in the table')
      expect(() => table.remove(-1)).to.throw('not in the table')
    })

    it('rests when nothing is to be merged, and merges in slices', () => {
      const table = new FilterTable()
      for (let i = 0; i < 32; i++) table.add(compile(web), 0, 0, 0)
      expect(table.pending).to.equal(false)
      for (let i = 0; i < 2000; i++)
        table.add(
          compile({ to: `10.0.${i >> 8}.${i & 255}`, ...(i % 2 ? {} : { from: '10.0.0.0/9' }) }),
          0,
          i,
          0,
        )
      expect(table.pending).to.equal(true)
      let slices = 0
      while (table.work(200)) slices++
      expect(slices).to.be.above(50)
      expect([table.overlaySize, table.pending]).to.deep.equal([0, false])
    })

    it('forgets struck filters when there are many', () => {
      const table = new FilterTable()
      const filters = Array.from({ length: 1000 }, (_, i) =>
        table.add(compile({ to: `10.0.${i >> 8}.${i & 255}` }), 0, i, 0),
      )
      settle(table)
      const bytes = table.byteLength
      for (const each of filters.slice(0, 900)) table.remove(each)
      expect(table.pending).to.equal(true)
      settle(table)
      expect(table.byteLength).to.be.below(bytes)
      expect(table.payloadOf(find(table, packet('1.1.1.1', '10.0.3.231')))).to.equal(999)
      expect(find(table, packet('1.1.1.1', '10.0.0.1'))).to.equal(-1)
    })
  })

  describe('when it is asked for anything after any changes', () => {
    type Step =
      | { do: 'add'; filter: CompiledFilter; priority: number }
      | { do: 'remove'; which: number }
      | { do: 'work'; budget: number }
    const step: fc.Arbitrary<Step> = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant('add' as const),
          filter,
          priority: fc.integer({ min: -1, max: 2 }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat() }) },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('work' as const),
          budget: fc.constantFrom(1, 100, 1000, 1e6),
        }),
      },
    )

    it('agrees with a linear search, at every point of a merge', () => {
      const property = fc.property(
        fc.array(step, { minLength: 20, maxLength: 200, size: 'max' }),
        fc.array(probe, { minLength: 30, maxLength: 60 }),
        (steps, probes) => {
          const table = new FilterTable()
          const naive = new NaiveTable()
          const check = (each: Probe): void => {
            const found = find(table, each)
            const expected = naive.lookup(each)
            if (found !== expected) expect(found, JSON.stringify(each)).to.equal(expected)
          }
          for (const [i, each] of steps.entries()) {
            if (each.do === 'add')
              naive.add(table.add(each.filter, each.priority, i, 0), each.filter, each.priority)
            else if (each.do === 'work') table.work(each.budget)
            else if (naive.filters.length > 0) {
              const { id } = naive.filters[each.which % naive.filters.length]!
              table.remove(id)
              naive.remove(id)
            }
            for (let k = 0; k < 5; k++) check(probes[(i * 5 + k) % probes.length]!)
            expect(table.size).to.equal(naive.filters.length)
          }
          for (const each of probes) check(each)
          settle(table)
          for (const each of probes) check(each)
        },
      )
      fc.assert(property, { numRuns: 150 })
    })

    it('agrees with a linear search over thousands of filters', () => {
      const random = Random.fromSeed(11)
      const pick = <T>(values: readonly T[]): T => values[random.below(values.length)]!
      const draw = (): CompiledFilter => {
        const sourceMask = pick([
          0,
          0xffffffff,
          0xffffff00,
          0xffff0000,
          0xff000003,
          0x00000007,
          prefixMask(random.below(33)),
        ])
        const destinationMask = pick([
          0xffffffff,
          0xffffff00,
          0xfffe0000,
          0xffff00ff,
          prefixMask(random.below(33)),
        ])
        const from = pick([0, 0, 1024, 80])
        const to = pick([0, 80, 443, random.below(65_536)])
        return {
          sourceValue: (random.below(2 ** 20) & sourceMask) >>> 0,
          sourceMask,
          destinationValue: ((0xc6120000 + random.below(2 ** 12)) & destinationMask) >>> 0,
          destinationMask,
          protocol: pick([-1, TCP, UDP]),
          sourcePortFrom: from,
          sourcePortTo: from === 80 ? 80 : 65_535,
          destinationPortFrom: to,
          destinationPortTo: pick([to, 65_535]),
          inPort: pick([-1, -1, 0, 1]),
        }
      }
      const table = new FilterTable()
      const added: { id: number; filter: CompiledFilter; priority: number }[] = []
      for (let i = 0; i < 3000; i++) {
        const each = { filter: draw(), priority: random.below(3) }
        added.push({ id: table.add(each.filter, each.priority, i, 0), ...each })
        if (i % 100 === 0) table.work(3000)
      }
      settle(table)
      const naive = new NaiveTable()
      for (const [i, { id, filter: each, priority }] of added.entries()) {
        if (i % 5 === 0) table.remove(id)
        else naive.filters.push({ id, filter: each, priority, age: i })
      }
      naive.filters.sort(
        (a, b) => b.priority - a.priority || specificity(b.filter) - specificity(a.filter) || a.age - b.age,
      )
      let hits = 0
      for (let i = 0; i < 2000; i++) {
        const each = {
          source: random.below(2 ** 20),
          destination: 0xc6120000 + random.below(2 ** 12),
          ports: (pick([80, 1024, 40_000]) << 16) | pick([80, 443, random.below(65_536)]),
          protocol: pick([TCP, UDP, 1]),
          inPort: pick([-2, 0, 1, 2]),
          flags: 0,
        }
        const expected = naive.lookup(each)
        if (expected >= 0) hits++
        if (find(table, each) !== expected) expect(find(table, each), JSON.stringify(each)).to.equal(expected)
      }
      expect(hits).to.be.above(1000)
    })
  })
})
