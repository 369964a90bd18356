import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { Look } from '../../../cli/dev/look.ts'
import { DevLoop } from '../../../cli/dev/loop.ts'

/** Steps whose looks end when the test says so. */
class Steps {
  readonly signals: AbortSignal[] = []
  readonly settled: Look[] = []
  readonly #open: ((look: Look | Error) => void)[] = []

  look(signal: AbortSignal): Promise<Look> {
    this.signals.push(signal)
    return new Promise((settle, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
      this.#open.push((each) => (each instanceof Error ? reject(each) : settle(each)))
    })
  }

  async settle(look: Look): Promise<void> {
    this.settled.push(look)
  }

  finish(number: number, look: Look | Error = LOOK): void {
    this.#open[number]!(look)
  }
}

const LOOK: Look = { built: undefined, problems: [], types: [], tests: undefined }

describe('DevLoop', () => {
  it('looks once at what has changed, and tells', async () => {
    const steps = new Steps()
    const done = new DevLoop(steps).changed()
    steps.finish(0)
    await done
    expect(steps.settled).to.deep.equal([LOOK])
  })

  it('gives up a look for a newer change, and tells only of the last', async () => {
    const steps = new Steps()
    const loop = new DevLoop(steps)
    const first = loop.changed()
    const second = loop.changed()
    expect(steps.signals[0]!.aborted).to.equal(true)
    await new Promise((resolve) => setImmediate(resolve))
    expect(steps.signals).to.have.length(2)
    steps.finish(1)
    await Promise.all([first, second])
    expect(steps.settled).to.have.length(1)
    const third = loop.changed()
    steps.finish(2)
    await third
    expect(steps.settled).to.have.length(2)
  })

  it('ends the look under way, and takes no further change', async () => {
    const steps = new Steps()
    const loop = new DevLoop(steps)
    const done = loop.changed()
    await loop.end()
    await done
    await loop.changed()
    expect(steps.signals).to.have.length(1)
    expect(steps.settled).to.deep.equal([])
  })

  it('fails as its steps do', async () => {
    const steps = new Steps()
    const done = new DevLoop(steps).changed()
    steps.finish(0, new Error('not I'))
    expect(await done.catch(String)).to.equal('Error: not I')
  })
})
