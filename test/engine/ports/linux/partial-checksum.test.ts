import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { completeChecksum } from '../../../../engine/ports/linux/partial-checksum.ts'
import { transportChecksumOk } from '../../../../engine/wire/index.ts'
import * as packets from '../../../support/packets.ts'

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)

/** A frame whose transport checksum, `at` bytes into the packet, says nothing. */
function unfinished(packet: Uint8Array, at: number, vlan = -1): Uint8Array {
  return packets.frameOf(MAC, MAC, packets.patched(packet, [at, 0x12], [at + 1, 0x34]), undefined, vlan)
}

const finish = (frame: Uint8Array): boolean => completeChecksum(frame, 0, frame.length)

describe('completeChecksum', () => {
  it('finishes TCP and UDP, also behind a tag and inside a tunnel', () => {
    const whole = [packets.udp({ data: 33 }), packets.tcp({ data: 7 })]
    const fields = [26, 36]
    for (const [each, packet] of whole.entries()) {
      const field = fields[each]!
      for (const vlan of [-1, 9]) {
        const frame = unfinished(packet, field, vlan)
        expect(finish(frame)).to.equal(true)
        expect([...frame]).to.deep.equal([...packets.frameOf(MAC, MAC, packet, undefined, vlan)])
      }
      const tunnelled = unfinished(packets.ipInIp(packet), field + 20)
      expect(finish(tunnelled)).to.equal(true)
      expect([...tunnelled]).to.deep.equal([...packets.frameOf(MAC, MAC, packets.ipInIp(packet))])
    }
  })

  it('finishes what lies in the middle of a buffer and leaves padding alone', () => {
    const frame = unfinished(packets.udp({ data: 3 }), 26)
    const buffer = new Uint8Array(frame.length + 30).fill(0xee)
    buffer.set(frame, 7)
    expect(completeChecksum(buffer, 7, buffer.length)).to.equal(true)
    expect(transportChecksumOk(buffer, 21, buffer.length)).to.equal(true)
    expect([...buffer.subarray(7 + frame.length)]).to.deep.equal(new Array(23).fill(0xee))
  })

  it('writes a UDP checksum of zero as all ones', () => {
    const data = new Uint8Array(2)
    for (let value = 0; value < 65536; value++) {
      data[0] = value >> 8
      data[1] = value
      const packet = packets.udp({ data })
      if (packet[26] !== 0xff || packet[27] !== 0xff) continue
      const frame = unfinished(packet, 26)
      expect(finish(frame)).to.equal(true)
      expect([...frame]).to.deep.equal([...packets.frameOf(MAC, MAC, packet)])
      return
    }
    throw new Error('no payload gives that sum')
  })

  it('refuses what it cannot finish and writes nothing', () => {
    const echo = packets.frameOf(MAC, MAC, packets.echo())
    const ipv6 = packets.frameOf(MAC, MAC, packets.udp(), 0x86dd)
    const [fragment] = packets.fragmentsOf(packets.udp({ data: 100 }), 64)
    const deep = [1, 2, 3, 4, 5, 6].reduce((inner) => packets.ipInIp(inner), packets.udp())
    for (const frame of [echo, ipv6, packets.frameOf(MAC, MAC, fragment!), packets.frameOf(MAC, MAC, deep)]) {
      const before = [...frame]
      expect(finish(frame)).to.equal(false)
      expect([...frame]).to.deep.equal(before)
    }
    const frame = unfinished(packets.tcp(), 36)
    for (let length = 0; length < frame.length; length++)
      expect(completeChecksum(frame, 0, length), `${length} bytes`).to.equal(false)
  })

  it('never throws and never writes outside of the frame', () => {
    const bytes = fc.uint8Array({ minLength: 0, maxLength: 80 })
    const like = bytes.map((tail) => Uint8Array.of(...new Uint8Array(12), 8, 0, 0x45, ...tail))
    fc.assert(
      fc.property(fc.oneof(bytes, like), (frame) => {
        const buffer = new Uint8Array(frame.length + 40).fill(0xee)
        buffer.set(frame, 20)
        completeChecksum(buffer, 20, 20 + frame.length)
        expect(buffer.subarray(0, 20).every((byte) => byte === 0xee)).to.equal(true)
        expect(buffer.subarray(20 + frame.length).every((byte) => byte === 0xee)).to.equal(true)
      }),
      { numRuns: 500 },
    )
  })
})
