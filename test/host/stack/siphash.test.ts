import { expect } from 'chai'
import { describe, it } from 'mocha'
import { sipHash } from '../../../host/stack/siphash.ts'

describe('sipHash', () => {
  it("gives the low half of the reference implementation's vector for 12 bytes", () => {
    // vectors_sip64[12] of github.com/veorq/SipHash: fb e5 0e 86 bc 8f 1e 75; key 00..0f, input 00..0b.
    const key = [0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c] as const
    expect(sipHash(key, 0x03020100, 0x07060504, 0x0b0a0908)).to.equal(0x860ee5fb)
  })

  it('depends on every word of key and input', () => {
    const values = new Set<number>()
    const key = [1, 2, 3, 4] as const
    values.add(sipHash(key, 5, 6, 7))
    for (let i = 0; i < 4; i++)
      values.add(sipHash(Object.assign([...key], { [i]: 99 }) as unknown as typeof key, 5, 6, 7))
    values
      .add(sipHash(key, 99, 6, 7))
      .add(sipHash(key, 5, 99, 7))
      .add(sipHash(key, 5, 6, 99))
    expect(values.size).to.equal(8)
  })
})
