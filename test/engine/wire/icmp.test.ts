import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { dropCode } from '../../../engine/drop-reason.ts'
import {
  createIcmp,
  echoRest,
  emitIcmp,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_TIME_EXCEEDED,
  ICMP_TIMESTAMP_REPLY,
  ICMP_UNREACHABLE,
  isIcmpError,
  parseIcmp,
  UNREACHABLE_FRAGMENTATION_NEEDED,
} from '../../../engine/wire/index.ts'
import { byte, frameOf, payload, word } from './samples.ts'

describe('icmp', () => {
  it('reads what it wrote, at any offset', () => {
    fc.assert(
      fc.property(byte, byte, word, payload, fc.nat(9), (type, code, rest, data, offset) => {
        const bytes = new Uint8Array(128)
        const end = emitIcmp(bytes, offset, type, code, rest, data)
        const read = createIcmp()
        expect(parseIcmp(bytes, offset, end, read)).to.equal(0)
        expect(read).to.include({ type, code, rest, payloadOffset: offset + 8 })
        expect(bytes.slice(read.payloadOffset, end)).to.deep.equal(data)
      }),
    )
  })

  it('reads captured messages', () => {
    const read = createIcmp()
    const echo = frameOf('icmp_adv')
    expect(parseIcmp(echo, 34, echo.length, read)).to.equal(0)
    expect(read).to.include({ type: ICMP_ECHO_REQUEST, code: 0, rest: echoRest(1, 1) })
    const error = frameOf('icmp_fragneeded_quote28')
    expect(parseIcmp(error, 34, error.length, read)).to.equal(0)
    expect(read).to.include({ type: ICMP_UNREACHABLE, code: UNREACHABLE_FRAGMENTATION_NEEDED, rest: 1400 })
  })

  it('is malformed below eight bytes or with a wrong checksum', () => {
    const bytes = new Uint8Array(20)
    const end = emitIcmp(bytes, 0, 8, 0, 1, Uint8Array.of(1, 2, 3))
    for (let cut = 0; cut < 8; cut++)
      expect(parseIcmp(bytes, 0, cut, createIcmp())).to.equal(dropCode('icmp-malformed'))
    bytes[9]! ^= 1
    expect(parseIcmp(bytes, 0, end, createIcmp())).to.equal(dropCode('icmp-malformed'))
  })

  it('keeps the low 16 bits of identifier and sequence', () => {
    expect(echoRest(0xffff, 0xffff)).to.equal(0xffffffff)
    expect(echoRest(0x1_0002, 0x1_0003)).to.equal(0x00020003)
  })

  it('tells errors, which are never answered by errors, from the rest', () => {
    const errors = Array.from({ length: 256 }, (_, type) => type).filter(isIcmpError)
    expect(errors).to.deep.equal([3, 4, 5, 11, 12])
    expect(isIcmpError(ICMP_TIME_EXCEEDED)).to.equal(true)
    expect(isIcmpError(ICMP_ECHO_REPLY)).to.equal(false)
    expect(isIcmpError(ICMP_TIMESTAMP_REPLY)).to.equal(false)
  })
})
