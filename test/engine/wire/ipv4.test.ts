import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { dropCode } from '../../../engine/drop-reason.ts'
import {
  checksum,
  createIpv4,
  emitIpv4,
  findOption,
  hasRouterAlert,
  type Ipv4Fields,
  ipv4HeaderBytes,
  optionsAcceptable,
  parseIpv4,
  ROUTER_ALERT,
  walkOptions,
  write16,
} from '../../../engine/wire/index.ts'
import { frameOf, ipv4Fields } from './samples.ts'

/** A header of 20 bytes with a payload of `payloadBytes` zeros. */
function packetOf(fields: Partial<Ipv4Fields> = {}, payloadBytes = 0): Uint8Array {
  const header = { ...createIpv4(), ...fields }
  header.totalBytes = ipv4HeaderBytes(header.options) + payloadBytes
  const bytes = new Uint8Array(header.totalBytes)
  emitIpv4(bytes, 0, header)
  return bytes
}

/** Rewrites the checksum of the header after a change. */
function repair(bytes: Uint8Array): Uint8Array {
  write16(bytes, 10, 0)
  write16(bytes, 10, checksum(bytes, 0, (bytes[0]! & 15) * 4))
  return bytes
}

describe('ipv4', () => {
  it('reads what it wrote, at any offset, with and without options and fragmentation', () => {
    fc.assert(
      fc.property(
        ipv4Fields,
        fc.nat(9),
        fc.nat(40),
        fc.nat(8191),
        fc.boolean(),
        (fields, offset, payloadBytes, eighths, more) => {
          const header = { ...fields, fragmentOffset: eighths * 8, moreFragments: more }
          header.totalBytes = ipv4HeaderBytes(fields.options) + payloadBytes
          const bytes = new Uint8Array(128)
          const end = emitIpv4(bytes, offset, header)
          const read = createIpv4()
          expect(parseIpv4(bytes, offset, offset + header.totalBytes, read)).to.equal(0)
          expect(read).to.deep.include({ ...header, options: undefined, headerBytes: end - offset })
          expect(read.checksum).to.equal(bytes[offset + 10]! * 256 + bytes[offset + 11]!)
          if (header.options !== undefined)
            expect(bytes.slice(offset + 20, offset + 20 + header.options.length)).to.deep.equal(
              header.options,
            )
        },
      ),
      { numRuns: 300 },
    )
  })

  it('reads a captured header', () => {
    const read = createIpv4()
    const frame = frameOf('ipip')
    expect(parseIpv4(frame, 14, frame.length, read)).to.equal(0)
    expect(read).to.include({
      headerBytes: 20,
      tos: 0x28,
      totalBytes: frame.length - 14,
      dontFragment: true,
      moreFragments: false,
      ttl: 64,
      protocol: 4,
      source: 0x0a000001,
      destination: 0x0a000002,
    })
  })

  it('allows padding behind the packet', () => {
    const bytes = new Uint8Array(46)
    bytes.set(packetOf({}, 6))
    const read = createIpv4()
    expect(parseIpv4(bytes, 0, bytes.length, read)).to.equal(0)
    expect(read.totalBytes).to.equal(26)
  })

  describe('when it is malformed', () => {
    const codeOf = (bytes: Uint8Array, end = bytes.length): number => parseIpv4(bytes, 0, end, createIpv4())

    it('is truncated below 20 bytes', () => {
      const packet = packetOf()
      for (let end = 0; end < 20; end++) expect(codeOf(packet, end)).to.equal(dropCode('ip-truncated'))
    })

    it('has another version', () => {
      const packet = packetOf()
      for (const version of [0, 5, 6, 15]) {
        packet[0] = (version << 4) | 5
        expect(codeOf(repair(packet))).to.equal(dropCode('ip-version'))
      }
    })

    it('has an impossible header length', () => {
      const packet = packetOf({}, 20)
      for (const words of [0, 1, 4, 11, 15]) {
        packet[0] = 0x40 | words
        expect(codeOf(packet)).to.equal(dropCode('ip-header-length'))
      }
    })

    it('claims a total length below its header or beyond the frame', () => {
      const packet = packetOf({ options: ROUTER_ALERT }, 8)
      for (const totalBytes of [0, 19, 20, 23, 33, 65_535]) {
        write16(packet, 2, totalBytes)
        expect(codeOf(repair(packet)), `${totalBytes}`).to.equal(dropCode('ip-total-length'))
      }
    })

    it('has any single wrong bit in its header', () => {
      const packet = packetOf({ source: 0x0a000001, destination: 0x0a000002, options: ROUTER_ALERT }, 8)
      for (let bit = 8; bit < 24 * 8; bit++) {
        const changed = Uint8Array.from(packet)
        changed[bit >>> 3]! ^= 1 << (bit & 7)
        expect(codeOf(changed), `bit ${bit}`).to.be.oneOf([
          dropCode('ip-checksum'),
          dropCode('ip-total-length'),
        ])
      }
    })
  })

  describe('when it has options', () => {
    it('pads them with zeros and refuses more than 40 bytes', () => {
      const packet = packetOf({ options: Uint8Array.of(1, 1, 1, 1, 1) })
      expect(packet[0]).to.equal(0x47)
      expect([...packet.subarray(20)]).to.deep.equal([1, 1, 1, 1, 1, 0, 0, 0])
      expect(() => packetOf({ options: new Uint8Array(41) })).to.throw(RangeError)
    })

    it('finds Router Alert', () => {
      const frame = frameOf('igmp3')
      expect(hasRouterAlert(frame, 14, 24)).to.equal(true)
      expect(hasRouterAlert(packetOf({ options: ROUTER_ALERT }), 0, 24)).to.equal(true)
      expect(hasRouterAlert(packetOf({ options: Uint8Array.of(1, 1, 148, 4, 0, 0) }), 0, 28)).to.equal(true)
      expect(hasRouterAlert(packetOf({ options: Uint8Array.of(148, 3, 0) }), 0, 24)).to.equal(false)
      expect(hasRouterAlert(packetOf(), 0, 20)).to.equal(false)
    })

    it('walks them without padding, up to the end of the list', () => {
      const seen: number[][] = []
      const list = Uint8Array.of(1, 7, 3, 4, 1, 68, 4, 5, 0, 0, 99, 2)
      expect(walkOptions(list, 0, list.length, (...option) => seen.push(option))).to.equal(true)
      expect(seen).to.deep.equal([
        [7, 1, 3],
        [68, 5, 4],
      ])
      expect(findOption(list, 0, list.length, 68)).to.equal(5)
      expect(findOption(list, 0, list.length, 99)).to.equal(-1)
    })

    it('refuses lists whose lengths lie, after what came before', () => {
      for (const list of [[7], [7, 0], [7, 1], [7, 3], [1, 7, 3, 4, 148, 5, 0, 0]]) {
        const bytes = Uint8Array.from(list)
        expect(
          walkOptions(bytes, 0, bytes.length, () => {}),
          `${list}`,
        ).to.equal(false)
        expect(optionsAcceptable(bytes, 0, bytes.length), `${list}`).to.equal(false)
      }
    })

    it('does not accept source routing, wherever it stands', () => {
      const acceptable = (...list: number[]): boolean =>
        optionsAcceptable(Uint8Array.from(list), 0, list.length)
      expect(acceptable(131, 3, 4)).to.equal(false)
      expect(acceptable(1, 148, 4, 0, 0, 137, 3, 4)).to.equal(false)
      expect(acceptable(148, 4, 0, 0)).to.equal(true)
      expect(acceptable(0, 131, 3, 4)).to.equal(true)
      expect(acceptable()).to.equal(true)
    })
  })
})
