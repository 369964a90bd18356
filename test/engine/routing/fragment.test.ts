import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { dropReason } from '../../../engine/drop-reason.ts'
import {
  CLASS,
  FLAG_FRAGMENT,
  FLAG_LATER_FRAGMENT,
  FLAGS,
  IN_PORT,
  KEY_PORTS,
  META_SHIFT,
  NETWORK,
  NEXT,
  NONE,
  type PacketSlab,
  START,
  TRANSPORT,
} from '../../../engine/packet.ts'
import { fragment } from '../../../engine/routing/fragment.ts'
import { parsePacket, read16, write16 } from '../../../engine/wire/index.ts'
import { bytesOf, datagram, expectSoundHeader, pattern, receive, slabOf, udp } from './datagrams.ts'
import { reassemble } from './reassemble.ts'

const RECORD_ROUTE = [7, 7, 4, 0, 0, 0, 0]
const ROUTER_ALERT = [148, 4, 0, 0]
const SECURITY = [130, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9]
const NO_OPERATION = 1

function piecesOf(slab: PacketSlab, head: number): number[] {
  const pieces: number[] = []
  for (let each = head; each !== NONE; each = slab.meta[(each << META_SHIFT) + NEXT]) pieces.push(each)
  return pieces
}

function cut(inner: Uint8Array, mtu: number): Uint8Array[] {
  const slab = slabOf(300)
  const head = fragment(slab, receive(slab, inner), mtu)
  expect(head, 'fragments').to.be.at.least(0)
  return piecesOf(slab, head).map((piece) => bytesOf(slab, piece))
}

describe('fragment', () => {
  it('cuts a datagram into pieces that RFC 791 puts together again', () => {
    const inner = udp(1400, { id: 4711, tos: 0x28, ttl: 9 })
    const pieces = cut(inner, 576)
    expect(pieces.map((each) => each.length)).to.deep.equal([572, 572, 324])
    expect(pieces.map((each) => read16(each, 6))).to.deep.equal([0x2000, 0x2000 | 69, 138])
    for (const piece of pieces) {
      expectSoundHeader(piece)
      expect([piece[1], read16(piece, 4), piece[8], piece[9]]).to.deep.equal([0x28, 4711, 9, 17])
    }
    expect(reassemble(pieces)).to.deep.equal(inner)
  })

  it('does so for any datagram, options and MTU', () => {
    const shape = fc.record({
      length: fc.integer({ min: 0, max: 1700 }),
      mtu: fc.integer({ min: 68, max: 1800 }),
      options: fc.constantFrom<number[]>([], ROUTER_ALERT, RECORD_ROUTE, [...SECURITY, ...ROUTER_ALERT]),
    })
    fc.assert(
      fc.property(shape, ({ length, mtu, options }) => {
        const inner = datagram(pattern(length), { protocol: 99, options: Uint8Array.from(options) })
        const pieces = cut(inner, mtu)
        for (const piece of pieces) {
          expectSoundHeader(piece)
          expect(piece.length).to.be.at.most(mtu)
        }
        expect(reassemble(pieces)).to.deep.equal(inner)
        if (inner.length <= mtu) expect(pieces).to.deep.equal([inner])
      }),
      { numRuns: 300 },
    )
  })

  it('cuts fragments further: any of them, in any depth', () => {
    const inner = udp(1600, { id: 9 })
    const once = cut(inner, 900)
    const twice = once.flatMap((each) => cut(each, 300))
    const thrice = twice.flatMap((each) => cut(each, 68))
    expect(thrice.length).to.be.above(30)
    expect(reassemble(thrice.reverse())).to.deep.equal(inner)
  })

  it('copies the options that are marked so, and only those, into later pieces (RFC 791 3.1)', () => {
    const options = Uint8Array.from([
      NO_OPERATION,
      ...RECORD_ROUTE,
      ...SECURITY,
      NO_OPERATION,
      ...ROUTER_ALERT,
    ])
    const inner = datagram(pattern(400), { protocol: 99, options })
    const [first, second] = cut(inner, 200)
    expect(first.slice(20, 44)).to.deep.equal(inner.slice(20, 44))
    expect(second[0] & 15).to.equal(9)
    expect([...second.slice(20, 36)]).to.deep.equal([...SECURITY, ...ROUTER_ALERT, 0])
  })

  it('copies nothing behind a malformed option', () => {
    for (const options of [
      [...ROUTER_ALERT, 131, 1, 0, 0, 148, 4, 0, 0],
      [...ROUTER_ALERT, 131, 99, 0, 0],
      [...ROUTER_ALERT, 0, 148, 4, 0],
      [...ROUTER_ALERT, 1, 1, 1, 131],
    ]) {
      const slab = slabOf(16)
      const inner = datagram(pattern(400), { protocol: 99, options: Uint8Array.from(options) })
      const packet = slab.load(new Uint8Array(14 + inner.length))
      const at = packet << META_SHIFT
      slab.meta[at + NETWORK] = slab.meta[at + START] + 14
      slab.bytes.set(inner, slab.meta[at + NETWORK])
      const [, second] = piecesOf(slab, fragment(slab, packet, 200)).map((piece) => bytesOf(slab, piece))
      expect(second[0] & 15).to.equal(6)
      expect([...second.slice(20, 24)]).to.deep.equal(ROUTER_ALERT)
    }
  })

  it('gives every piece the state of its datagram, and flags of its own', () => {
    const slab = slabOf(8)
    const packet = receive(slab, udp(1000), 3)
    slab.meta[(packet << META_SHIFT) + CLASS] = 5
    slab.time[packet] = 77
    const pieces = piecesOf(slab, fragment(slab, packet, 576))
    for (const [i, piece] of pieces.entries()) {
      const at = piece << META_SHIFT
      expect(slab.meta[at + IN_PORT]).to.equal(3)
      expect(slab.meta[at + CLASS]).to.equal(5)
      expect(slab.meta[at + KEY_PORTS]).to.equal((4000 << 16) | 53)
      expect(slab.meta[at + FLAGS]).to.equal(i === 0 ? FLAG_FRAGMENT : FLAG_FRAGMENT | FLAG_LATER_FRAGMENT)
      expect(slab.meta[at + TRANSPORT]).to.equal(slab.meta[at + NETWORK] + 20)
      expect(slab.time[piece]).to.equal(77)
      write16(slab.bytes, slab.meta[at + START] + 12, 0x0800)
      expect(parsePacket(slab, piece)).to.equal(0)
    }
  })

  it('refuses what must not be fragmented, and MTUs below 68', () => {
    const slab = slabOf(8)
    const refused = receive(slab, udp(1000, { dontFragment: true }))
    expect(dropReason(-fragment(slab, refused, 576))).to.equal('fragmentation-needed')
    expect(dropReason(-fragment(slab, receive(slab, udp(1000)), 67))).to.equal('fragmentation-needed')
    expect(slab.available).to.equal(6)
  })

  it('makes all pieces or none', () => {
    const inner = udp(1400)
    for (let capacity = 1; capacity <= 5; capacity++) {
      const slab = slabOf(capacity)
      const packet = receive(slab, inner)
      const available = slab.available
      const head = fragment(slab, packet, 576)
      if (available < 3) {
        expect(dropReason(-head)).to.equal('slab-full')
        expect(slab.available).to.equal(available)
      } else expect(slab.available).to.equal(available - 3)
      expect(bytesOf(slab, packet), 'the datagram itself').to.deep.equal(inner)
    }
  })

  it('needs exactly as many packets as it makes', () => {
    const shape = fc.record({
      length: fc.integer({ min: 0, max: 1700 }),
      mtu: fc.integer({ min: 68, max: 700 }),
    })
    fc.assert(
      fc.property(shape, ({ length, mtu }) => {
        const inner = datagram(pattern(length), { protocol: 99 })
        const count = cut(inner, mtu).length
        const enough = slabOf(count + 1)
        expect(fragment(enough, receive(enough, inner), mtu)).to.be.at.least(0)
        const short = slabOf(count)
        expect(fragment(short, receive(short, inner), mtu)).to.be.below(0)
      }),
      { numRuns: 100 },
    )
  })

  it('keeps within the frames of the slab when the datagram began in the headroom', () => {
    const slab = slabOf(16, 512)
    const inner = datagram(pattern(440), { protocol: 99 })
    const packet = slab.allocate()
    const at = packet << META_SHIFT
    slab.meta[at + START] = 2
    slab.meta[at + NETWORK] = 16
    slab.bytes.set(inner, 16)
    const pieces = piecesOf(slab, fragment(slab, packet, 1500)).map((piece) => bytesOf(slab, piece))
    expect(pieces).to.have.length(2)
    for (const piece of pieces) expect(piece.length).to.be.at.most(512 - 130 - 14)
    expect(reassemble(pieces)).to.deep.equal(inner)
  })
})
