import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { dropCode } from '../../../engine/drop-reason.ts'
import {
  addExperimental,
  createTcp,
  createTcpOptions,
  emitTcp,
  parseTcp,
  parseTcpOptions,
  TCP_ACK,
  TCP_SYN,
  type TcpOptions,
  tcpChecksumOk,
  tcpOptionsBytes,
} from '../../../engine/wire/index.ts'
import { anyAddress, frameOf, optionValues, payload, tcpFields, tcpOptions } from './samples.ts'

const NOTHING = new Uint8Array(0)

/** The options of a list of bytes, and whether the list was whole. */
function optionsOf(...list: number[]): { whole: boolean; options: TcpOptions } {
  const options = createTcpOptions()
  options.mss = 77
  options.sackCount = 3
  return { whole: parseTcpOptions(Uint8Array.from(list), 0, list.length, options), options }
}

describe('tcp', () => {
  it('reads what it wrote, at any offset, with a right checksum', () => {
    fc.assert(
      fc.property(
        anyAddress,
        anyAddress,
        tcpFields,
        fc.option(tcpOptions, { nil: undefined }),
        payload,
        fc.nat(9),
        (from, to, fields, options, data, offset) => {
          const bytes = new Uint8Array(192)
          const end = emitTcp(bytes, offset, from, to, fields, options, data)
          const read = createTcp()
          expect(parseTcp(bytes, offset, end, read)).to.equal(0)
          expect(read).to.include(fields)
          const optionBytes = options === undefined ? 0 : tcpOptionsBytes(options)
          expect(read.headerBytes).to.equal(20 + optionBytes)
          expect(bytes.slice(offset + read.headerBytes, end)).to.deep.equal(data)
          expect(tcpChecksumOk(bytes, offset, end, from, to)).to.equal(true)
          expect(tcpChecksumOk(bytes, offset, end, from ^ 1, to)).to.equal(false)
          const readOptions = createTcpOptions()
          expect(parseTcpOptions(bytes, offset + 20, offset + read.headerBytes, readOptions)).to.equal(true)
          expect(optionValues(readOptions)).to.deep.equal(optionValues(options ?? createTcpOptions()))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('is truncated when its header does not fit', () => {
    const bytes = new Uint8Array(40)
    const options = createTcpOptions()
    options.mss = 1460
    const end = emitTcp(bytes, 0, 1, 2, createTcp(), options, NOTHING)
    expect(end).to.equal(24)
    for (let cut = 0; cut < 24; cut++)
      expect(parseTcp(bytes, 0, cut, createTcp()), `${cut}`).to.equal(dropCode('transport-truncated'))
    for (const words of [0, 4, 15]) {
      bytes[12] = words << 4
      expect(parseTcp(bytes, 0, 24, createTcp()), `${words}`).to.equal(dropCode('transport-truncated'))
    }
  })

  describe('when it has options', () => {
    it('writes those of a SYN as Linux does, in 20 bytes', () => {
      const options = createTcpOptions()
      options.mss = 1460
      options.sackPermitted = true
      options.hasTimestamp = true
      options.timestampValue = 1
      options.windowScale = 7
      const bytes = new Uint8Array(40)
      emitTcp(bytes, 0, 1, 2, { ...createTcp(), flags: TCP_SYN }, options, NOTHING)
      expect(Buffer.from(bytes.subarray(20)).toString('hex')).to.equal(
        '020405b40402080a000000010000000001030307',
      )
    })

    it('carries tag, cookie, address and port of dynamic TCP in a header of exactly 60 bytes (R-DT-02)', () => {
      const frame = frameOf('tcp_exid254_syna')
      const header = createTcp()
      expect(parseTcp(frame, 34, frame.length, header)).to.equal(0)
      expect(header).to.include({ headerBytes: 60, flags: TCP_SYN | TCP_ACK })
      const read = createTcpOptions()
      expect(parseTcpOptions(frame, 54, 94, read)).to.equal(true)
      expect(read).to.include({ mss: 1460, windowScale: 7, sackPermitted: true, hasTimestamp: true })
      expect(read.experimentalCount).to.equal(1)
      const { kind, exid, data, dataBytes } = read.experimental[0]!
      expect({ kind, exid, dataBytes }).to.deep.equal({ kind: 254, exid: 0x534c, dataBytes: 16 })
      expect(Buffer.from(data.subarray(0, 16)).toString('latin1')).to.equal(
        '\0\x07COOKIE88\x0a\0\x09\x09\0\x50',
      )
      const bytes = new Uint8Array(60)
      emitTcp(bytes, 0, 0xc6336407, 0xc0c00101, header, read, NOTHING)
      expect(tcpOptionsBytes(read)).to.equal(40)
    })

    it('shows a 32-bit ExID as its halves', () => {
      const read = createTcpOptions()
      const frame = frameOf('tcp_exid32')
      parseTcpOptions(frame, 54, 34 + (frame[46]! >>> 4) * 4, read)
      expect(read.experimental[0]).to.include({ kind: 253, exid: 0x534c, dataBytes: 12 })
      expect([...read.experimental[0]!.data.subarray(0, 2)]).to.deep.equal([0x52, 0x31])
    })

    it('skips unknown ones by their length', () => {
      for (const name of ['tcp_tfo', 'tcp_unassigned']) {
        const read = createTcpOptions()
        const frame = frameOf(name)
        expect(parseTcpOptions(frame, 54, 34 + (frame[46]! >>> 4) * 4, read)).to.equal(true)
        expect(optionValues(read)).to.deep.equal(optionValues(createTcpOptions()))
      }
      const { whole, options } = optionsOf(99, 4, 2, 4, 2, 4, 5, 0xb4, 0)
      expect(whole).to.equal(true)
      expect(options.mss).to.equal(0x5b4)
    })

    it('ignores known ones of a wrong length', () => {
      for (const list of [
        [2, 3, 5],
        [2, 5, 5, 0xb4, 0],
        [3, 2],
        [4, 3, 0],
        [8, 9, 0, 0, 0, 0, 0, 0, 0],
        [5, 2],
        [5, 9, 0, 0, 0, 0, 0, 0, 0],
        [254, 3, 1],
      ]) {
        const { whole, options } = optionsOf(...list)
        expect(whole, `${list}`).to.equal(true)
        expect(optionValues(options), `${list}`).to.deep.equal(optionValues(createTcpOptions()))
      }
    })

    it('stops at a length that lies and keeps what came before', () => {
      for (const tail of [[8], [8, 0], [8, 1], [8, 10, 0, 0], [254, 255]]) {
        const { whole, options } = optionsOf(2, 4, 5, 0xb4, 1, ...tail)
        expect(whole, `${tail}`).to.equal(false)
        expect(options).to.include({ mss: 0x5b4, hasTimestamp: false, sackCount: 0 })
      }
    })

    it('stops at the end of the list', () => {
      const { whole, options } = optionsOf(0, 2, 4, 5, 0xb4)
      expect(whole).to.equal(true)
      expect(options.mss).to.equal(-1)
    })

    it('takes a window scale above 14 as 14 (RFC 7323 2.3)', () => {
      expect(optionsOf(3, 3, 255).options.windowScale).to.equal(14)
    })

    it('keeps a bounded number of blocks and experiments', () => {
      const experiments = Array.from({ length: 10 }, (_, i) => [254, 4, 0, i]).flat()
      expect(optionsOf(...experiments).options.experimentalCount).to.equal(4)
      const blocks = [5, 42, ...new Array(40).fill(1)]
      expect(optionsOf(...blocks).options.sackCount).to.equal(4)
    })

    it('refuses to write more than 40 bytes', () => {
      const options = createTcpOptions()
      options.hasTimestamp = true
      options.sackCount = 4
      expect(() => emitTcp(new Uint8Array(99), 0, 1, 2, createTcp(), options, NOTHING)).to.throw(RangeError)
      expect(() => addExperimental(options, 254, 1, new Uint8Array(37))).to.throw(RangeError)
      for (let i = 0; i < 4; i++) addExperimental(options, 254, 1, NOTHING)
      expect(() => addExperimental(options, 254, 1, NOTHING)).to.throw(RangeError)
    })
  })
})
