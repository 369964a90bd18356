import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  createIpv4,
  ECN_DROP,
  ecnAtEntry,
  ecnAtExit,
  emitIpv4,
  emitOuterHeader,
  ipv4HeaderBytes,
  PROTOCOL_IP_IN_IP,
  parseIpv4,
} from '../../../engine/wire/index.ts'
import { byte, frameOf, ipv4Fields, port, unicastAddress } from './samples.ts'

describe('ip-in-ip', () => {
  it('derives the outer header from the inner one and leaves that alone (RFC 2003 3.1, R-SLR-05)', () => {
    fc.assert(
      fc.property(
        ipv4Fields,
        fc.nat(60),
        unicastAddress,
        unicastAddress,
        fc.integer({ min: 1, max: 255 }),
        port,
        (fields, payloadBytes, source, destination, ttl, id) => {
          const totalBytes = ipv4HeaderBytes(fields.options) + payloadBytes
          const bytes = new Uint8Array(256)
          // A fragment goes in as it is; the outer packet is whole.
          emitIpv4(bytes, 40, { ...fields, totalBytes, moreFragments: true, fragmentOffset: 8 })
          const inner = bytes.slice(40)
          expect(emitOuterHeader(bytes, 20, 40, source, destination, ttl, id)).to.equal(40)
          expect(bytes.slice(40)).to.deep.equal(inner)
          const outer = createIpv4()
          expect(parseIpv4(bytes, 20, 40 + totalBytes, outer)).to.equal(0)
          const { tos, dontFragment } = fields
          expect(outer).to.include({
            headerBytes: 20,
            tos,
            totalBytes: totalBytes + 20,
            id,
            dontFragment,
            ttl,
          })
          expect(outer).to.include({ moreFragments: false, fragmentOffset: 0, protocol: PROTOCOL_IP_IN_IP })
          expect(outer).to.include({ source, destination })
        },
      ),
      { numRuns: 200 },
    )
  })

  it('writes the outer header of a captured packet again', () => {
    const frame = frameOf('ipip')
    const again = Uint8Array.from(frame)
    again.fill(0, 14, 34)
    emitOuterHeader(again, 14, 34, 0x0a000001, 0x0a000002, 64, frame[18]! * 256 + frame[19]!)
    expect(again).to.deep.equal(frame)
  })

  describe('congestion marks (RFC 6040)', () => {
    it('copies the whole byte at the entry', () => {
      for (let tos = 0; tos < 256; tos++) expect(ecnAtEntry(tos)).to.equal(tos)
    })

    it('follows figure 4 at the exit', () => {
      const NOT = 0
      const ECT1 = 1
      const ECT0 = 2
      const CE = 3
      const table = [
        // inner, then what leaves for outer Not-ECT, ECT(0), ECT(1), CE
        [NOT, NOT, NOT, NOT, ECN_DROP],
        [ECT0, ECT0, ECT0, ECT1, CE],
        [ECT1, ECT1, ECT1, ECT1, CE],
        [CE, CE, CE, CE, CE],
      ]
      for (const [inner, ...leaving] of table)
        for (const [column, outer] of [NOT, ECT0, ECT1, CE].entries())
          expect(ecnAtExit(inner!, outer), `inner ${inner} outer ${outer}`).to.equal(leaving[column])
    })

    it('keeps the inner DSCP whatever the outer one', () => {
      fc.assert(
        fc.property(byte, byte, (inner, outer) => {
          const leaving = ecnAtExit(inner, outer)
          if (leaving !== ECN_DROP) expect(leaving >>> 2).to.equal(inner >>> 2)
        }),
      )
    })
  })
})
