import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  FLAG_BROADCAST,
  FLAG_MULTICAST,
  FLAGS,
  IN_PORT,
  KEY_DESTINATION,
  KEY_PROTOCOL,
  META_SHIFT,
  NONE,
  ORIGINATED,
  START,
} from '../../../engine/packet.ts'
import { IcmpErrors } from '../../../engine/routing/icmp-error.ts'
import {
  checksum,
  parsePacket,
  read16,
  read32,
  transportChecksumOk,
  write16,
} from '../../../engine/wire/index.ts'
import {
  bytesOf,
  datagram,
  expectSoundHeader,
  icmpError,
  ip,
  pattern,
  receive,
  slabOf,
  udp,
} from './datagrams.ts'

const OWN = ip('203.0.113.9')
const always = { take: () => true }

/** The error about a datagram, or undefined when nobody may be told. */
function about(inner: Uint8Array, type = 11, code = 0, rest = 0): Uint8Array | undefined {
  const slab = slabOf(2)
  const error = new IcmpErrors(slab, always).about(receive(slab, inner), type, code, rest, OWN, 0)
  return error === NONE ? undefined : bytesOf(slab, error)
}

describe('IcmpErrors', () => {
  it('writes type, code and the word behind them, from the interface to the sender', () => {
    const inner = udp(30)
    const error = about(inner, 3, 4, 1480)!
    expectSoundHeader(error)
    expect(checksum(error, 20, error.length), 'ICMP checksum').to.equal(0)
    expect(transportChecksumOk(error, 0, error.length)).to.equal(true)
    expect([error[20], error[21], read32(error, 24)]).to.deep.equal([3, 4, 1480])
    expect(error[9]).to.equal(1)
    expect(read32(error, 12)).to.equal(OWN)
    expect(read32(error, 16)).to.equal(ip('198.51.100.7'))
    expect(error.slice(28)).to.deep.equal(inner)
  })

  it('quotes as much as fits into 576 bytes (RFC 1812 4.3.2.3)', () => {
    const inner = udp(1400)
    const error = about(inner)!
    expect(error.length).to.equal(576)
    expect(error.slice(28)).to.deep.equal(inner.slice(0, 548))
    expect(about(udp(520))!.length).to.equal(28 + 548)
    expect(about(udp(519))!.length).to.equal(28 + 547)
  })

  it('has internetwork precedence, the TOS bits of the datagram and no ECN (RFC 1812 4.3.2.5)', () => {
    expect(about(udp(5, { tos: 0 }))![1]).to.equal(0xc0)
    expect(about(udp(5, { tos: 0x08 }))![1]).to.equal(0xc8)
    expect(about(udp(5, { tos: 0xff }))![1]).to.equal(0xdc)
  })

  it('may be fragmented, has TTL 64 and an identification of its own', () => {
    const slab = slabOf(3)
    const errors = new IcmpErrors(slab, always)
    const packet = receive(slab, udp(5, { dontFragment: true, ttl: 1 }))
    const [first, second] = [1, 2].map(() => bytesOf(slab, errors.about(packet, 11, 0, 0, OWN, 0)))
    expect(first[8]).to.equal(64)
    expect(read16(first, 6)).to.equal(0)
    expect(read16(first, 4)).to.not.equal(read16(second, 4))
  })

  it('is a packet of this router that parses as what its state words say', () => {
    const slab = slabOf(2)
    const error = new IcmpErrors(slab, always).about(receive(slab, udp(5), 3), 11, 0, 0, OWN, 0)
    const at = error << META_SHIFT
    expect(slab.meta[at + IN_PORT]).to.equal(ORIGINATED)
    expect(slab.meta[at + KEY_PROTOCOL]).to.equal(1)
    expect(slab.meta[at + KEY_DESTINATION]).to.equal(ip('198.51.100.7') | 0)
    write16(slab.bytes, slab.meta[at + START] + 12, 0x0800)
    expect(parsePacket(slab, error)).to.equal(0)
  })

  describe('when nobody may be told (RFC 1122 3.2.2, RFC 1812 4.3.2.7)', () => {
    const cases: readonly [string, Uint8Array, boolean][] = [
      ['an ordinary datagram', udp(5), true],
      ['a first fragment', udp(8, { moreFragments: true }), true],
      ['a later fragment', datagram(pattern(8), { fragmentOffset: 8 }), false],
      ['an echo request', icmpError(8, 0, 0, pattern(4)), true],
      ['an echo reply', icmpError(0, 0, 0, pattern(4)), true],
      ['a timestamp request', icmpError(13, 0, 0, pattern(4)), true],
      ['destination unreachable', icmpError(3, 1, 0, udp(5)), false],
      ['a source quench', icmpError(4, 0, 0, udp(5)), false],
      ['a redirect', icmpError(5, 0, 0, udp(5)), false],
      ['time exceeded', icmpError(11, 0, 0, udp(5)), false],
      ['a parameter problem', icmpError(12, 0, 0, udp(5)), false],
      ['an ICMP type that nobody knows', icmpError(77, 0, 0, pattern(4)), false],
      ['a datagram to a group', udp(5, { to: '239.1.2.3' }), false],
      ['a broadcast', udp(5, { to: '255.255.255.255' }), false],
    ]
    for (const [title, inner, told] of cases)
      it(`${told ? 'tells' : 'does not tell'} the sender of ${title}`, () =>
        expect(about(inner) !== undefined).to.equal(told))

    for (const from of ['0.0.0.0', '0.1.2.3', '127.0.0.1', '224.0.0.5', '240.0.0.1', '255.255.255.255'])
      it(`does not tell ${from}, which is no single host`, () => {
        const slab = slabOf(2)
        const packet = slab.load(new Uint8Array(64))
        const start = slab.meta[packet << META_SHIFT]
        slab.bytes.set(udp(5, { from }), start + 14)
        const errors = new IcmpErrors(slab, always)
        expect(errors.aboutQuote(start + 14, start + 47, 11, 0, 0, OWN, 0)).to.equal(NONE)
        expect(errors.counters.unanswerable).to.equal(1)
      })

    for (const flag of [FLAG_BROADCAST, FLAG_MULTICAST])
      it(`does not tell of what came to all (flag ${flag})`, () => {
        const slab = slabOf(2)
        const packet = receive(slab, udp(5))
        slab.meta[(packet << META_SHIFT) + FLAGS] |= flag
        const errors = new IcmpErrors(slab, always)
        expect(errors.about(packet, 11, 0, 0, OWN, 0)).to.equal(NONE)
        expect(errors.counters.unanswerable).to.equal(1)
      })
  })

  it('sends no more than the limiter allows, which is asked only when something would be sent', () => {
    const asked: number[] = []
    const limiter = {
      take: (now: number) => {
        asked.push(now)
        return asked.length <= 2
      },
    }
    const slab = slabOf(8)
    const errors = new IcmpErrors(slab, limiter)
    const packet = receive(slab, udp(5))
    const unanswerable = receive(slab, icmpError(3, 1, 0, udp(5)))
    expect(errors.about(unanswerable, 11, 0, 0, OWN, 1)).to.equal(NONE)
    expect(errors.about(packet, 11, 0, 0, OWN, 2)).to.not.equal(NONE)
    expect(errors.about(packet, 11, 0, 0, OWN, 3)).to.not.equal(NONE)
    expect(errors.about(packet, 11, 0, 0, OWN, 4)).to.equal(NONE)
    expect(asked).to.deep.equal([2, 3, 4])
    expect(errors.counters).to.deep.equal({ sent: 2, unanswerable: 1, rateLimited: 1, slabFull: 0 })
  })

  it('counts when no packet is free', () => {
    const slab = slabOf(1)
    const errors = new IcmpErrors(slab, always)
    expect(errors.about(receive(slab, udp(5)), 11, 0, 0, OWN, 0)).to.equal(NONE)
    expect(errors.counters.slabFull).to.equal(1)
  })

  it('quotes what fits into the frames of a small slab', () => {
    const slab = slabOf(2, 256)
    const errors = new IcmpErrors(slab, always)
    const error = errors.about(receive(slab, udp(80)), 11, 0, 0, OWN, 0)
    expect(bytesOf(slab, error).length).to.equal(256 - 130 - 14)
  })

  it('quotes a truncated quote, no more than there is', () => {
    const slab = slabOf(2)
    const inner = udp(100)
    const packet = slab.load(inner.slice(0, 40))
    const offset = slab.meta[packet << META_SHIFT]
    const error = new IcmpErrors(slab, always).aboutQuote(offset, offset + 40, 3, 1, 0, OWN, 0)
    expect(bytesOf(slab, error).slice(28)).to.deep.equal(inner.slice(0, 40))
  })

  it('never throws nor writes beside its frame, whatever it is about', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 28, maxLength: 900 }), (bytes) => {
        const slab = slabOf(2)
        const packet = slab.load(bytes)
        const offset = slab.meta[packet << META_SHIFT]
        const error = new IcmpErrors(slab, always).aboutQuote(offset, offset + bytes.length, 3, 1, 0, OWN, 0)
        if (error !== NONE) expectSoundHeader(bytesOf(slab, error))
        expect(slab.bytes.slice(offset, offset + bytes.length)).to.deep.equal(bytes)
      }),
      { numRuns: 300 },
    )
  })
})
