import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { NEVER, SECOND } from '../../../engine/clock.ts'
import { dropCode, dropReason } from '../../../engine/drop-reason.ts'
import { META_SHIFT, NETWORK, NEXT, NONE, type PacketSlab } from '../../../engine/packet.ts'
import { fragment } from '../../../engine/routing/fragment.ts'
import { Reassembly, type ReassemblyOptions } from '../../../engine/routing/reassembly.ts'
import { decapsulate } from '../../../engine/tunnels/ip-in-ip.ts'
import { parseNetwork } from '../../../engine/wire/index.ts'
import { bytesOf, type DatagramOptions, datagram, pattern, receive, slabOf, udp } from './datagrams.ts'

interface Bench {
  readonly slab: PacketSlab
  readonly reassembly: Reassembly
  readonly dropped: string[]
}

function bench(options: ReassemblyOptions = {}, slab = slabOf(64)): Bench {
  const dropped: string[] = []
  const drop = (packet: number, code: number): void => {
    dropped.push(dropReason(code)!)
    slab.release(packet)
  }
  return { slab, reassembly: new Reassembly(slab, drop, options), dropped }
}

/** Takes fragments in; returns the whole datagrams that came out. */
function collect({ slab, reassembly }: Bench, fragments: readonly Uint8Array[], now = 0): Uint8Array[] {
  return fragments.flatMap((each) => {
    const whole = reassembly.collect(receive(slab, each), now)
    if (whole === NONE) return []
    expect(parseNetwork(slab, whole), 'parses').to.equal(0)
    const bytes = bytesOf(slab, whole)
    slab.release(whole)
    return [bytes]
  })
}

function piecesOf(inner: Uint8Array, mtu: number): Uint8Array[] {
  const slab = slabOf(64)
  const pieces: Uint8Array[] = []
  for (let each = fragment(slab, receive(slab, inner), mtu); each !== NONE; ) {
    pieces.push(bytesOf(slab, each))
    each = slab.meta[(each << META_SHIFT) + NEXT]
  }
  return pieces
}

const part = (offset: number, length: number, more: boolean, options: DatagramOptions = {}): Uint8Array =>
  datagram(pattern(length), { id: 5, protocol: 99, fragmentOffset: offset, moreFragments: more, ...options })

describe('Reassembly', () => {
  it('puts together what fragment took apart, in any order, with copies (R-SLR-05)', () => {
    const shape = fc.record({
      length: fc.integer({ min: 0, max: 1700 }),
      mtu: fc.integer({ min: 80, max: 1000 }),
      options: fc.constantFrom<number[]>([], [148, 4, 0, 0], [7, 7, 4, 0, 0, 0, 0, 0]),
      order: fc.array(fc.nat(), { minLength: 1, maxLength: 60 }),
    })
    fc.assert(
      fc.property(shape, ({ length, mtu, options, order }) => {
        const inner = udp(length, { id: 9, options: Uint8Array.from(options) })
        const pieces = piecesOf(inner, mtu)
        if (pieces.length === 1) return
        // Every piece at least once, in an order of the generator's choosing.
        const drawn = order.map((pick) => pieces[pick % pieces.length])
        const b = bench()
        const out = collect(b, [...drawn, ...pieces])
        expect(out.length).to.be.at.least(1)
        for (const each of out) expect(each).to.deep.equal(inner)
        b.reassembly.clear(1, 0)
        expect(b.slab.available).to.equal(64)
      }),
      { numRuns: 200 },
    )
  })

  it('holds one packet for a datagram, whatever its fragments', () => {
    const b = bench()
    const pieces = piecesOf(udp(1400), 300)
    for (const [i, piece] of pieces.slice(0, -1).entries()) {
      expect(collect(b, [piece])).to.have.length(0)
      expect([b.reassembly.held, 64 - b.slab.available]).to.deep.equal([1, 1])
      expect(b.reassembly.counters.merged).to.equal(i)
    }
    expect(collect(b, pieces.slice(-1))).to.have.length(1)
    expect(b.reassembly.counters).to.include({ whole: 1, merged: pieces.length - 1 })
    expect(b.slab.available).to.equal(64)
  })

  it('tells datagrams apart by source, destination, identification and protocol', () => {
    const b = bench()
    const variants = [{}, { id: 6 }, { from: '198.51.100.8' }, { to: '192.192.1.2' }, { protocol: 98 }]
    for (const each of variants) collect(b, [part(0, 16, true, each)])
    expect(b.reassembly.held).to.equal(5)
    for (const each of variants) expect(collect(b, [part(16, 3, false, each)])).to.have.length(1)
    expect(b.reassembly.held).to.equal(0)
  })

  it('makes a fragmented tunnel packet fit to leave its tunnel', () => {
    const inner = udp(1200, { dontFragment: true })
    const outer = datagram(inner, { from: '10.0.0.1', to: '10.0.0.2', protocol: 4, id: 3 })
    const { slab, reassembly } = bench()
    let whole = NONE
    for (const piece of piecesOf(outer, 600).reverse()) whole = reassembly.collect(receive(slab, piece), 0)
    expect(parseNetwork(slab, whole)).to.equal(0)
    expect(slab.meta[(whole << META_SHIFT) + NETWORK] % 4, 'aligned').to.equal(0)
    expect(decapsulate(slab, whole)).to.equal(0)
    expect(bytesOf(slab, whole)).to.deep.equal(inner)
  })

  it('works in the frame of a fragment that left a tunnel itself, its header deep in the frame', () => {
    const inner = udp(600, { id: 9 })
    const b = bench()
    let whole = NONE
    for (const piece of piecesOf(inner, 300)) {
      let nested = piece
      for (let i = 0; i < 4; i++) nested = datagram(nested, { from: '10.0.0.1', to: '10.0.0.2', protocol: 4 })
      const packet = receive(b.slab, nested)
      for (let i = 0; i < 4; i++) {
        expect(decapsulate(b.slab, packet)).to.equal(0)
        expect(parseNetwork(b.slab, packet)).to.equal(0)
      }
      whole = b.reassembly.collect(packet, 0)
    }
    expect(bytesOf(b.slab, whole)).to.deep.equal(inner)
  })

  it('marks the datagram when any fragment was marked (RFC 3168 5.3)', () => {
    const b = bench()
    const [whole] = collect(b, [part(0, 16, true, { tos: 0x2a }), part(16, 8, false, { tos: 0x2b })])
    expect(whole[1]).to.equal(0x2b)
  })

  describe('when fragments contradict each other', () => {
    const cases: readonly [string, Uint8Array[]][] = [
      ['overlap in part, from below', [part(16, 16, true), part(8, 16, true)]],
      ['overlap in part, from above', [part(8, 16, true), part(16, 16, true)]],
      ['go beyond the last', [part(16, 8, false), part(24, 8, true)]],
      ['have two different ends', [part(16, 8, false), part(24, 8, false)]],
      ['end before what is there', [part(32, 8, true), part(8, 8, false)]],
      ['say of one range that it is and is not the last', [part(16, 8, true), part(16, 8, false)]],
      ['say so the other way round', [part(16, 8, false), part(16, 8, true)]],
      ['end within the same eight bytes', [part(16, 5, false), part(16, 4, false)]],
    ]
    for (const [title, fragments] of cases)
      it(`gives the datagram up when they ${title}`, () => {
        const b = bench()
        expect(collect(b, fragments)).to.have.length(0)
        expect(b.dropped).to.deep.equal(['fragment-malformed', 'fragment-malformed'])
        expect(b.reassembly.counters.refused).to.equal(1)
        expect(b.slab.available).to.equal(64)
      })

    it('drops a copy and keeps what came first', () => {
      const b = bench()
      const first = part(0, 16, true)
      const copy = Uint8Array.from(first)
      copy.fill(0xff, 20)
      const [whole] = collect(b, [first, copy, part(16, 8, false)])
      expect(whole.slice(20, 36)).to.deep.equal(pattern(16))
      expect(b.dropped).to.deep.equal(['fragment-malformed'])
    })

    it('gives up a datagram that no frame can hold', () => {
      const b = bench()
      expect(collect(b, [part(0, 16, true), part(1840, 8, false)])).to.have.length(0)
      expect(b.dropped).to.deep.equal(['frame-oversized', 'frame-oversized'])
      expect(collect(b, [part(65_000, 8, false)])).to.have.length(0)
      expect(b.dropped).to.have.length(3)
      expect(b.slab.available).to.equal(64)
    })
  })

  describe('when its bounds are reached', () => {
    it('gives up what takes too long', () => {
      const b = bench({ lifetimeNs: 3 * SECOND })
      expect(b.reassembly.pollAt()).to.equal(NEVER)
      collect(b, [part(0, 16, true)], 0)
      collect(b, [part(0, 16, true, { id: 6 })], SECOND)
      expect(b.reassembly.pollAt()).to.equal(3 * SECOND)
      b.reassembly.expire(3 * SECOND)
      expect(b.dropped).to.deep.equal(['fragment-expired'])
      expect(b.reassembly.pollAt()).to.equal(4 * SECOND)
      expect(collect(b, [part(16, 8, false)], 3 * SECOND), 'too late').to.have.length(0)
      expect(collect(b, [part(16, 8, false, { id: 6 })], 3 * SECOND)).to.have.length(1)
    })
    it('lets the oldest give way', () => {
      const b = bench({ datagrams: 2 })
      for (const id of [1, 2, 3]) collect(b, [part(0, 16, true, { id })], id)
      expect(b.dropped).to.deep.equal(['fragment-table-full'])
      expect(b.reassembly.counters.evicted).to.equal(1)
      expect(collect(b, [part(16, 8, false, { id: 2 })], 4)).to.have.length(1)
    })
    it('gives everything back when it is cleared', () => {
      const b = bench()
      for (const id of [1, 2, 3]) collect(b, [part(0, 16, true, { id })])
      b.reassembly.clear(dropCode('engine-closed'), 0)
      expect(b.dropped).to.deep.equal(Array(3).fill('engine-closed'))
      expect([b.slab.available, b.reassembly.held]).to.deep.equal([64, 0])
    })
    it('refuses sizes that it cannot have', () => {
      for (const datagrams of [0, 1025, 1.5]) expect(() => bench({ datagrams })).to.throw(RangeError)
    })
  })

  it('loses no packet and writes in no other frame, whatever comes (fuzz)', () => {
    const step = fc.record({
      id: fc.integer({ min: 1, max: 3 }),
      block: fc.integer({ min: 0, max: 30 }),
      blocks: fc.integer({ min: 1, max: 12 }),
      more: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const slab = slabOf(8, 512)
        const neighbour = slab.allocate()
        slab.bytes.fill(0xee, neighbour * 512, (neighbour + 1) * 512)
        const b = bench({ datagrams: 2 }, slab)
        let whole = 0
        let taken = 0
        for (const [i, { id, block, blocks, more }] of steps.entries()) {
          if (block === 0 && !more) continue
          taken++
          whole += collect(b, [part(block * 8, blocks * 8, more, { id })], i).length
          expect(b.slab.available).to.equal(7 - b.reassembly.held)
        }
        expect(slab.bytes.subarray(0, 512).every((byte) => byte === 0xee)).to.equal(true)
        expect(slab.bytes.subarray(5 * 512).every((byte) => byte === 0)).to.equal(true)
        const { merged } = b.reassembly.counters
        expect(whole + merged + b.dropped.length + b.reassembly.held).to.equal(taken)
      }),
      { numRuns: 300 },
    )
  })
})
