import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { NEVER } from '../../../host/stack/time.ts'
import { Timer, TimerQueue } from '../../../host/stack/timers.ts'

describe('TimerQueue', () => {
  it('runs what is due in order of time, then of arming', () => {
    const queue = new TimerQueue()
    const ran: string[] = []
    const arm = (name: string, at: number): void => queue.arm(new Timer(() => ran.push(name)), at)
    arm('late', 30)
    arm('first', 10)
    arm('second', 10)
    arm('early', 5)
    expect(queue.next()).to.equal(5)
    queue.run(20)
    expect(ran).to.deep.equal(['early', 'first', 'second'])
    expect(queue.next()).to.equal(30)
    queue.run(30)
    expect(queue.next()).to.equal(NEVER)
  })

  it('runs timers that running timers arm for the same time', () => {
    const queue = new TimerQueue()
    let runs = 0
    const timer = new Timer(() => {
      if (++runs < 3) queue.arm(timer, 10)
    })
    queue.arm(timer, 10)
    queue.run(10)
    expect(runs).to.equal(3)
  })

  it('agrees with a sorted list for any arming, moving and cancelling', () => {
    const step = fc.tuple(fc.nat(19), fc.option(fc.nat(100)))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new TimerQueue()
        const model = new Map<number, { at: number; order: number }>()
        const ran: number[] = []
        const timers = Array.from({ length: 20 }, (_, i) => new Timer(() => ran.push(i)))
        steps.forEach(([index, at], order) => {
          if (at === null) {
            queue.cancel(timers[index])
            model.delete(index)
          } else {
            queue.arm(timers[index], at)
            model.set(index, { at, order })
          }
          expect(queue.next()).to.equal(Math.min(NEVER, ...[...model.values()].map((each) => each.at)))
          expect(queue.size).to.equal(model.size)
        })
        queue.run(1000)
        const expected = [...model].sort(([, one], [, other]) => one.at - other.at || one.order - other.order)
        expect(ran).to.deep.equal(expected.map(([index]) => index))
      }),
      { numRuns: 100 },
    )
  })
})
