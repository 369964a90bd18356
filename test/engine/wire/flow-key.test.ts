import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { formatFlowKey, hashFlowKey, joinPorts, reversePorts } from '../../../engine/wire/index.ts'
import { byte, port, word } from './samples.ts'

/** MurmurHash3 (x86, 32 bits) as published, in exact integers. */
function murmur3(words: readonly number[], seed: number): number {
  const mask = 0xffffffffn
  const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (32n - bits))) & mask
  let hash = BigInt(seed >>> 0)
  for (const each of words) {
    const mixed = (rotate((BigInt(each >>> 0) * 0xcc9e2d51n) & mask, 15n) * 0x1b873593n) & mask
    hash = (rotate(hash ^ mixed, 13n) * 5n + 0xe6546b64n) & mask
  }
  hash ^= BigInt(words.length * 4)
  hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & mask
  hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & mask
  return Number(BigInt.asIntN(32, hash ^ (hash >> 16n)))
}

describe('flow key', () => {
  it('reads as text', () => {
    expect(formatFlowKey(0x0a000001, 0xc0c00101, joinPorts(40_000, 80), 6)).to.equal(
      'tcp 10.0.0.1:40000 > 192.192.1.1:80',
    )
    expect(formatFlowKey(0x0a000001, 0xc0c00101 | 0, joinPorts(53, 65_535), 17)).to.equal(
      'udp 10.0.0.1:53 > 192.192.1.1:65535',
    )
    expect(formatFlowKey(1, 2, joinPorts(7, 0), 1)).to.equal('icmp 0.0.0.1 > 0.0.0.2 id 7')
    expect(formatFlowKey(1, 2, 0, 4)).to.equal('ip-in-ip 0.0.0.1 > 0.0.0.2')
    expect(formatFlowKey(1, 0xe0000005, 0, 89)).to.equal('protocol-89 0.0.0.1 > 224.0.0.5')
  })

  it('turns ports around', () => {
    fc.assert(
      fc.property(port, port, (from, to) => {
        expect(reversePorts(joinPorts(from, to))).to.equal(joinPorts(to, from))
        expect(joinPorts(from, to) >>> 16).to.equal(from)
        expect(joinPorts(from, to) & 0xffff).to.equal(to)
      }),
    )
  })

  describe('hash', () => {
    it('is MurmurHash3 of the four words', () => {
      fc.assert(
        fc.property(word, word, word, byte, word, (source, destination, ports, protocol, seed) => {
          const hash = hashFlowKey(source, destination, ports, protocol, seed)
          expect(hash).to.equal(murmur3([source, destination, ports, protocol], seed))
          expect(hashFlowKey(source | 0, destination | 0, ports | 0, protocol, seed | 0)).to.equal(hash)
        }),
        { numRuns: 300 },
      )
    })

    it('spreads a subnet of clients evenly over buckets, in every seed', () => {
      for (const seed of [0, 1, 0xdeadbeef]) {
        const buckets = new Uint32Array(64)
        for (let host = 0; host < 64 * 256; host++)
          buckets[
            hashFlowKey(0x0a000000 + host, 0xc0c00101, joinPorts(1024 + (host & 7), 80), 6, seed) & 63
          ]!++
        // Chi-square, 63 degrees of freedom: 103.4 is exceeded once in a thousand by chance.
        const chiSquare = buckets.reduce((total, count) => total + (count - 256) ** 2 / 256, 0)
        expect(chiSquare, `seed ${seed}`).to.be.lessThan(103.4)
      }
    })

    it('depends on the seed', () => {
      const same = Array.from({ length: 100 }, (_, seed) => hashFlowKey(1, 2, 3, 6, seed))
      expect(new Set(same).size).to.equal(100)
    })
  })
})
