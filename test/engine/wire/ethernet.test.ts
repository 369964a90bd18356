import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { dropCode } from '../../../engine/drop-reason.ts'
import {
  BROADCAST_MAC,
  createEthernet,
  ETHER_TYPE_ARP,
  ETHER_TYPE_IPV4,
  ETHER_TYPE_SERVICE_VLAN,
  ETHER_TYPE_VLAN,
  emitEthernet,
  formatMacAddress,
  macEquals,
  multicastMac,
  parseEthernet,
  parseIpv4Address,
  write16,
} from '../../../engine/wire/index.ts'
import { mac, port } from './samples.ts'

const TRUNCATED = dropCode('frame-truncated')

/** A frame with the given tags (type and contents each) before its type. */
function tagged(tags: readonly (readonly [type: number, contents: number])[], type: number): Uint8Array {
  const frame = new Uint8Array(14 + tags.length * 4 + 4)
  let at = 12
  for (const [tagType, contents] of tags) {
    write16(frame, at, tagType)
    write16(frame, at + 2, contents)
    at += 4
  }
  write16(frame, at, type)
  return frame
}

describe('ethernet', () => {
  it('reads what it wrote, at any offset', () => {
    const vlan = fc.integer({ min: -1, max: 4095 })
    fc.assert(
      fc.property(mac, mac, port, vlan, fc.nat(9), (destination, source, etherType, vlanId, offset) => {
        fc.pre(etherType !== ETHER_TYPE_VLAN && etherType !== ETHER_TYPE_SERVICE_VLAN)
        const bytes = new Uint8Array(64)
        const end = emitEthernet(bytes, offset, destination, source, etherType, vlanId)
        const header = createEthernet()
        expect(parseEthernet(bytes, offset, end, header)).to.equal(0)
        expect(header.etherType).to.equal(etherType)
        expect(header.vlan).to.equal(vlanId)
        expect(header.headerBytes).to.equal(end - offset)
        expect(macEquals(bytes, header.destinationOffset, destination)).to.equal(true)
        expect(macEquals(bytes, header.sourceOffset, source)).to.equal(true)
      }),
    )
  })

  describe('when it has tags', () => {
    it('reads id and priority of one', () => {
      const header = createEthernet()
      const frame = tagged([[ETHER_TYPE_VLAN, 0xb123]], ETHER_TYPE_IPV4)
      expect(parseEthernet(frame, 0, frame.length, header)).to.equal(0)
      expect(header).to.include({
        vlan: 0x123,
        innerVlan: -1,
        priority: 5,
        headerBytes: 18,
        etherType: 0x0800,
      })
    })

    it('reads both ids of two and the priority of the outer', () => {
      const header = createEthernet()
      const frame = tagged(
        [
          [ETHER_TYPE_SERVICE_VLAN, 0x2064],
          [ETHER_TYPE_VLAN, 0xe0c8],
        ],
        ETHER_TYPE_ARP,
      )
      expect(parseEthernet(frame, 0, frame.length, header)).to.equal(0)
      expect(header).to.include({
        vlan: 100,
        innerVlan: 200,
        priority: 1,
        headerBytes: 22,
        etherType: 0x0806,
      })
    })

    it('leaves a third tag as the type', () => {
      const header = createEthernet()
      const tag = [ETHER_TYPE_VLAN, 1] as const
      const frame = tagged([tag, tag, tag], ETHER_TYPE_IPV4)
      expect(parseEthernet(frame, 0, frame.length, header)).to.equal(0)
      expect(header).to.include({ etherType: ETHER_TYPE_VLAN, headerBytes: 22 })
    })

    it('forgets the tags of the frame before', () => {
      const header = createEthernet()
      parseEthernet(tagged([[ETHER_TYPE_VLAN, 0xffff]], ETHER_TYPE_IPV4), 0, 20, header)
      parseEthernet(tagged([], ETHER_TYPE_IPV4), 0, 14, header)
      expect(header).to.deep.equal({ ...createEthernet(), etherType: ETHER_TYPE_IPV4 })
    })
  })

  describe('when it is cut short', () => {
    it('is truncated before its type, whatever its tags', () => {
      for (const [tags, needed] of [
        [[], 14],
        [[[ETHER_TYPE_VLAN, 1]], 18],
        [
          [
            [ETHER_TYPE_SERVICE_VLAN, 1],
            [ETHER_TYPE_VLAN, 2],
          ],
          22,
        ],
      ] as const) {
        const frame = tagged(tags, ETHER_TYPE_IPV4)
        for (let end = 0; end < needed; end++)
          expect(parseEthernet(frame, 0, end, createEthernet()), `${end} of ${needed}`).to.equal(TRUNCATED)
        expect(parseEthernet(frame, 0, needed, createEthernet())).to.equal(0)
      }
    })
  })

  it('has no room to write beyond the buffer', () => {
    expect(() => emitEthernet(new Uint8Array(13), 0, BROADCAST_MAC, BROADCAST_MAC, 0x800)).to.throw(
      RangeError,
    )
    expect(() => emitEthernet(new Uint8Array(17), 0, BROADCAST_MAC, BROADCAST_MAC, 0x800, 1)).to.throw(
      RangeError,
    )
  })

  it('maps groups to MACs by their low 23 bits (RFC 1112 6.4)', () => {
    const text = (group: string): string => formatMacAddress(multicastMac(parseIpv4Address(group)!))
    expect(text('224.0.0.22')).to.equal('01:00:5e:00:00:16')
    expect(text('239.129.2.3')).to.equal('01:00:5e:01:02:03')
    expect(text('239.255.255.255')).to.equal('01:00:5e:7f:ff:ff')
  })
})
