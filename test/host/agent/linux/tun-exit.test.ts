import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { checksum, emitOuterHeader, write16 } from '../../../../engine/wire/index.ts'
import { Unwrap } from '../../../../host/agent/linux/tun-exit.ts'
import { ip, ipPacket, udp } from '../../../support/packets.ts'

const OWN = '10.0.2.2'
const exit = new Unwrap({ addresses: [ip(OWN)], prefixes: [{ address: ip('198.18.0.0'), length: 15 }] })

function tunnelled(inner: Uint8Array, outerTos?: number): Uint8Array {
  const outer = new Uint8Array(20 + inner.length)
  outer.set(inner, 20)
  emitOuterHeader(outer, 0, 20, ip('10.0.2.1'), ip(OWN), 64, 7)
  if (outerTos !== undefined) {
    outer[1] = outerTos
    write16(outer, 10, 0)
    write16(outer, 10, checksum(outer, 0, 20))
  }
  return outer
}

/** What happens to a packet, and what is handed on. */
function take(packet: Uint8Array, length = packet.length) {
  const bytes = packet.slice()
  const outcome = exit.take(bytes, length)
  const isOff = outcome === 'decapsulated' || outcome === 'marked'
  return { outcome, inner: isOff ? bytes.slice(exit.start, exit.end) : undefined }
}

describe('Unwrap', () => {
  it('hands on the inner packet exactly as sent, without what stands behind it (R-SLR-05)', () => {
    const inner = udp({ to: '198.18.0.80', data: 900, ttl: 1 })
    expect(take(tunnelled(inner))).to.deep.equal({ outcome: 'decapsulated', inner })
    const longer = ipPacket(Uint8Array.of(...inner, 1, 2, 3), { to: OWN, protocol: 4 })
    expect(take(longer)).to.deep.equal({ outcome: 'decapsulated', inner })
  })

  it('takes outer headers with options', () => {
    const inner = udp({ to: '198.18.0.80' })
    const packet = ipPacket(inner, { to: OWN, protocol: 4, options: Uint8Array.of(1, 1, 1, 0) })
    expect(take(packet)).to.deep.equal({ outcome: 'decapsulated', inner })
  })

  it('copies congestion marks, or drops what could not be told (RFC 6040)', () => {
    const marked = take(tunnelled(udp({ to: '198.18.0.80', tos: 2 }), 3))
    expect(marked.outcome).to.equal('marked')
    expect(marked.inner![1]).to.equal(3)
    expect(checksum(marked.inner!, 0, 20)).to.equal(0)
    expect(take(tunnelled(udp({ to: '198.18.0.80', tos: 0 }), 3)).outcome).to.equal('congested')
  })

  it('refuses what is for others or not virtual', () => {
    const inner = udp({ to: '198.18.0.80' })
    expect(take(ipPacket(inner, { to: '10.0.2.9', protocol: 4 })).outcome).to.equal(undefined)
    for (const to of [OWN, '198.20.0.0', '198.17.255.255', '127.0.0.1'])
      expect(take(tunnelled(udp({ to }))).outcome).to.equal('notVirtual')
  })

  it('never hands on what is outside the packet, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), fc.nat(120), (noise, isWrapped, cut) => {
        const packet = isWrapped ? ipPacket(noise, { to: OWN, protocol: 4 }) : noise
        const length = Math.min(cut, packet.length)
        const { inner } = take(packet, length)
        if (inner !== undefined) expect(exit.end).to.be.at.most(length)
      }),
      { numRuns: 500 },
    )
  })

  it('refuses every truncation', () => {
    const packet = tunnelled(udp({ to: '198.18.0.80' }))
    for (let length = 0; length < packet.length; length++)
      expect(take(packet, length).outcome).to.equal('malformed')
  })
})
