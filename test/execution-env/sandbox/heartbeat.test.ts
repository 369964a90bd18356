import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { createStallWatch, Heartbeat } from '../../../execution-env/sandbox/heartbeat.ts'

describe('Heartbeat', () => {
  describe('when work takes its time', () => {
    it('is a stall only after the limit and the grace, whatever is looked at between', () => {
      const heartbeat = new Heartbeat()
      const watch = createStallWatch(heartbeat.memory)
      heartbeat.begin(100, 0, 42)
      expect(watch.stalled(1_000, 50)).to.deep.equal([])
      expect(watch.stalled(1_150, 50)).to.deep.equal([])
      expect(heartbeat.stalls()).to.equal(0)
      expect(watch.stalled(1_151, 50)).to.deep.equal([42])
      expect(heartbeat.stalls()).to.equal(1)
      heartbeat.end()
      expect(watch.stalled(9_000, 50)).to.deep.equal([])
      expect(watch.stalled(99_000, 50)).to.deep.equal([])
    })

    it('starts anew with every piece of work', () => {
      const heartbeat = new Heartbeat()
      const watch = createStallWatch(heartbeat.memory)
      for (let at = 0; at < 1_000; at += 90) {
        heartbeat.begin(100)
        expect(watch.stalled(at, 0)).to.deep.equal([])
        heartbeat.end()
      }
    })

    it('goes on under the limit that it had', () => {
      const heartbeat = new Heartbeat()
      const watch = createStallWatch(heartbeat.memory)
      heartbeat.begin(100)
      heartbeat.end()
      watch.stalled(0, 0)
      heartbeat.resume()
      expect(watch.stalled(10, 0)).to.deep.equal([])
      expect(watch.stalled(110, 0)).to.deep.equal([])
      expect(watch.stalled(111, 0)).to.have.length(1)
    })

    it('tells the slots apart', () => {
      const heartbeat = new Heartbeat(3)
      const watch = createStallWatch(heartbeat.memory)
      heartbeat.begin(10, 0, 100)
      heartbeat.begin(1_000, 1, 101)
      heartbeat.begin(10, 2, 102)
      watch.stalled(0, 0)
      heartbeat.end(2)
      expect(watch.stalled(500, 0)).to.deep.equal([100])
    })
  })

  describe('when the watcher sleeps on another thread', () => {
    it('wakes it with the first work', async () => {
      const heartbeat = new Heartbeat()
      const worker = new Worker(
        `const { parentPort, workerData } = require('node:worker_threads');
         ${createStallWatch}
         const watch = createStallWatch(workerData);
         parentPort.postMessage('asleep');
         watch.sleep(1, 2 ** 30);
         parentPort.postMessage('awake');`,
        { eval: true, workerData: heartbeat.memory },
      )
      const messages: string[] = []
      const awake = new Promise<void>((resolve) => {
        worker.on('message', (message: string) => {
          messages.push(message)
          if (message === 'asleep') heartbeat.begin(1)
          else resolve()
        })
      })
      await awake
      expect(messages).to.deep.equal(['asleep', 'awake'])
      await worker.terminate()
    })
  })
})
