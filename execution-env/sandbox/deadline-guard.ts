/**
 * A thread of the router that kills a sandbox process for which the router waits too long. The one idea: a thread
 * that is blocked in a read cannot look at a clock, so another one does. The child's own watchdog is faster; this
 * one is for a child that has none any more.
 */
import { Worker } from 'node:worker_threads'
import { createStallWatch, Heartbeat } from './heartbeat.ts'

interface Orders {
  readonly memory: SharedArrayBuffer
  readonly tickMs: number
  readonly idleMs: number
}

/** The thread's program. Self-contained but for `createStallWatch`. */
function guard(orders: Orders): never {
  const stalls = createStallWatch(orders.memory)
  for (;;) {
    stalls.sleep(orders.tickMs, orders.idleMs)
    for (const pid of stalls.stalled(performance.now(), 0))
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It is gone already.
      }
  }
}

const PROGRAM = `'use strict';
const { workerData } = require('node:worker_threads');
${createStallWatch}
${guard}
guard(workerData);`

let shared: DeadlineGuard | undefined

export class DeadlineGuard {
  readonly #heartbeat = new Heartbeat()
  #stallsBefore = 0

  /** The guard of this thread, which waits for one process at a time. */
  static ofThread(): DeadlineGuard {
    shared ??= new DeadlineGuard()
    return shared
  }

  constructor() {
    const orders: Orders = { memory: this.#heartbeat.memory, tickMs: 50, idleMs: 60_000 }
    const worker = new Worker(PROGRAM, {
      eval: true,
      workerData: orders,
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 },
      execArgv: [],
    })
    worker.unref()
  }

  /** Says that this thread waits for a process, which is killed after `limitMs`. */
  begin(limitMs: number, pid: number): void {
    this.#stallsBefore = this.#heartbeat.stalls()
    this.#heartbeat.begin(limitMs, 0, pid)
  }

  /** Says that it waits no longer. @returns whether the process was killed */
  end(): boolean {
    this.#heartbeat.end()
    return this.#heartbeat.stalls() !== this.#stallsBefore
  }
}
