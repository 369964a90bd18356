import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  adjust16,
  adjust32,
  adjustUdp16,
  adjustUdp32,
  checksum,
  fold,
  pseudoHeaderSum,
  read16,
  read32,
  sum,
  transportChecksumOk,
  write16,
  write32,
} from '../../../engine/wire/index.ts'
import { captured, frameOf } from './samples.ts'

/** The definition, word by word in exact integers. */
function reference(bytes: Uint8Array, initial = 0n): number {
  let total = initial
  for (let i = 0; i < bytes.length; i += 2) total += BigInt(bytes[i]! * 256 + (bytes[i + 1] ?? 0))
  while (total > 0xffffn) total = (total & 0xffffn) + (total >> 16n)
  return Number(total)
}

describe('checksum', () => {
  it('gives the sum of the example in RFC 1071 section 3', () => {
    const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7)
    expect(sum(bytes, 0, 8)).to.equal(0x2ddf0)
    expect(fold(sum(bytes, 0, 8))).to.equal(0xddf2)
    expect(checksum(bytes, 0, 8)).to.equal(0x220d)
  })

  it('equals exact arithmetic on any bytes, offsets and initial sums', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(20),
        fc.integer({ min: 0, max: 2 ** 30 }),
        (bytes, offset, initial) => {
          const from = Math.min(offset, bytes.length)
          expect(fold(sum(bytes, from, bytes.length, initial))).to.equal(
            reference(bytes.subarray(from), BigInt(initial)),
          )
        },
      ),
      { numRuns: 300 },
    )
  })

  it('stays exact for the longest packet of the largest bytes', () => {
    const bytes = new Uint8Array(65_535).fill(0xff)
    expect(fold(sum(bytes, 0, bytes.length, 2 ** 30 - 1))).to.equal(reference(bytes, 2n ** 30n - 1n))
  })

  it('is zero over bytes that hold a right checksum', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 99 }), (bytes) => {
        write16(bytes, 2, 0)
        write16(bytes, 2, checksum(bytes, 0, bytes.length))
        expect(checksum(bytes, 0, bytes.length)).to.equal(0)
      }),
    )
  })

  it('does not read beyond its end', () => {
    const bytes = Uint8Array.of(1, 2, 3, 255, 255)
    expect(sum(bytes, 0, 3)).to.equal(0x0102 + 0x0300)
  })
})

describe('checksum adjustment', () => {
  it('gives the result of the example in RFC 1624 section 4', () => {
    expect(adjust16(0xdd2f, 0x5555, 0x3285)).to.equal(0x0000)
  })

  it('equals recomputation for any 16-bit change of a header', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 20, maxLength: 20 }),
        fc.nat(9),
        fc.oneof(fc.nat(0xffff), fc.constantFrom(0, 0xffff)),
        (bytes, index, to) => {
          bytes[0] = 0x45
          write16(bytes, 10, 0)
          if (index === 0 || index === 5) return
          const before = checksum(bytes, 0, 20)
          const from = read16(bytes, index * 2)
          write16(bytes, index * 2, to)
          expect(adjust16(before, from, to)).to.equal(checksum(bytes, 0, 20))
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('equals recomputation for any change of an address, signed or unsigned', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 20, maxLength: 20 }),
        fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 0xffffffff, 0xffff, 0xffff0000)),
        (bytes, to) => {
          bytes[0] = 0x45
          write16(bytes, 10, 0)
          const before = checksum(bytes, 0, 20)
          const from = read32(bytes, 16)
          write32(bytes, 16, to)
          expect(adjust32(before, from, to)).to.equal(checksum(bytes, 0, 20))
          expect(adjust32(before, from | 0, to | 0)).to.equal(checksum(bytes, 0, 20))
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('equals recomputation under the rule of UDP that a computed zero is sent as 0xffff', () => {
    const full = (bytes: Uint8Array): number => checksum(bytes, 0, bytes.length) || 0xffff
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        fc.oneof(fc.nat(0xffff), fc.constantFrom(0, 0xffff)),
        fc.boolean(),
        (bytes, to, forceZero) => {
          bytes[0] = 17
          // The last word makes the new sum all ones where asked for, so that the checksum comes out as zero.
          const changed = Uint8Array.from(bytes)
          write16(changed, 4, to)
          if (forceZero) {
            write16(changed, 10, 0)
            write16(changed, 10, checksum(changed, 0, 12))
            write16(bytes, 10, read16(changed, 10))
            expect(full(changed)).to.equal(0xffff)
          }
          expect(adjustUdp16(full(bytes), read16(bytes, 4), to)).to.equal(full(changed))
          write32(changed, 4, to * 0x10001)
          expect(adjustUdp32(full(bytes), read32(bytes, 4), to * 0x10001)).to.equal(full(changed))
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('leaves an absent UDP checksum absent', () => {
    expect(adjustUdp16(0, 1, 2)).to.equal(0)
    expect(adjustUdp32(0, 1, 0x12345678)).to.equal(0)
  })
})

describe('transportChecksumOk', () => {
  const IPV4 = [...captured].filter(([, frame]) => read16(frame, 12) === 0x0800)

  it('accepts every captured packet', () => {
    for (const [name, frame] of IPV4)
      expect(transportChecksumOk(frame, 14, frame.length), name).to.equal(true)
  })

  for (const name of ['tcp_exid16', 'dns', 'icmp_adv', 'igmp3'])
    it(`refuses any other byte in ${name}`, () => {
      const frame = frameOf(name)
      const transport = 14 + (frame[14]! & 15) * 4
      for (let at = transport; at < frame.length; at++) {
        const changed = Uint8Array.from(frame)
        changed[at] ^= 0x41
        expect(transportChecksumOk(changed, 14, changed.length), `byte ${at}`).to.equal(false)
      }
    })

  it('has nothing to check in fragments, other protocols and UDP without a checksum', () => {
    const fragment = Uint8Array.from(frameOf('tcp_exid16'))
    fragment[20] = 0x20
    fragment[60]! ^= 1
    expect(transportChecksumOk(fragment, 14, fragment.length)).to.equal(true)
    const other = Uint8Array.from(frameOf('vrrp3'))
    other[40]! ^= 1
    expect(transportChecksumOk(other, 14, other.length)).to.equal(true)
    const without = Uint8Array.from(frameOf('mplsudp'))
    without[60]! ^= 1
    expect(transportChecksumOk(without, 14, without.length)).to.equal(true)
  })

  it('refuses lengths that contradict each other', () => {
    const frame = Uint8Array.from(frameOf('dns'))
    expect(transportChecksumOk(frame, 14, frame.length - 1)).to.equal(false)
    expect(transportChecksumOk(frame, 14, 30)).to.equal(false)
    write16(frame, 38, 7)
    expect(transportChecksumOk(frame, 14, frame.length)).to.equal(false)
  })

  it('sums the pseudo header as its twelve bytes', () => {
    fc.assert(
      fc.property(
        fc.nat(0xffffffff),
        fc.nat(0xffffffff),
        fc.nat(255),
        fc.nat(0xffff),
        (from, to, protocol, length) => {
          const bytes = new Uint8Array(12)
          write32(bytes, 0, from)
          write32(bytes, 4, to)
          bytes[9] = protocol
          write16(bytes, 10, length)
          expect(fold(pseudoHeaderSum(from, to, protocol, length))).to.equal(reference(bytes))
        },
      ),
    )
  })
})
