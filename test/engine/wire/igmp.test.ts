import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { dropCode } from '../../../engine/drop-reason.ts'
import {
  checksum,
  createIgmp,
  decodeIntervalCode,
  emitIgmp,
  encodeIntervalCode,
  IGMP_QUERY,
  IGMP_V1_REPORT,
  IGMP_V2_LEAVE,
  IGMP_V2_REPORT,
  IGMP_V3_REPORT,
  type Igmp,
  igmpBytes,
  parseIgmp,
  parseIpv4Address,
  RECORD_ALLOW,
  RECORD_BLOCK,
  write16,
} from '../../../engine/wire/index.ts'
import { anyAddress, byte, frameOf, port } from './samples.ts'

const MALFORMED = dropCode('igmp-malformed')
const GROUP = parseIpv4Address('239.1.2.3')!

const sources = fc.array(anyAddress, { maxLength: 6 }).map((list) => Uint32Array.from(list))
const extensions = fc.array(fc.record({ type: port, value: fc.uint8Array({ maxLength: 20 }) }), {
  maxLength: 3,
})

const report: fc.Arbitrary<Igmp> = fc
  .record({
    records: fc.array(
      fc.record({
        type: byte,
        group: anyAddress,
        sources,
        aux: fc.nat(3).chain((words) => fc.uint8Array({ minLength: words * 4, maxLength: words * 4 })),
      }),
      { maxLength: 5 },
    ),
    extensions,
  })
  .map((fields) => ({ ...createIgmp(), ...fields }))

const query: fc.Arbitrary<Igmp> = fc
  .record({
    group: anyAddress,
    maxResponseCode: byte,
    suppressRouter: fc.boolean(),
    robustness: fc.nat(7),
    intervalCode: byte,
    sources,
    extensions,
  })
  .map((fields) => ({ ...createIgmp(), type: IGMP_QUERY, ...fields }))

const short: fc.Arbitrary<Igmp> = fc
  .tuple(
    fc.constantFrom([IGMP_QUERY, 2], [IGMP_V1_REPORT, 1], [IGMP_V2_REPORT, 2], [IGMP_V2_LEAVE, 2]),
    anyAddress,
    fc.integer({ min: 1, max: 255 }),
  )
  .map(([[type, version], group, maxResponseCode]) => ({
    ...createIgmp(),
    type: type!,
    version: version!,
    group,
    maxResponseCode,
  }))

/** The message of a captured packet. */
function captured(name: string): { bytes: Uint8Array; code: number; message: Igmp } {
  const bytes = frameOf(name).slice(38)
  const message = createIgmp()
  return { bytes, code: parseIgmp(bytes, 0, bytes.length, message), message }
}

/** The verdict on a message whose checksum is made right first. */
function codeOf(bytes: Uint8Array, message = createIgmp()): number {
  write16(bytes, 2, 0)
  write16(bytes, 2, checksum(bytes, 0, bytes.length))
  return parseIgmp(bytes, 0, bytes.length, message)
}

describe('igmp', () => {
  for (const [what, arbitrary] of [
    ['reports', report],
    ['queries', query],
    ['messages of versions 1 and 2', short],
  ] as const)
    it(`reads the ${what} it wrote, at any offset`, () => {
      fc.assert(
        fc.property(arbitrary, fc.nat(9), (message, offset) => {
          const bytes = new Uint8Array(512)
          const end = emitIgmp(bytes, offset, message)
          expect(end - offset).to.equal(igmpBytes(message))
          const read = createIgmp()
          expect(parseIgmp(bytes, offset, end, read)).to.equal(0)
          expect(read).to.deep.equal(message)
        }),
        { numRuns: 200 },
      )
    })

  describe('when it is captured', () => {
    it('reads records with their sources', () => {
      const { code, message } = captured('igmp3')
      expect(code).to.equal(0)
      expect(message).to.include({ type: IGMP_V3_REPORT, version: 3 })
      expect(message.records).to.deep.equal([
        { type: RECORD_ALLOW, group: GROUP, sources: Uint32Array.of(0xc6336407), aux: new Uint8Array(0) },
        { type: RECORD_BLOCK, group: GROUP, sources: Uint32Array.of(0xc6336408), aux: new Uint8Array(0) },
      ])
    })

    it('keeps record types it does not know, with value and mask as sources (R-MC-10)', () => {
      const { code, message } = captured('igmp3newrec')
      expect(code).to.equal(0)
      expect(message.records[0]).to.deep.include({
        type: 200,
        group: GROUP,
        sources: Uint32Array.of(0, 0x03000000),
      })
    })

    it('reads auxiliary data', () => {
      const { code, message } = captured('igmp3auxsrc')
      expect(code).to.equal(0)
      expect(message.records[0]!.sources).to.deep.equal(Uint32Array.of(0xc6336409))
      expect(message.records[0]!.aux).to.deep.equal(Uint8Array.of(0, 0, 0, 0, 3, 0, 0, 0))
    })

    it('reads extensions behind records and without any (R-SEC-03)', () => {
      for (const name of ['igmp3ext', 'igmp3extsrc', 'igmp3m0ext']) {
        const { code, message } = captured(name)
        expect(code, name).to.equal(0)
        expect(message.extensions, name).to.have.length(1)
        expect(message.extensions[0]!.type, name).to.equal(65_534)
        expect(message.extensions[0]!.value, name).to.have.length(84)
        expect(Buffer.from(message.extensions[0]!.value.subarray(0, 4)).toString()).to.equal('SJ01')
      }
    })

    it('writes the same bytes again', () => {
      for (const name of ['igmp3', 'igmp3newrec', 'igmp3aux', 'igmp3auxsrc', 'igmp3ext', 'igmp3m0ext']) {
        const { bytes, message } = captured(name)
        const again = new Uint8Array(bytes.length)
        expect(emitIgmp(again, 0, message), name).to.equal(bytes.length)
        expect(again, name).to.deep.equal(bytes)
      }
    })
  })

  describe('when its extensions are not valid (RFC 9279 4)', () => {
    /** A report without records whose E bit is `extended`, with `tail` behind it. */
    const withTail = (extended: boolean, ...tail: number[]): Uint8Array =>
      Uint8Array.of(IGMP_V3_REPORT, 0, 0, 0, extended ? 0x80 : 0, 0, 0, 0, ...tail)

    it('ignores them all and keeps the message', () => {
      for (const tail of [
        [1],
        [0, 1, 0],
        [0, 1, 0, 5, 1],
        [0, 1, 0, 1, 9, 7],
        [0, 1, 0, 0, 0, 2, 255, 255],
      ]) {
        const message = createIgmp()
        expect(codeOf(withTail(true, ...tail), message), `${tail}`).to.equal(0)
        expect(message.extensions, `${tail}`).to.deep.equal([])
      }
    })

    it('ignores what stands behind the records without the E bit', () => {
      const message = createIgmp()
      expect(codeOf(withTail(false, 0, 1, 0, 0), message)).to.equal(0)
      expect(message.extensions).to.deep.equal([])
    })
  })

  describe('when it is a query', () => {
    it('tells the version by length and response time (RFC 3376 7.1)', () => {
      const versionOf = (...bytes: number[]): number => {
        const message = createIgmp()
        expect(codeOf(Uint8Array.from(bytes), message)).to.equal(0)
        return message.version
      }
      expect(versionOf(IGMP_QUERY, 0, 0, 0, 0, 0, 0, 0)).to.equal(1)
      expect(versionOf(IGMP_QUERY, 100, 0, 0, 0, 0, 0, 0)).to.equal(2)
      expect(versionOf(IGMP_QUERY, 0, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0)).to.equal(3)
    })

    it('is malformed between the lengths of two versions', () => {
      for (const length of [9, 10, 11])
        expect(codeOf(Uint8Array.of(IGMP_QUERY, 1, ...new Array(length - 2).fill(0)))).to.equal(MALFORMED)
    })
  })

  describe('when it is malformed', () => {
    it('refuses other types, wrong checksums and fewer than eight bytes', () => {
      for (const type of [0, 0x10, 0x13, 0x21, 0x23, 0xff])
        expect(codeOf(Uint8Array.of(type, 0, 0, 0, 0, 0, 0, 0))).to.equal(MALFORMED)
      const { bytes } = captured('igmp3')
      for (let end = 0; end < 8; end++) expect(parseIgmp(bytes, 0, end, createIgmp())).to.equal(MALFORMED)
      bytes[9]! ^= 1
      expect(parseIgmp(bytes, 0, bytes.length, createIgmp())).to.equal(MALFORMED)
    })

    it('refuses more sources, records or auxiliary data than there are', () => {
      for (const [at, value] of [
        [7, 3],
        [6, 0xff],
        [9, 9],
        [9, 0xff],
        [11, 5],
        [10, 0xff],
      ] as const) {
        const { bytes } = captured('igmp3')
        bytes[at] = value
        expect(codeOf(bytes), `byte ${at} = ${value}`).to.equal(MALFORMED)
      }
      const message = { ...createIgmp(), type: IGMP_QUERY, sources: Uint32Array.of(1, 2) }
      const bytes = new Uint8Array(igmpBytes(message))
      emitIgmp(bytes, 0, message)
      bytes[11] = 3
      expect(codeOf(bytes)).to.equal(MALFORMED)
    })
  })

  it('refuses to write auxiliary data that is not whole words', () => {
    const records = [{ type: 1, group: GROUP, sources: new Uint32Array(0), aux: new Uint8Array(3) }]
    expect(() => emitIgmp(new Uint8Array(64), 0, { ...createIgmp(), records })).to.throw(RangeError)
  })

  describe('interval codes', () => {
    it('are numbers below 128 and floating point above (RFC 3376 4.1.1)', () => {
      expect(decodeIntervalCode(127)).to.equal(127)
      expect(decodeIntervalCode(0x80)).to.equal(128)
      expect(decodeIntervalCode(0x8f)).to.equal(31 << 3)
      expect(decodeIntervalCode(0xff)).to.equal(31_744)
    })

    it('decode and encode to themselves, and encode downwards', () => {
      for (let code = 0; code < 256; code++)
        expect(encodeIntervalCode(decodeIntervalCode(code))).to.equal(code)
      fc.assert(
        fc.property(fc.nat(40_000), (value) => {
          const code = encodeIntervalCode(value)
          expect(decodeIntervalCode(code)).to.be.at.most(value)
          if (code < 255) expect(decodeIntervalCode(code + 1)).to.be.greaterThan(value)
        }),
        { numRuns: 500 },
      )
    })
  })
})
