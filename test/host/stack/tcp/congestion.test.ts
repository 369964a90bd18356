import { expect } from 'chai'
import { describe, it } from 'mocha'
import { Congestion, initialSegments } from '../../../../host/stack/tcp/congestion.ts'

describe('Congestion', () => {
  it('doubles in slow start and adds a segment a round trip after', () => {
    const congestion = new Congestion(1000, 2)
    congestion.threshold = 4000
    congestion.acknowledged(1000)
    congestion.acknowledged(1000)
    expect(congestion.window).to.equal(4000)
    for (let i = 0; i < 4; i++) congestion.acknowledged(1000)
    expect(congestion.window).to.equal(5000)
    for (let i = 0; i < 5; i++) congestion.acknowledged(1000)
    expect(congestion.window).to.equal(6000)
  })

  it('grows by one segment at most for one acknowledgment in slow start', () => {
    const congestion = new Congestion(1000, 2)
    congestion.acknowledged(50_000)
    expect(congestion.window).to.equal(3000)
  })

  it('halves on loss, two segments at least, and falls to one on timeout (RFC 5681 3.1)', () => {
    const congestion = new Congestion(1000, 10)
    congestion.enterRecovery(10_000)
    expect([congestion.threshold, congestion.window]).to.deep.equal([5000, 5000])
    congestion.timeout(3000, true)
    expect([congestion.threshold, congestion.window]).to.deep.equal([2000, 1000])
    congestion.timeout(1000, false)
    expect(congestion.threshold).to.equal(2000)
  })

  it('inflates and deflates in NewReno recovery (RFC 6582)', () => {
    const congestion = new Congestion(1000, 10)
    congestion.enterInflatedRecovery(10_000)
    expect(congestion.window).to.equal(8000)
    congestion.inflate()
    expect(congestion.window).to.equal(9000)
    congestion.deflate(3000)
    expect(congestion.window).to.equal(7000)
    congestion.leaveRecovery(2000)
    expect(congestion.window).to.equal(3000)
  })

  it('has the initial window of RFC 6928', () => {
    expect([536, 1460, 2190, 8960].map((size) => initialSegments(size, 10))).to.deep.equal([10, 10, 6, 2])
    expect(initialSegments(1460, 1)).to.equal(1)
  })
})
