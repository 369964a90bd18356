import { expect } from 'chai'
import { describe, it } from 'mocha'
import { hashFlow, hashName, hashSource } from '../../../sdk/policies/index.ts'
import { flow, indices } from './kit.ts'

/** Largest and smallest share of 64 buckets, 1 being even. */
function spread(hashes: readonly number[], shift: number): [number, number] {
  const counts = new Uint32Array(64)
  for (const hash of hashes) counts[(hash >>> shift) % 64]!++
  return [Math.min(...counts) / (hashes.length / 64), Math.max(...counts) / (hashes.length / 64)]
}

describe('the hashes', () => {
  it('are MurmurHash3: its published values', () => {
    const word = (text: string) => Buffer.from(text, 'latin1').readUInt32LE()
    const source = (text: string) => ({ ...flow(0), source: word(text) })
    expect(hashSource(source('\0\0\0\0'))).to.equal(0x2362f9de)
    expect(hashSource(source('aaaa'), 0x9747b28c)).to.equal(0x5a97808a)
    expect(hashSource(source('abcd'), 0x9747b28c)).to.equal(0xf0478627)
    expect(hashName('')).to.equal(0)
    expect(hashName('', 1)).to.equal(0x514e28b7)
  })

  it('depend on every field of a flow', () => {
    const one = flow(1)
    const others = [
      { ...one, source: one.source + 1 },
      { ...one, destination: one.destination + 1 },
      { ...one, protocol: 17 },
      { ...one, fromPort: one.fromPort + 1 },
      { ...one, toPort: one.toPort + 1 },
    ]
    expect(new Set([one, ...others].map((each) => hashFlow(each)))).to.have.property('size', 6)
    expect(hashFlow(one, 1)).not.to.equal(hashFlow(one, 2))
    expect(hashFlow({ ...one })).to.equal(hashFlow(one))
  })

  it('keep a client together by its source', () => {
    expect(hashSource(flow(0)))
      .to.equal(hashSource(flow(49)))
      .and.not.equal(hashSource(flow(50)))
  })

  for (const shift of [0, 13, 26])
    it(`spread flows of neighbouring addresses and ports evenly, bits from ${shift} on`, () => {
      const [least, most] = spread(
        indices(64_000).map((index) => hashFlow(flow(index))),
        shift,
      )
      expect(least).to.be.greaterThan(0.85)
      expect(most).to.be.lessThan(1.15)
    })
})
