import { expect } from 'chai'
import { describe, it } from 'mocha'
import { RtoEstimator } from '../../../../host/stack/tcp/rto.ts'

const MS = 1_000_000
const SECOND = 1000 * MS
const bounds = { minimumNs: 200 * MS, maximumNs: 60 * SECOND }

describe('RtoEstimator', () => {
  it('starts with one second (RFC 6298 2.1)', () => {
    expect(new RtoEstimator(bounds).value).to.equal(SECOND)
  })

  it('takes R + 4 R/2 after the first sample (2.2) and smooths after (2.3)', () => {
    const rto = new RtoEstimator({ minimumNs: MS, maximumNs: 60 * SECOND })
    rto.sample(100 * MS)
    expect(rto.value).to.equal(300 * MS)
    rto.sample(200 * MS)
    // RTTVAR = 3/4 50 + 1/4 100 = 62.5; SRTT = 7/8 100 + 1/8 200 = 112.5; RTO = 112.5 + 250.
    expect(rto.value).to.equal(362.5 * MS)
  })

  it('stays within its bounds', () => {
    const rto = new RtoEstimator(bounds)
    rto.sample(MS)
    expect(rto.value).to.equal(200 * MS)
    rto.sample(600 * SECOND)
    expect(rto.value).to.equal(60 * SECOND)
  })

  it('doubles with each expiration up to its bound, and a sample takes that back (5.5, Karn)', () => {
    const rto = new RtoEstimator(bounds)
    rto.sample(100 * MS)
    const values = Array.from({ length: 10 }, () => {
      rto.expired()
      return rto.value / MS
    })
    expect(values).to.deep.equal([600, 1200, 2400, 4800, 9600, 19_200, 38_400, 60_000, 60_000, 60_000])
    rto.sample(100 * MS)
    expect(rto.value).to.be.lessThan(300 * MS)
  })

  it('starts anew with three seconds after a repeated handshake without a sample (5.7)', () => {
    const rto = new RtoEstimator(bounds)
    rto.expired()
    rto.fallBack()
    expect(rto.value).to.equal(3 * SECOND)
    rto.sample(100 * MS)
    rto.fallBack()
    expect(rto.value).to.equal(300 * MS)
  })
})
