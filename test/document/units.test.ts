import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { BIT_RATE, DURATION, FREQUENCY, type Quantity, SHARE, SIZE } from '../../lab/index.ts'

const ALL: Readonly<Record<string, Quantity>> = { DURATION, BIT_RATE, SIZE, SHARE, FREQUENCY }

describe('quantities', () => {
  const cases: readonly (readonly [Quantity, string | number, number | undefined])[] = [
    [DURATION, '2ms', 2e6],
    [DURATION, '1.5s', 1.5e9],
    [DURATION, '1h', 3600e9],
    [DURATION, '10m', 600e9],
    [DURATION, '7us', 7000],
    [DURATION, '0.4ns', 0],
    [DURATION, 0, 0],
    [DURATION, 2, undefined],
    [DURATION, '2', undefined],
    [DURATION, '2 ms', undefined],
    [DURATION, '-2ms', undefined],
    [DURATION, '1e3s', undefined],
    [BIT_RATE, '100Mbps', 100e6],
    [BIT_RATE, '0.5Gbps', 500e6],
    [BIT_RATE, '64kbps', 64e3],
    [BIT_RATE, '100mbps', undefined],
    [BIT_RATE, 100, undefined],
    [SIZE, '10k', 10_000],
    [SIZE, '1.5M', 1.5e6],
    [SIZE, '2kB', 2000],
    [SIZE, '7', 7],
    [SIZE, 500, 500],
    [SIZE, 1.5, undefined],
    [SIZE, -1, undefined],
    [SIZE, '1KiB', undefined],
    [SHARE, '0.5%', 0.005],
    [SHARE, '100%', 1],
    [SHARE, 0, 0],
    [SHARE, 0.5, undefined],
    [FREQUENCY, '50/s', 50],
    [FREQUENCY, '30/m', 0.5],
    [FREQUENCY, '50', undefined],
  ]
  for (const [quantity, text, value] of cases)
    it(`reads ${JSON.stringify(text)} as ${value}`, () => {
      expect(quantity.parse(text)).to.equal(value)
    })

  for (const [name, quantity] of Object.entries(ALL))
    it(`accepts as ${name} exactly the texts of its schema pattern, finite and not negative`, () => {
      const pattern = new RegExp(quantity.pattern)
      const text = fc.oneof(fc.stringMatching(pattern), fc.string({ maxLength: 8 }))
      const agrees = (each: string) => {
        const value = quantity.parse(each)
        return pattern.test(each)
          ? value !== undefined && Number.isFinite(value) && value >= 0
          : value === undefined
      }
      fc.assert(fc.property(text, agrees), { numRuns: 200 })
    })
})
