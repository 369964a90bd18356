import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { dropCode } from '../../../engine/drop-reason.ts'
import { createUdp, emitUdp, parseUdp, read16, udpChecksumOk, write16 } from '../../../engine/wire/index.ts'
import { anyAddress, frameOf, payload, port } from './samples.ts'

describe('udp', () => {
  it('reads what it wrote, at any offset, with a right checksum', () => {
    fc.assert(
      fc.property(
        anyAddress,
        anyAddress,
        port,
        port,
        payload,
        fc.nat(9),
        (from, to, fromPort, toPort, data, offset) => {
          const bytes = new Uint8Array(128)
          const end = emitUdp(bytes, offset, from, to, fromPort, toPort, data)
          const read = createUdp()
          expect(parseUdp(bytes, offset, end, read)).to.equal(0)
          expect(read).to.include({
            sourcePort: fromPort,
            destinationPort: toPort,
            lengthBytes: 8 + data.length,
          })
          expect(read.checksum).to.not.equal(0)
          expect(bytes.slice(offset + 8, end)).to.deep.equal(data)
          expect(udpChecksumOk(bytes, offset, end, from, to)).to.equal(true)
          expect(udpChecksumOk(bytes, offset, end, from, to ^ 1)).to.equal(false)
        },
      ),
    )
  })

  it('reads a captured datagram', () => {
    const frame = frameOf('ldp_hello')
    const read = createUdp()
    expect(parseUdp(frame, 34, frame.length, read)).to.equal(0)
    expect(read).to.include({ sourcePort: 646, destinationPort: 646, lengthBytes: frame.length - 34 })
    expect(udpChecksumOk(frame, 34, frame.length, 0x0a000001, 0xe0000002)).to.equal(true)
  })

  it('sends a computed zero as 0xffff', () => {
    const bytes = new Uint8Array(10)
    // The word that makes the sum all ones.
    emitUdp(bytes, 0, 0, 0, 0, 0, Uint8Array.of(0, 0))
    const rest = read16(bytes, 6)
    emitUdp(bytes, 0, 0, 0, 0, 0, Uint8Array.of(rest >> 8, rest & 255))
    expect(read16(bytes, 6)).to.equal(0xffff)
    expect(udpChecksumOk(bytes, 0, 10, 0, 0)).to.equal(true)
  })

  it('accepts an absent checksum', () => {
    const bytes = new Uint8Array(12)
    emitUdp(bytes, 0, 1, 2, 3, 4, Uint8Array.of(1, 2, 3, 4))
    write16(bytes, 6, 0)
    expect(udpChecksumOk(bytes, 0, 12, 1, 2)).to.equal(true)
  })

  it('is truncated when its length does not fit, and ends where its length says', () => {
    const bytes = new Uint8Array(20)
    emitUdp(bytes, 0, 1, 2, 3, 4, new Uint8Array(4))
    for (let end = 0; end < 12; end++)
      expect(parseUdp(bytes, 0, end, createUdp())).to.equal(dropCode('transport-truncated'))
    expect(parseUdp(bytes, 0, 20, createUdp())).to.equal(0)
    expect(udpChecksumOk(bytes, 0, 20, 1, 2)).to.equal(true)
    for (const length of [0, 7, 21]) {
      write16(bytes, 4, length)
      expect(parseUdp(bytes, 0, 20, createUdp())).to.equal(dropCode('transport-truncated'))
      expect(udpChecksumOk(bytes, 0, 20, 1, 2)).to.equal(false)
    }
  })
})
