import { expect } from 'chai'
import { describe, it } from 'mocha'
import { exampleLab, simulate } from '../support/labs.ts'

describe('the example labs', () => {
  for (const name of [
    'three-servers',
    'classes',
    'bad-weather',
    'round-robin',
    'consistent-hash',
    'time-of-day',
    'service-level-routing',
  ])
    it(`${name} meets its expectations and conserves every packet`, async () => {
      const report = await simulate(exampleLab(name))
      expect(report.expectations.filter((each) => !each.met)).to.deep.equal([])
      expect(report.expectations.length).to.be.greaterThan(3)
      expect(report.conservation).to.equal(true)
    }).timeout(60_000)
})
