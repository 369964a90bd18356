import { expect } from 'chai'
import { describe, it } from 'mocha'
import { StopRequest, StopWatch } from '../../cli/stop.ts'

function watch(): { stop: StopWatch; ends: string[]; claims: () => number; at: (ms: number) => void } {
  const ends: string[] = []
  let claims = 0
  let now = 0
  const stop = new StopWatch({
    end: (signal) => ends.push(signal),
    claimed: () => claims++,
    clock: () => now,
  })
  return { stop, ends, claims: () => claims, at: (ms) => (now = ms) }
}

describe('StopWatch', () => {
  it('ends a command that does not care at the first request', () => {
    const { stop, ends } = watch()
    stop.request('SIGTERM')
    expect(ends).to.deep.equal(['SIGTERM'])
  })

  it('asks a command that cares to end in order', () => {
    const { stop, ends } = watch()
    const signal = stop.claim()
    stop.request('SIGINT')
    expect(ends).to.deep.equal([])
    expect(signal.aborted).to.equal(true)
    expect(signal.reason).to.be.instanceOf(StopRequest).and.include({ signal: 'SIGINT', exitCode: 130 })
  })

  it('ends it at the second request', () => {
    const { stop, ends, at } = watch()
    stop.claim()
    stop.request('SIGINT')
    at(501)
    stop.request('SIGINT')
    expect(ends).to.deep.equal(['SIGINT'])
  })

  it('takes what comes from terminal, launcher and npm together as one request', () => {
    const { stop, ends, at } = watch()
    stop.claim()
    stop.request('SIGINT')
    at(20)
    stop.request('SIGINT')
    at(400)
    stop.request('SIGTERM')
    expect(ends).to.deep.equal([])
  })

  it('ends at once on SIGQUIT', () => {
    const { stop, ends } = watch()
    stop.claim()
    stop.request('SIGINT')
    stop.request('SIGQUIT')
    expect(ends).to.deep.equal(['SIGQUIT'])
  })

  it('takes a launcher that is gone as a request', () => {
    const { stop } = watch()
    const signal = stop.claim()
    stop.abandoned()
    expect(signal.reason).to.include({ signal: 'SIGHUP' })
  })

  it('tells once that the command has taken over', () => {
    const { stop, claims } = watch()
    stop.claim()
    stop.claim()
    expect(claims()).to.equal(1)
  })
})
