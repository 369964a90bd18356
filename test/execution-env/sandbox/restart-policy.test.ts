import { expect } from 'chai'
import { describe, it } from 'mocha'
import { Backoff, CrashBook, RESTART_POLICY } from '../../../execution-env/sandbox/restart-policy.ts'

const policy = {
  ...RESTART_POLICY,
  firstDelayNs: 100,
  longestDelayNs: 1_000,
  calmNs: 5_000,
  crashesMax: 3,
  windowNs: 10_000,
}

describe('Backoff', () => {
  it('restarts at once, then waits twice as long each time, up to the longest', () => {
    const backoff = new Backoff(policy)
    const delays: number[] = []
    let now = 0
    for (let crash = 0; crash < 7; crash++) {
      const at = backoff.crashed(now)
      delays.push(at - now)
      now = at + 10
    }
    expect(delays).to.deep.equal([0, 100, 200, 400, 800, 1_000, 1_000])
  })

  it('forgets after a calm time', () => {
    const backoff = new Backoff(policy)
    backoff.crashed(0)
    expect(backoff.crashed(10)).to.equal(110)
    expect(backoff.crashed(5_010)).to.equal(5_210)
    expect(backoff.crashed(10_011)).to.equal(10_011)
  })
})

describe('CrashBook', () => {
  it('quarantines an instance that crashes too often within the window', () => {
    const book = new CrashBook(policy)
    expect([book.blame('a', 0), book.blame('a', 1), book.blame('b', 2)]).to.deep.equal([false, false, false])
    expect(book.isQuarantined('a')).to.equal(false)
    expect(book.blame('a', 10_000)).to.equal(true)
    expect(book.quarantined).to.deep.equal(['a'])
    expect(book.blame('a', 10_001)).to.equal(false)
  })

  it('forgets crashes outside the window', () => {
    const book = new CrashBook(policy)
    book.blame('a', 0)
    book.blame('a', 1)
    expect(book.blame('a', 10_002)).to.equal(false)
    expect(book.isQuarantined('a')).to.equal(false)
  })

  it('pardons', () => {
    const book = new CrashBook(policy)
    for (const at of [0, 1, 2]) book.blame('a', at)
    book.pardon('a')
    expect([book.isQuarantined('a'), book.isSuspect('a')]).to.deep.equal([false, false])
    expect(book.blame('a', 3)).to.equal(false)
    expect([book.isSuspect('a'), book.isSuspect('b')]).to.deep.equal([true, false])
  })
})
