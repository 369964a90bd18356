import { expect } from 'chai'
import { describe, it } from 'mocha'
import { NEVER } from '../../../engine/index.ts'
import { EngineLoop, type Waiting, type Worker } from '../../../router/engine-thread/engine-loop.ts'

/** Waits until it is woken, or until the test lets time pass. */
class Sleep implements Waiting {
  readonly timeouts: number[] = []
  readonly descriptors: (readonly number[])[] = []
  #end: (() => void) | undefined

  wait(descriptors: readonly number[], timeoutNs: number): Promise<void> {
    this.timeouts.push(timeoutNs)
    this.descriptors.push([...descriptors])
    return new Promise((settle) => {
      this.#end = settle
    })
  }

  wake(): void {
    this.#end?.()
  }
}

/** Work that comes in portions. */
class Portions implements Worker {
  polls = 0
  at = NEVER
  readonly #portions: number[]

  constructor(...portions: number[]) {
    this.#portions = portions
  }

  add(portion: number): void {
    this.#portions.push(portion)
  }

  poll(): number {
    this.polls++
    return this.#portions.shift() ?? 0
  }

  pollAt(): number {
    return this.at
  }
}

interface Bench {
  readonly loop: EngineLoop
  readonly sleep: Sleep
  readonly faults: unknown[]
  now: number
}

function bench(workers: readonly Worker[], stepNs = 1_000): Bench {
  const sleep = new Sleep()
  const faults: unknown[] = []
  const made = { sleep, faults, now: 0 } as unknown as { -readonly [K in keyof Bench]: Bench[K] }
  made.loop = new EngineLoop({
    workers,
    waiting: sleep,
    descriptors: () => [7, 9],
    clock: () => (made.now += stepNs),
    onFault: (error) => faults.push(error),
  })
  return made
}

const turns = async (count = 3) => {
  for (let i = 0; i < count; i++) await new Promise((settle) => setImmediate(settle))
}

describe('EngineLoop', () => {
  describe('when there is work', () => {
    it('goes on until nothing has moved for 50 us, then waits for the descriptors', async () => {
      const worker = new Portions(3, 2, 0, 1)
      const { loop, sleep } = bench([worker], 10_000)
      loop.start()
      await turns()
      expect(worker.polls).to.equal(4 + 5)
      expect(sleep.descriptors).to.deep.equal([[7, 9]])
      loop.stop()
    })

    it('gives the event loop a turn after a millisecond of it', async () => {
      const worker = new Portions(...Array.from({ length: 10 }, () => 1))
      const { loop } = bench([worker], 600_000)
      const seen: number[] = []
      loop.start()
      for (let i = 0; i < 8; i++) {
        await turns(1)
        seen.push(worker.polls)
      }
      expect(seen[0]).to.be.below(10)
      expect(worker.polls).to.equal(11)
      loop.stop()
    })
  })

  describe('when there is none', () => {
    it('sleeps until the earliest time that a worker names', async () => {
      const [one, other] = [new Portions(), new Portions()]
      one.at = 5_000_000
      other.at = 2_000_000
      const { loop, sleep } = bench([one, other])
      loop.start()
      await turns()
      expect(sleep.timeouts[0]).to.be.within(1_990_000, 2_000_000)
      loop.stop()
    })

    it('looks again after half a second where nobody names a time', async () => {
      const { loop, sleep } = bench([new Portions()])
      loop.start()
      await turns()
      expect(sleep.timeouts).to.deep.equal([500_000_000])
      loop.stop()
    })

    it('does not fall asleep for less than it takes to wake', async () => {
      const worker = new Portions()
      worker.at = 0
      const { loop, sleep } = bench([worker])
      loop.start()
      await turns(5)
      expect(sleep.timeouts).to.deep.equal([])
      expect(worker.polls).to.be.at.least(3)
      loop.stop()
    })
  })

  describe('when it is woken', () => {
    it('works at once', async () => {
      const worker = new Portions()
      const { loop } = bench([worker], 50_000)
      loop.start()
      await turns()
      const before = worker.polls
      worker.add(1)
      loop.wake()
      await turns()
      expect(worker.polls).to.equal(before + 2)
      loop.stop()
    })

    it('does not sleep over a wake that came during its work', async () => {
      const worker = new Portions()
      const loopOf: { loop?: EngineLoop } = {}
      const waker: Worker = {
        poll: () => {
          if (worker.polls === 1) loopOf.loop!.wake()
          return 0
        },
        pollAt: () => NEVER,
      }
      const { loop, sleep } = bench([worker, waker])
      loopOf.loop = loop
      loop.start()
      await turns(5)
      expect(worker.polls).to.equal(2)
      expect(sleep.timeouts).to.have.length(1)
      loop.stop()
    })
  })

  describe('when it is stopped', () => {
    it('works no more', async () => {
      const worker = new Portions()
      const { loop } = bench([worker])
      loop.start()
      await turns()
      loop.stop()
      const before = worker.polls
      worker.add(1)
      await turns()
      expect(worker.polls).to.equal(before)
    })
  })

  describe('when a worker throws', () => {
    it('tells it once and stops', async () => {
      const { loop, faults } = bench([
        {
          poll: () => {
            throw new Error('broken')
          },
          pollAt: () => NEVER,
        },
      ])
      loop.start()
      await turns()
      loop.wake()
      await turns()
      expect(faults).to.have.length(1)
    })
  })
})
