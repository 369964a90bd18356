import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { dropCode } from '../../../engine/drop-reason.ts'
import { ARP_BYTES, type Arp, createArp, emitArp, parseArp } from '../../../engine/wire/index.ts'
import { anyAddress, mac } from './samples.ts'

const arp: fc.Arbitrary<Arp> = fc.record({
  operation: fc.constantFrom(1, 2),
  senderMac: mac,
  senderAddress: anyAddress,
  targetMac: mac,
  targetAddress: anyAddress,
})

describe('arp', () => {
  it('reads what it wrote, at any offset and with padding behind it', () => {
    fc.assert(
      fc.property(arp, fc.nat(9), fc.nat(18), (message, offset, padding) => {
        const bytes = new Uint8Array(64)
        const end = emitArp(bytes, offset, message)
        expect(end).to.equal(offset + ARP_BYTES)
        const read = createArp()
        expect(parseArp(bytes, offset, end + padding, read)).to.equal(0)
        expect(read).to.deep.equal(message)
      }),
    )
  })

  it('keeps its own copies of the MACs', () => {
    const bytes = new Uint8Array(ARP_BYTES)
    emitArp(bytes, 0, { ...createArp(), senderMac: Uint8Array.of(2, 0, 0, 0, 0, 9) })
    const read = createArp()
    parseArp(bytes, 0, ARP_BYTES, read)
    bytes.fill(0xff)
    expect(read.senderMac).to.deep.equal(Uint8Array.of(2, 0, 0, 0, 0, 9))
  })

  describe('when it is malformed', () => {
    const good = new Uint8Array(ARP_BYTES)
    emitArp(good, 0, createArp())
    for (const [what, at, value] of [
      ['another hardware', 1, 6],
      ['another protocol', 2, 0x86],
      ['another hardware address length', 4, 8],
      ['another protocol address length', 5, 16],
      ['an operation that is neither request nor reply', 7, 3],
    ] as const)
      it(`refuses ${what}`, () => {
        const bytes = Uint8Array.from(good)
        bytes[at] = value
        expect(parseArp(bytes, 0, ARP_BYTES, createArp())).to.equal(dropCode('arp-malformed'))
      })

    it('refuses fewer than 28 bytes', () => {
      for (let end = 0; end < ARP_BYTES; end++)
        expect(parseArp(good, 0, end, createArp())).to.equal(dropCode('arp-malformed'))
    })
  })
})
