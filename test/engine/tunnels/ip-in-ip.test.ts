import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { dropReason } from '../../../engine/drop-reason.ts'
import {
  FLAG_TTL_SPENT,
  FLAGS,
  IN_PORT,
  KEY_PORTS,
  LENGTH,
  META_SHIFT,
  NETWORK,
  ORIGINATED,
  type PacketSlab,
  START,
  TRANSPORT,
} from '../../../engine/packet.ts'
import { decapsulate, NEEDS_FRAGMENTS } from '../../../engine/tunnels/ip-in-ip.ts'
import {
  checksum,
  emitOuterHeader,
  parseNetwork,
  parsePacket,
  read16,
  read32,
} from '../../../engine/wire/index.ts'
import {
  bytesOf,
  type DatagramOptions,
  datagram,
  expectSoundHeader,
  frameOf,
  ip,
  pattern,
  receive,
  slabOf,
  udp,
} from '../routing/datagrams.ts'
import { frameOf as captured } from '../wire/samples.ts'
import { ENTRY, EXIT, OWN, tunnelOf } from './tunnel-lab.ts'

const NOT_CAPABLE = 0
const CAPABLE_1 = 1
const CAPABLE_0 = 2
const CONGESTION = 3

/** Enters a datagram; returns what `enter` said by name and the bytes that stand at NETWORK afterwards. */
function enter(inner: Uint8Array, { table, tunnel } = tunnelOf()): { said: string; outer: Uint8Array } {
  const slab = slabOf(1)
  const packet = receive(slab, inner)
  const code = table.enter(tunnel, slab, packet, 0)
  return { said: code < 0 ? 'needs-fragments' : dropReason(code)!, outer: bytesOf(slab, packet) }
}

/** A tunnel packet with this outer header around these bytes, as it would arrive at the exit. */
function encapsulated(inner: Uint8Array, options: DatagramOptions = {}): Uint8Array {
  return datagram(inner, { from: ENTRY, to: EXIT, protocol: 4, ...options })
}

/** Decapsulates a whole datagram; returns the reason and the inner bytes that came out. */
function leave(outer: Uint8Array, slab: PacketSlab = slabOf(1)): { said: string; inner: Uint8Array } {
  const packet = receive(slab, outer)
  const code = decapsulate(slab, packet)
  return { said: dropReason(code)!, inner: bytesOf(slab, packet) }
}

describe('IP-in-IP entry (R-SLR-10, R-PR-05)', () => {
  describe('RFC 2003 3.1, the outer header', () => {
    const inner = udp(100, { tos: 0xb8, id: 77, ttl: 9, options: Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0) })
    const { outer } = enter(inner)

    it('is sound: version 4, five words, total length of all, checksum', () => {
      expectSoundHeader(outer)
      expect(outer[0]).to.equal(0x45)
      expect(outer.length).to.equal(inner.length + 20)
    })
    it('copies TOS from the inner header', () => expect(outer[1]).to.equal(0xb8))
    it('has protocol 4', () => expect(outer[9]).to.equal(4))
    it('has the entry as source and the exit as destination', () => {
      expect(read32(outer, 12)).to.equal(ip(ENTRY))
      expect(read32(outer, 16)).to.equal(ip(EXIT))
    })
    it('has the TTL that reaches the exit, not the inner one', () => {
      expect(outer[8]).to.equal(64)
      expect(enter(inner, tunnelOf({ ttl: 3 })).outer[8]).to.equal(3)
    })
    it('copies no inner options', () => expect(outer[20] & 15).to.equal(7))
    it('leaves the inner datagram as it is, TTL and options included', () =>
      expect(outer.slice(20)).to.deep.equal(inner))

    it('has an identification of its own, another one for each datagram', () => {
      const { table, tunnel } = tunnelOf()
      const seen = new Set(
        Array.from({ length: 1000 }, () => read16(enter(inner, { table, tunnel }).outer, 4)),
      )
      expect(seen.size).to.equal(1000)
    })

    it('has a right checksum with each of all 65,536 identifications', () => {
      const { table, tunnel } = tunnelOf()
      const slab = slabOf(1)
      const packet = receive(slab, udp(64, { tos: 0xff }))
      const meta = slab.meta.slice(0, 16)
      const seen = new Set<number>()
      let wrong = 0
      for (let i = 0; i < 65_536; i++) {
        slab.meta.set(meta)
        table.enter(tunnel, slab, packet, 0)
        const header = slab.meta[NETWORK]
        seen.add(read16(slab.bytes, header + 4))
        if (checksum(slab.bytes, header, header + 20) !== 0) wrong++
      }
      expect([wrong, seen.size]).to.deep.equal([0, 65_536])
    })

    for (const { inner: df, always, outer: expected } of [
      { inner: true, always: false, outer: true },
      { inner: false, always: false, outer: false },
      { inner: true, always: true, outer: true },
      { inner: false, always: true, outer: true },
    ])
      it(`sets outer DF ${expected} for inner DF ${df}${always ? ' where DF is always wanted (5.1)' : ''}`, () => {
        const { said, outer: bytes } = enter(
          udp(10, { dontFragment: df }),
          tunnelOf({}, { alwaysDontFragment: always }),
        )
        expect(said).to.equal('none')
        expect((bytes[6] & 0x40) !== 0).to.equal(expected)
        expectSoundHeader(bytes)
      })

    it('never carries a datagram with TTL 0', () => {
      const slab = slabOf(1)
      const packet = receive(slab, udp(10, { ttl: 0 }))
      const { table, tunnel } = tunnelOf()
      expect(dropReason(table.enter(tunnel, slab, packet, 0))).to.equal('tunnel-ttl')
    })
    it('carries one whose TTL became 1', () => expect(enter(udp(10, { ttl: 1 })).said).to.equal('none'))
  })

  describe('RFC 6040 4.1, normal mode', () => {
    for (const ecn of [NOT_CAPABLE, CAPABLE_1, CAPABLE_0, CONGESTION])
      it(`copies ECN ${ecn} from the inner header`, () => {
        const { outer } = enter(udp(10, { tos: 0x28 | ecn }))
        expect(outer[1]).to.equal(0x28 | ecn)
        expect(outer[21]).to.equal(0x28 | ecn)
      })
  })

  describe('RFC 2003 3.2, routing failures', () => {
    const cases = [
      {
        title: "refuses another interface's address of this router as source",
        from: OWN,
        said: 'tunnel-recursion',
      },
      { title: 'refuses the entry as source', from: ENTRY, said: 'tunnel-recursion' },
      { title: 'refuses the exit as source', from: EXIT, said: 'tunnel-recursion' },
      { title: 'carries any other source', from: '10.0.0.3', said: 'none' },
    ]
    for (const { title, from, said } of cases)
      it(title, () => {
        const inner = udp(10, { from })
        const result = enter(inner)
        expect(result.said).to.equal(said)
        if (said !== 'none') expect(result.outer, 'unchanged').to.deep.equal(inner)
      })

    it('carries what the router itself says', () => {
      const { table, tunnel } = tunnelOf()
      const slab = slabOf(1)
      const packet = receive(slab, udp(10, { from: OWN }), ORIGINATED)
      expect(slab.meta[(packet << META_SHIFT) + IN_PORT]).to.equal(ORIGINATED)
      expect(table.enter(tunnel, slab, packet, 0)).to.equal(0)
    })

    it('ends a loop of tunnels where the headroom ends, inside its own frame', () => {
      const { table, tunnel } = tunnelOf()
      const slab = slabOf(2, 512)
      slab.allocate()
      const packet = receive(slab, udp(10))
      const before = slab.bytes.slice(0, 512)
      let entered = 0
      while (table.enter(tunnel, slab, packet, 0) === 0) {
        slab.meta[(packet << META_SHIFT) + IN_PORT] = ORIGINATED
        entered++
        expect(entered).to.be.below(20)
      }
      expect(dropReason(table.enter(tunnel, slab, packet, 0))).to.equal('tunnel-recursion')
      expect(entered).to.equal(6)
      expect(slab.meta[(packet << META_SHIFT) + START]).to.be.at.least(512)
      expect(slab.bytes.slice(0, 512)).to.deep.equal(before)
    })
  })

  describe('RFC 2003 5.1, the tunnel MTU', () => {
    it('carries what fits exactly', () =>
      expect(enter(udp(1452, { dontFragment: true })).said).to.equal('none'))
    it('refuses a byte more with DF', () =>
      expect(enter(udp(1453, { dontFragment: true })).said).to.equal('fragmentation-needed'))
    it('asks for fragments without DF', () => expect(enter(udp(1453)).said).to.equal('needs-fragments'))
    it('tells the MTU less the outer header', () => {
      const { table, tunnel } = tunnelOf({ mtu: 1400 })
      expect(table.innerMtu(tunnel, 0)).to.equal(1380)
    })
    it('keeps the packet unchanged when it does not fit', () => {
      const inner = udp(1453, { dontFragment: true })
      expect(enter(inner).outer).to.deep.equal(inner)
      expect(NEEDS_FRAGMENTS).to.be.below(0)
    })
  })

  it('leaves START, LENGTH, NETWORK and TRANSPORT at the outer header, flags and key at the inner', () => {
    const slab = slabOf(1)
    const packet = receive(slab, udp(10))
    const at = packet << META_SHIFT
    const network = slab.meta[at + NETWORK]
    slab.meta[at + FLAGS] |= FLAG_TTL_SPENT
    const { table, tunnel } = tunnelOf()
    expect(table.enter(tunnel, slab, packet, 0)).to.equal(0)
    expect(slab.meta[at + NETWORK]).to.equal(network - 20)
    expect(slab.meta[at + START]).to.equal(network - 34)
    expect(slab.meta[at + LENGTH]).to.equal(14 + 20 + 38)
    expect(slab.meta[at + TRANSPORT]).to.equal(network)
    expect(slab.meta[at + FLAGS]).to.equal(FLAG_TTL_SPENT)
    expect(slab.meta[at + KEY_PORTS]).to.equal((4000 << 16) | 53)
  })

  it('writes the same header from bytes where the datagram is not aligned', () => {
    const inner = udp(33, { tos: 3, dontFragment: true })
    const aligned = enter(inner).outer
    const slab = slabOf(1)
    const packet = slab.load(new Uint8Array(14 + inner.length + 1))
    const at = packet << META_SHIFT
    slab.meta[at + NETWORK] = slab.meta[at + START] + 15
    slab.meta[at + START] += 1
    slab.bytes.set(inner, slab.meta[at + NETWORK])
    slab.meta[at + LENGTH] = inner.length + 14
    const { table, tunnel } = tunnelOf()
    expect(table.enter(tunnel, slab, packet, 0)).to.equal(0)
    expect(bytesOf(slab, packet)).to.deep.equal(aligned)
    slab.bytes.set(Uint8Array.of(10, 0, 0, 2), slab.meta[at + NETWORK] + 32)
    slab.meta[at + NETWORK] += 20
    expect(dropReason(table.enter(tunnel, slab, packet, 0))).to.equal('tunnel-recursion')
  })

  it('writes what the wire room writes', () => {
    const fields = fc.record({
      tos: fc.integer({ min: 0, max: 255 }),
      ttl: fc.integer({ min: 1, max: 255 }),
      dontFragment: fc.boolean(),
      length: fc.integer({ min: 0, max: 1400 }),
    })
    const { table, tunnel } = tunnelOf({ ttl: 17 })
    fc.assert(
      fc.property(fields, ({ length, ...header }) => {
        const inner = datagram(pattern(length), { protocol: 99, ...header })
        const { outer } = enter(inner, { table, tunnel })
        const expected = new Uint8Array(20)
        emitOuterHeader(expected, 0, 20, 0, 0, 17, 0)
        const whole = new Uint8Array(20 + inner.length)
        whole.set(inner, 20)
        emitOuterHeader(whole, 0, 20, ip(ENTRY), ip(EXIT), 17, read16(outer, 4))
        expect(outer).to.deep.equal(whole)
      }),
      { numRuns: 200 },
    )
  })
})

describe('IP-in-IP exit (R-SLR-10, R-PR-05)', () => {
  it('yields the inner datagram, without what follows it', () => {
    const inner = udp(50)
    const padded = new Uint8Array(inner.length + 9)
    padded.set(inner)
    const { said, inner: out } = leave(encapsulated(padded))
    expect(said).to.equal('none')
    expect(out).to.deep.equal(inner)
  })

  it('reads a datagram encapsulated elsewhere, twice when it is nested', () => {
    for (const [name, times] of [
      ['ipip', 1],
      ['ipip2', 2],
    ] as const) {
      const slab = slabOf(1)
      const packet = slab.load(captured(name))
      expect(parsePacket(slab, packet)).to.equal(0)
      for (let i = 0; i < times; i++) {
        expect(decapsulate(slab, packet)).to.equal(0)
        expect(parseNetwork(slab, packet)).to.equal(0)
      }
      const inner = bytesOf(slab, packet)
      expectSoundHeader(inner)
      expect(read32(inner, 12)).to.equal(ip('198.51.100.7'))
      expect(inner[8]).to.equal(57)
    }
  })

  it('skips options of the outer header', () => {
    const inner = udp(8)
    expect(leave(encapsulated(inner, { options: Uint8Array.of(148, 4, 0, 0) })).inner).to.deep.equal(inner)
  })

  describe('RFC 6040 4.2, ECN at the exit', () => {
    // Inner, then outer Not-ECT, ECT(1), ECT(0), CE: what comes out, -1 for a drop (figure 4).
    const table = [
      { inner: NOT_CAPABLE, out: [NOT_CAPABLE, NOT_CAPABLE, NOT_CAPABLE, -1] },
      { inner: CAPABLE_1, out: [CAPABLE_1, CAPABLE_1, CAPABLE_1, CONGESTION] },
      { inner: CAPABLE_0, out: [CAPABLE_0, CAPABLE_1, CAPABLE_0, CONGESTION] },
      { inner: CONGESTION, out: [CONGESTION, CONGESTION, CONGESTION, CONGESTION] },
    ]
    for (const { inner: innerEcn, out } of table)
      for (const [outerEcn, expected] of out.entries())
        it(`inner ${innerEcn}, outer ${outerEcn}: ${expected < 0 ? 'drops' : `forwards ${expected}`}`, () => {
          const inner = udp(5, { tos: 0x28 | innerEcn })
          const { said, inner: bytes } = leave(encapsulated(inner, { tos: 0xb8 | outerEcn }))
          if (expected < 0) return expect(said).to.equal('tunnel-ecn')
          expect(said).to.equal('none')
          expect(bytes[1]).to.equal(0x28 | expected)
          expectSoundHeader(bytes)
        })
  })

  describe('when what is inside is no datagram', () => {
    const inner = udp(20)
    const broken = (at: number, value: number): Uint8Array => {
      const bytes = Uint8Array.from(inner)
      bytes[at] = value
      return bytes
    }
    const cases: readonly [string, Uint8Array, string][] = [
      ['nothing', new Uint8Array(0), 'tunnel-malformed'],
      ['less than a header', inner.slice(0, 19), 'tunnel-malformed'],
      ['another version', broken(0, 0x65), 'tunnel-malformed'],
      ['a header of four words', broken(0, 0x44), 'tunnel-malformed'],
      ['a length below its header', broken(3, 19), 'tunnel-malformed'],
      ['a length beyond the outer datagram', inner.slice(0, inner.length - 1), 'tunnel-malformed'],
      ['TTL 0 (RFC 2003 3.1)', broken(8, 0), 'tunnel-ttl'],
    ]
    for (const [title, payload, reason] of cases)
      it(`drops ${title} as ${reason}`, () => {
        const outer = encapsulated(payload)
        const { said, inner: bytes } = leave(outer)
        expect(said).to.equal(reason)
        expect(bytes, 'unchanged').to.deep.equal(outer)
      })

    it('drops a fragment of an outer datagram as tunnel-fragmented', () => {
      expect(leave(encapsulated(udp(20), { moreFragments: true })).said).to.equal('tunnel-fragmented')
      expect(leave(encapsulated(udp(20), { fragmentOffset: 8 })).said).to.equal('tunnel-fragmented')
    })
    it('drops another protocol as tunnel-malformed', () =>
      expect(leave(encapsulated(udp(20), { protocol: 41 })).said).to.equal('tunnel-malformed'))
  })

  it('gives back every byte that entered, TTL and ECN included where no mark was set on the way (R-SLR-05)', () => {
    const fields = fc.record({
      tos: fc.integer({ min: 0, max: 255 }),
      id: fc.integer({ min: 0, max: 0xffff }),
      dontFragment: fc.boolean(),
      moreFragments: fc.boolean(),
      fragmentOffset: fc.integer({ min: 0, max: 1000 }).map((words) => words * 8),
      ttl: fc.integer({ min: 1, max: 255 }),
      protocol: fc.integer({ min: 90, max: 255 }),
      options: fc.option(
        fc.integer({ min: 1, max: 10 }).map((words) => new Uint8Array(words * 4).fill(1)),
        { nil: undefined },
      ),
    })
    const { table, tunnel } = tunnelOf({ mtu: 2000 })
    fc.assert(
      fc.property(fields, fc.integer({ min: 1, max: 200 }), (header, words) => {
        const inner = datagram(pattern(words * 8), header)
        const slab = slabOf(1)
        const packet = receive(slab, inner)
        expect(table.enter(tunnel, slab, packet, 0)).to.equal(0)
        const outer = bytesOf(slab, packet)
        expectSoundHeader(outer)
        const far = slabOf(1)
        const arrived = receive(far, outer)
        expect(decapsulate(far, arrived)).to.equal(0)
        expect(bytesOf(far, arrived)).to.deep.equal(inner)
        expect(parseNetwork(far, arrived)).to.equal(0)
      }),
      { numRuns: 300 },
    )
  })

  it('never throws nor reads or writes beside its frame, whatever is inside', () => {
    const payloads = fc.uint8Array({ maxLength: 200 }).map((bytes) => {
      if (bytes.length > 20 && (bytes[19] & 1) === 0) bytes[0] = 0x45
      if (bytes.length > 20 && (bytes[19] & 2) === 0) bytes[2] = 0
      return bytes
    })
    fc.assert(
      fc.property(payloads, fc.integer({ min: 0, max: 255 }), (payload, tos) => {
        const slab = slabOf(3, 512)
        slab.allocate()
        const packet = receive(slab, encapsulated(payload, { tos }))
        slab.bytes.fill(0xee, 1024)
        const code = decapsulate(slab, packet)
        expect(dropReason(code)).to.be.a('string')
        expect(slab.bytes.subarray(0, 512).every((byte) => byte === 0)).to.equal(true)
        expect(slab.bytes.subarray(1024).every((byte) => byte === 0xee)).to.equal(true)
        if (code !== 0) return
        const at = packet << META_SHIFT
        const end = slab.meta[at + START] + slab.meta[at + LENGTH]
        expect(end).to.be.at.most(512 + 144 + 20 + payload.length)
        expect(slab.meta[at + START]).to.be.at.least(512)
        parseNetwork(slab, packet)
      }),
      { numRuns: 500 },
    )
  })

  it('keeps a wrong inner checksum wrong when it rewrites ECN', () => {
    const inner = udp(5, { tos: CAPABLE_0 })
    inner[10] ^= 0x55
    const { said, inner: bytes } = leave(encapsulated(inner, { tos: CONGESTION }))
    expect(said).to.equal('none')
    expect(bytes[1]).to.equal(CONGESTION)
    expect(checksum(bytes, 0, 20)).to.not.equal(0)
    expect(frameOf(bytes).length).to.equal(bytes.length + 14)
  })
})
