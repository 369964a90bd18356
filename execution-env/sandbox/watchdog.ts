/**
 * A thread inside the sandbox process that ends it: when a call does not come back although its timeout has passed
 * (what runs cannot be interrupted then), when the process takes too much memory, and when the router is gone. The
 * one idea: it shares nothing with the thread that it watches but a counter, and it does not ask, it kills.
 *
 * Its last words, a frame on the same pipe, tell the router why.
 */
import { Worker } from 'node:worker_threads'
import { LAST_WORDS, textFrame } from './frame.ts'
import { createStallWatch, type Heartbeat } from './heartbeat.ts'

/** What the watchdog is told at its start. */
export interface WatchdogSettings {
  readonly memoryBytes: number
  readonly graceMs: number
  /** The router's process: without it there is nothing to do. */
  readonly parent: number
  /** Where its last words go. */
  readonly writeFd: number
}

interface Orders extends WatchdogSettings {
  readonly memory: SharedArrayBuffer
  /** How often it looks while a call is under way, and at least. */
  readonly tickMs: number
  readonly idleMs: number
  readonly lastWords: Readonly<Record<'memory' | 'timeout' | 'closed', Uint8Array>>
}

/** The thread's program. Self-contained but for `createStallWatch`. */
function watch(orders: Orders, write: (fd: number, bytes: Uint8Array) => number): never {
  const stalls = createStallWatch(orders.memory)
  const kill = (words: Uint8Array): never => {
    try {
      write(orders.writeFd, words)
    } catch {
      // Nobody listens any more.
    }
    for (;;) process.kill(process.pid, 'SIGKILL')
  }
  for (;;) {
    stalls.sleep(orders.tickMs, orders.idleMs)
    if (process.memoryUsage.rss() > orders.memoryBytes) kill(orders.lastWords.memory)
    if (stalls.stalled(performance.now(), orders.graceMs).length > 0) kill(orders.lastWords.timeout)
    if (process.ppid !== orders.parent) kill(orders.lastWords.closed)
  }
}

const PROGRAM = `'use strict';
const { parentPort, workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
${createStallWatch}
${watch}
parentPort.postMessage('watching');
watch(workerData, writeSync);`

/** Starts the thread; resolves when it watches. The process does not outlive it. */
export function startWatchdog(heartbeat: Heartbeat, settings: WatchdogSettings): Promise<void> {
  const words = (reason: string): Uint8Array => textFrame(LAST_WORDS, 0, reason)
  const orders: Orders = {
    ...settings,
    memory: heartbeat.memory,
    tickMs: 10,
    idleMs: 500,
    lastWords: { memory: words('memory'), timeout: words('timeout'), closed: words('closed') },
  }
  const worker = new Worker(PROGRAM, {
    eval: true,
    workerData: orders,
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 },
    env: {},
    execArgv: [],
  })
  return new Promise((resolve, reject) => {
    worker.once('message', () => resolve())
    worker.once('error', reject)
    worker.once('exit', () => process.kill(process.pid, 'SIGKILL'))
  })
}
