import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { NEVER, SECOND } from '../../../engine/clock.ts'
import { dropCode, dropReason } from '../../../engine/drop-reason.ts'
import {
  FLAG_LATER_FRAGMENT,
  FLAG_RELATED,
  FLAGS,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  META_SHIFT,
  NEXT,
  NONE,
  type PacketSlab,
} from '../../../engine/packet.ts'
import { fragment } from '../../../engine/routing/fragment.ts'
import { FragmentEntries } from '../../../engine/routing/fragment-entries.ts'
import {
  FRAGMENT_HELD,
  FragmentTable,
  type FragmentTableOptions,
} from '../../../engine/routing/fragment-table.ts'
import {
  bytesOf,
  type DatagramOptions,
  datagram,
  icmpError,
  ip,
  pattern,
  receive,
  slabOf,
  udp,
} from './datagrams.ts'

interface Bench {
  readonly slab: PacketSlab
  readonly table: FragmentTable
  /** What the table gave up: reasons in order. */
  readonly dropped: string[]
}

function bench(options: Partial<FragmentTableOptions> = {}, capacity = 256): Bench {
  const slab = slabOf(capacity, 2048)
  const dropped: string[] = []
  const table = new FragmentTable(
    slab,
    (packet, code) => {
      dropped.push(dropReason(code)!)
      slab.release(packet)
    },
    { seed: 7, ...options },
  )
  return { slab, table, dropped }
}

/** The pieces of a datagram, as they would arrive. */
function piecesOf(inner: Uint8Array, mtu = 576): Uint8Array[] {
  const slab = slabOf(300)
  const pieces: Uint8Array[] = []
  for (let each = fragment(slab, receive(slab, inner), mtu); each !== NONE; )
    [pieces[pieces.length], each] = [bytesOf(slab, each), slab.meta[(each << META_SHIFT) + NEXT]]
  return pieces
}

/** Receives a fragment as ingress does. Returns what became of it, and what it released. */
function admit(
  { slab, table }: Bench,
  bytes: Uint8Array,
  now = 0,
): { said: string; packet: number; freed: number[] } {
  const packet = receive(slab, bytes)
  const later = (slab.meta[(packet << META_SHIFT) + FLAGS] & FLAG_LATER_FRAGMENT) !== 0
  const code = later ? table.recall(packet, now) : table.learn(packet, now)
  const freed: number[] = []
  for (let each = table.takeReleased(); each !== NONE; each = slab.meta[(each << META_SHIFT) + NEXT])
    freed.push(each)
  return { said: code === FRAGMENT_HELD ? 'held' : dropReason(code)!, packet, freed }
}

const portsOf = (slab: PacketSlab, packet: number): number => slab.meta[(packet << META_SHIFT) + KEY_PORTS]
const PORTS = (4000 << 16) | 53

describe('FragmentTable', () => {
  it('gives later fragments the ports of their first', () => {
    const b = bench()
    const [first, ...later] = piecesOf(udp(1400, { id: 5 }))
    expect(admit(b, first).said).to.equal('none')
    for (const each of later) {
      const { said, packet } = admit(b, each)
      expect(said).to.equal('none')
      expect(portsOf(b.slab, packet)).to.equal(PORTS)
    }
    expect(b.table.counters).to.include({ learnt: 1, recalled: 2, held: 0, refused: 0 })
  })

  it('holds those that come first and releases them in their order', () => {
    const b = bench()
    const [first, second, third] = piecesOf(udp(1400, { id: 5 }))
    const early = [third, second].map((each) => {
      const { said, packet } = admit(b, each)
      expect(said).to.equal('held')
      return packet
    })
    expect(b.table.held).to.equal(2)
    const { said, freed } = admit(b, first)
    expect(said).to.equal('none')
    expect(freed).to.deep.equal(early)
    for (const packet of freed) expect(portsOf(b.slab, packet)).to.equal(PORTS)
    expect(b.table.held).to.equal(0)
    expect(b.table.counters).to.include({ held: 2, released: 2 })
  })

  it('tells datagrams apart by source, destination, identification and protocol', () => {
    const b = bench()
    const same = { id: 5, from: '198.51.100.7', to: '192.192.1.1', protocol: 17 }
    admit(b, piecesOf(udp(1000, same))[0])
    const others: DatagramOptions[] = [
      { ...same, id: 6 },
      { ...same, from: '198.51.100.8' },
      { ...same, to: '192.192.1.2' },
      { ...same, protocol: 6 },
    ]
    for (const options of others)
      expect(admit(b, datagram(pattern(8), { ...options, fragmentOffset: 800 })).said).to.equal('held')
    expect(admit(b, datagram(pattern(8), { ...same, fragmentOffset: 800 })).said).to.equal('none')
  })

  it('needs no memory for protocols without ports', () => {
    const b = bench()
    const later = datagram(pattern(8), { protocol: 4, fragmentOffset: 800 })
    expect(admit(b, later).said).to.equal('none')
    expect(admit(b, datagram(pattern(8), { protocol: 4, moreFragments: true })).said).to.equal('none')
    expect(b.table.size).to.equal(0)
  })

  it('gives fragments of an ICMP error the key of the flow it speaks of', () => {
    const b = bench()
    const quote = udp(500, { from: '192.192.1.1', to: '198.51.100.7' })
    const message = icmpError(3, 1, 0, quote, { id: 3, to: '192.192.1.1' })
    const [first, later] = piecesOf(message, 300)
    const head = admit(b, first).packet
    const tail = admit(b, later).packet
    for (const field of [KEY_SOURCE, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL])
      expect(b.slab.meta[(tail << META_SHIFT) + field]).to.equal(b.slab.meta[(head << META_SHIFT) + field])
    expect(b.slab.meta[(tail << META_SHIFT) + KEY_SOURCE]).to.equal(ip('198.51.100.7') | 0)
    expect(b.slab.meta[(tail << META_SHIFT) + FLAGS] & FLAG_RELATED).to.equal(FLAG_RELATED)
  })

  describe('when fragments are hostile (RFC 1858, 3128)', () => {
    const [first, ...later] = piecesOf(udp(1400, { id: 5 }))

    it('refuses a fragment that overlaps the first, before it and after it', () => {
      const overlap = datagram(pattern(32), { id: 5, fragmentOffset: 8 })
      const after = bench()
      admit(after, first)
      expect(admit(after, overlap).said).to.equal('fragment-malformed')
      const before = bench()
      expect(admit(before, overlap).said).to.equal('held')
      expect(admit(before, later[0]).said).to.equal('held')
      expect(admit(before, first).freed).to.have.length(1)
      expect(before.dropped).to.deep.equal(['fragment-malformed'])
      expect(before.table.counters.refused).to.equal(1)
    })

    it('refuses a second first fragment that says something else', () => {
      const b = bench()
      admit(b, first)
      const ports = piecesOf(udp(1400, { id: 5, fromPort: 9 }))[0]
      const length = piecesOf(udp(1400, { id: 5 }), 400)[0]
      expect(admit(b, ports).said).to.equal('fragment-malformed')
      expect(admit(b, length).said).to.equal('fragment-malformed')
      expect(portsOf(b.slab, admit(b, later[0]).packet)).to.equal(PORTS)
    })

    it('lets copies of all fragments pass', () => {
      const b = bench()
      for (const each of [first, first, later[0], later[0], later[1], later[1]])
        expect(admit(b, each).said).to.equal('none')
      expect(b.table.size).to.equal(1)
    })

    it('lets an identification be used again once all bytes of the datagram went by', () => {
      const b = bench()
      for (const each of [later[1], first, later[0]]) admit(b, each)
      const again = piecesOf(udp(1400, { id: 5, fromPort: 9 }))
      expect(admit(b, again[0]).said).to.equal('none')
      expect(portsOf(b.slab, admit(b, again[1]).packet)).to.equal((9 << 16) | 53)
    })
  })

  describe('when its bounds are reached', () => {
    const lateOf = (id: number, offset = 800): Uint8Array =>
      datagram(pattern(8), { id, fragmentOffset: offset })
    const firstOf = (id: number): Uint8Array => piecesOf(udp(1000, { id }))[0]

    it('drops what waited too long as fragment-unknown, and forgets', () => {
      const b = bench({ lifetimeNs: 2 * SECOND })
      expect(b.table.pollAt()).to.equal(NEVER)
      admit(b, firstOf(1), 0)
      expect(b.table.pollAt()).to.equal(NEVER)
      admit(b, lateOf(2), SECOND)
      expect(b.table.pollAt()).to.equal(2 * SECOND)
      b.table.expire(2 * SECOND)
      expect(b.dropped).to.deep.equal([])
      expect(b.table.pollAt()).to.equal(3 * SECOND)
      b.table.expire(3 * SECOND)
      expect(b.dropped).to.deep.equal(['fragment-unknown'])
      expect([b.table.size, b.table.held, b.table.pollAt()]).to.deep.equal([0, 0, NEVER])
      expect(admit(b, lateOf(1), 3 * SECOND).said, 'forgotten').to.equal('held')
    })

    it('remembers so many datagrams: the oldest gives way, with what waits for it', () => {
      const b = bench({ datagrams: 3 })
      admit(b, lateOf(1))
      admit(b, firstOf(2))
      admit(b, firstOf(3))
      admit(b, firstOf(4))
      expect(b.dropped).to.deep.equal(['fragment-table-full'])
      expect(b.table.counters.evicted).to.equal(1)
      expect(b.table.size).to.equal(3)
      expect(admit(b, lateOf(3)).said).to.equal('none')
    })

    it('holds so many packets, in all and for one datagram', () => {
      const b = bench({ held: 4, heldPerDatagram: 2 })
      const said = [lateOf(1), lateOf(1, 808), lateOf(1, 816), lateOf(2), lateOf(3), lateOf(4)].map(
        (each) => admit(b, each).said,
      )
      expect(said).to.deep.equal([
        'held',
        'held',
        'fragment-table-full',
        'held',
        'held',
        'fragment-table-full',
      ])
      expect(b.table.size, 'no entry without a packet').to.equal(3)
    })

    it('gives everything back when it is cleared', () => {
      const b = bench()
      for (let id = 0; id < 10; id++) admit(b, id % 2 === 0 ? lateOf(id) : firstOf(id))
      b.table.clear(dropCode('engine-closed'), 0)
      expect(b.dropped).to.deep.equal(Array(5).fill('engine-closed'))
      expect(b.table.size).to.equal(0)
    })

    it('works with a single entry', () => {
      const b = bench({ datagrams: 1 })
      for (const id of [1, 2, 1]) {
        expect(admit(b, firstOf(id)).said).to.equal('none')
        expect(admit(b, lateOf(id)).said).to.equal('none')
      }
    })

    it('refuses sizes that it cannot have', () => {
      for (const datagrams of [0, 65_537, 1.5])
        expect(() => new FragmentEntries(datagrams, 0)).to.throw(RangeError)
    })
  })

  it('loses no packet and keeps its bounds, in any order of fragments of few identities', () => {
    const first = (id: number, port: number) => piecesOf(udp(600, { id, fromPort: port }), 300)[0]
    const step = fc.record({
      id: fc.integer({ min: 0, max: 5 }),
      kind: fc.constantFrom('first', 'other-first', 'middle', 'last', 'overlap'),
      waitMs: fc.constantFrom(0, 0, 0, 300, 1500),
    })
    const bytesFor = {
      first: (id: number) => first(id, 1),
      'other-first': (id: number) => first(id, 2),
      middle: (id: number) => datagram(pattern(280), { id, fragmentOffset: 280, moreFragments: true }),
      last: (id: number) => datagram(pattern(48), { id, fragmentOffset: 560 }),
      overlap: (id: number) => datagram(pattern(16), { id, fragmentOffset: 8, moreFragments: true }),
    }
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const b = bench({ datagrams: 4, held: 5, heldPerDatagram: 3, lifetimeNs: SECOND }, 64)
        let now = 0
        let passed = 0
        let refused = 0
        for (const { id, kind, waitMs } of steps) {
          now += waitMs * 1e6
          const { said, packet, freed } = admit(b, bytesFor[kind](id), now)
          for (const each of freed) {
            expect(portsOf(b.slab, each)).to.not.equal(0)
            b.slab.release(each)
          }
          passed += freed.length
          if (said === 'held') continue
          if (said === 'none') passed++
          else refused++
          if (said === 'none') expect(portsOf(b.slab, packet)).to.not.equal(0)
          b.slab.release(packet)
        }
        expect(passed + refused + b.dropped.length + b.table.held).to.equal(steps.length)
        expect(b.slab.available).to.equal(64 - b.table.held)
        expect(b.table.size).to.be.at.most(4)
        expect(b.table.held).to.be.at.most(5)
        b.table.clear(1, now)
        expect(b.slab.available).to.equal(64)
      }),
      { numRuns: 200 },
    )
  })
})
