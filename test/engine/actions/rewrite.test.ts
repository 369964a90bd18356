import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  REWRITE_DESTINATION,
  REWRITE_DESTINATION_PORT,
  REWRITE_SOURCE,
  REWRITE_SOURCE_PORT,
} from '../../../engine/actions/action-table.ts'
import { rewritePacket, spendTtl } from '../../../engine/actions/rewrite.ts'
import {
  FLAG_BROADCAST,
  FLAG_MULTICAST,
  FLAG_REWRITTEN,
  FLAGS,
  KEY_DESTINATION,
  KEY_PORTS,
  META_SHIFT,
  NETWORK,
  PacketSlab,
} from '../../../engine/packet.ts'
import { checksum, parsePacket, read16, write16, write32 } from '../../../engine/wire/index.ts'
import { expectSound, fragmentsOf, frameOf, icmp, ip, ipPacket, tcp, udp } from '../../support/packets.ts'

const MAC = new Uint8Array(6)
const anyAddress = fc
  .tuple(fc.integer({ min: 1, max: 223 }), fc.nat({ max: 0xffffff }))
  .map(([octet, rest]) => (octet === 127 ? 10 : octet) * 0x1000000 + rest)
const anyPort = fc.nat({ max: 65535 })

function load(packet: Uint8Array): { slab: PacketSlab; descriptor: number } {
  const slab = new PacketSlab({ capacity: 2 })
  const descriptor = slab.load(frameOf(MAC, MAC, packet))
  expect(parsePacket(slab, descriptor), 'parses').to.equal(0)
  return { slab, descriptor }
}

function bytesOf(slab: PacketSlab, descriptor: number): Uint8Array {
  return slab.frame(descriptor).slice(14)
}

/** Packets of every kind that a rewrite treats differently. */
const anyPacket = fc
  .tuple(
    fc.constantFrom(
      'udp',
      'udp without checksum',
      'tcp',
      'icmp',
      'other',
      'first fragment',
      'later fragment',
    ),
    fc.uint8Array({ maxLength: 60 }),
    anyPort,
    anyPort,
  )
  .map(([kind, data, fromPort, toPort]): readonly [kind: string, packet: Uint8Array] => {
    const datagram = udp({ data, fromPort, toPort })
    const long = udp({ data: new Uint8Array([...data, ...new Uint8Array(32)]), fromPort, toPort })
    if (kind === 'udp') return [kind, datagram]
    if (kind === 'udp without checksum') {
      write16(datagram, 26, 0)
      return [kind, datagram]
    }
    if (kind === 'tcp') return [kind, tcp({ data: data.length, fromPort, toPort })]
    if (kind === 'icmp') return [kind, icmp(13, 0, 7, data)]
    if (kind === 'other') return [kind, ipPacket(data)]
    return [kind, fragmentsOf(long, 24)[kind === 'first fragment' ? 0 : 1]!]
  })

describe('rewritePacket', () => {
  it('changes what it is told and repairs every checksum that covers it (R-PR-05)', () => {
    const bits = fc.integer({ min: 1, max: 15 })
    fc.assert(
      fc.property(
        anyPacket,
        bits,
        anyAddress,
        anyAddress,
        anyPort,
        anyPort,
        (given, mask, source, destination, from, to) => {
          const [kind, packet] = given
          const { slab, descriptor } = load(packet)
          rewritePacket(slab, descriptor, mask, source, destination, (from << 16) | to)
          const after = bytesOf(slab, descriptor)
          expectSound(after)
          const ported = kind !== 'icmp' && kind !== 'other' && kind !== 'later fragment'
          const wanted = Uint8Array.from(packet)
          if ((mask & REWRITE_SOURCE) !== 0) write32(wanted, 12, source)
          if ((mask & REWRITE_DESTINATION) !== 0) write32(wanted, 16, destination)
          if (ported && (mask & REWRITE_SOURCE_PORT) !== 0) write16(wanted, 20, from)
          if (ported && (mask & REWRITE_DESTINATION_PORT) !== 0) write16(wanted, 22, to)
          // All but the checksums, whose rightness expectSound has judged.
          for (const at of [10, 11]) wanted[at] = after[at]!
          const check = kind === 'tcp' ? 36 : 26
          if (ported) for (const at of [check, check + 1]) wanted[at] = after[at]!
          expect(after).to.deep.equal(wanted)
          if (kind === 'udp without checksum')
            expect(read16(after, 26), 'stays without a checksum').to.equal(0)
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('keeps the checksum of a first fragment right for the whole datagram', () => {
    const whole = udp({ data: 200, from: '10.0.1.2', to: '198.18.0.1', toPort: 53 })
    const [first, ...rest] = fragmentsOf(whole, 64)
    const { slab, descriptor } = load(first!)
    rewritePacket(slab, descriptor, REWRITE_DESTINATION | REWRITE_DESTINATION_PORT, 0, ip('10.9.9.9'), 5353)
    const data = [bytesOf(slab, descriptor), ...rest].flatMap((each) => [...each.subarray(20)])
    const joined = ipPacket(Uint8Array.from(data), { from: '10.0.1.2', to: '10.9.9.9', protocol: 17 })
    expectSound(joined)
    expect(read16(joined, 22)).to.equal(5353)
  })

  it('sends a UDP checksum that comes out as zero as its other form', () => {
    const packet = udp({ data: 4 })
    const { slab, descriptor } = load(packet)
    const check = read16(packet, 26)
    // Raising a covered word by the checksum makes the sum all ones.
    const word = read16(packet, 22)
    const port = (word + check) % 0xffff
    rewritePacket(slab, descriptor, REWRITE_DESTINATION_PORT, 0, 0, port)
    expect(read16(bytesOf(slab, descriptor), 26)).to.equal(0xffff)
    expectSound(bytesOf(slab, descriptor))
  })

  it('keeps the key, says that it was there, and marks multicast after the new destination', () => {
    const { slab, descriptor } = load(udp({ to: '239.1.2.3' }))
    const at = descriptor << META_SHIFT
    const ports = slab.meta[at + KEY_PORTS]
    expect(slab.meta[at + FLAGS] & FLAG_MULTICAST).to.not.equal(0)
    rewritePacket(slab, descriptor, REWRITE_DESTINATION | REWRITE_SOURCE_PORT, 0, ip('10.0.2.2'), 99 << 16)
    expect(slab.meta[at + FLAGS] & (FLAG_MULTICAST | FLAG_BROADCAST)).to.equal(0)
    expect(slab.meta[at + FLAGS] & FLAG_REWRITTEN).to.not.equal(0)
    expect([slab.meta[at + KEY_DESTINATION] >>> 0, slab.meta[at + KEY_PORTS]]).to.deep.equal([
      ip('239.1.2.3'),
      ports,
    ])
    rewritePacket(slab, descriptor, REWRITE_DESTINATION, 0, ip('232.0.0.1'), 0)
    expect(slab.meta[at + FLAGS] & FLAG_MULTICAST).to.not.equal(0)
  })
})

describe('spendTtl', () => {
  it('takes one once per header, with a right checksum, and refuses the last one (R-PR-03)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 255 }), anyPort, (ttl, id) => {
        const { slab, descriptor } = load(udp({ ttl, id }))
        const before = bytesOf(slab, descriptor)
        expect(spendTtl(slab, descriptor)).to.equal(ttl > 1)
        const after = bytesOf(slab, descriptor)
        if (ttl === 1) expect(after).to.deep.equal(before)
        else {
          expectSound(after)
          expect(after[8]).to.equal(ttl - 1)
          expect(spendTtl(slab, descriptor)).to.equal(true)
          expect(bytesOf(slab, descriptor)).to.deep.equal(after)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('gives the checksum that a full computation gives, for every checksum there can be', () => {
    const { slab, descriptor } = load(udp({ data: 0 }))
    const at = descriptor << META_SHIFT
    const network = slab.meta[at + NETWORK]
    const check = network + 10
    for (let id = 0; id < 65536; id++) {
      slab.meta[at + FLAGS] = 0
      slab.bytes[network + 8] = 64
      write16(slab.bytes, network + 4, id)
      write16(slab.bytes, check, 0)
      write16(slab.bytes, check, checksum(slab.bytes, network, network + 20))
      spendTtl(slab, descriptor)
      if (checksum(slab.bytes, network, network + 20) !== 0) expect.fail(`identification ${id}`)
    }
  })
})
