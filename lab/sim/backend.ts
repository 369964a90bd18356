/**
 * The `sim` backend: labs in virtual time, on any system, without privileges. `run` goes as fast as it can, `up` is
 * paced by the wall clock.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Backend, Capabilities, RunOptions } from '../backend.ts'
import { DEFAULT_EPOCH_MS, type Lab } from '../file/index.ts'
import type { Measurements } from '../report.ts'
import { LabControl } from './lab-control.ts'
import { LabPlugins } from './lab-plugins.ts'
import { measure } from './measure.ts'
import { type OpenCapture, Simulation } from './simulation.ts'

/** Events between two looks at the wall clock. */
const SLICE = 2000
/** Wall time after which the event loop gets a turn. */
const TURN_MS = 50
const SNAPSHOT_MS = 1000

const CAPABILITIES: Capabilities = {
  epoch: true,
  rootseed: true,
  hosts: true,
  'host-routes': true,
  'virtual-hosts': true,
  'host-agent': true,
  'client-http': true,
  'client-http-keep-alive': true,
  'client-tcp': true,
  'client-udp': true,
  'client-ping': true,
  'client-from': true,
  'service-http': true,
  'service-tcp': true,
  'service-udp': true,
  routers: true,
  'router-routes': true,
  'router-policy': true,
  'router-plugins': true,
  'link-rate': true,
  'link-delay': true,
  'link-jitter': true,
  'link-loss': true,
  'link-reorder': true,
  'link-duplicate': true,
  'link-corrupt': true,
  'link-mtu': true,
  'link-queue': true,
  'event-fail': true,
  'event-recover': true,
  'event-cut': true,
  'event-heal': true,
  'event-set': true,
  'event-load': true,
  'event-upgrade': true,
  'event-unload': true,
  'event-kill': true,
}

export const simBackend: Backend = {
  name: 'sim',
  capabilities: CAPABILITIES,

  run: (lab, options) => simulate(lab, options, false),
  up: (lab, options) => simulate(lab, options, true),
  // A simulated lab lives in its process and leaves nothing behind.
  down: async () => ({ found: false, removed: [] }),
}

async function simulate(file: Lab, options: RunOptions, paced: boolean): Promise<Measurements> {
  // A lab that is kept up is met by people and their certificates: its calendar is theirs unless it says otherwise.
  const lab = paced && file.epochMs === DEFAULT_EPOCH_MS ? { ...file, epochMs: Date.now() } : file
  let control: LabControl | undefined
  const captures = new CaptureFiles(options.captureFolder)
  const plugins = await LabPlugins.prepare(lab, paced, options.trust)
  try {
    const started = performance.now()
    const simulation = new Simulation(lab, captures.open, plugins)
    if (paced && plugins !== undefined) control = await LabControl.open(simulation, plugins)
    if (paced) await pace(simulation, options, control)
    else await race(simulation, options)
    return measure(simulation, (performance.now() - started) / 1000)
  } finally {
    captures.close()
    await control?.close()
    await plugins?.close()
  }
}

/** As fast as it goes, with a turn for the event loop now and then. */
async function race(simulation: Simulation, { signal, onProgress }: RunOptions): Promise<void> {
  let turnAt = performance.now() + TURN_MS
  while (simulation.step(SLICE, Number.POSITIVE_INFINITY)) {
    if (performance.now() < turnAt) continue
    onProgress(progressOf(simulation))
    await new Promise((resolve) => setImmediate(resolve))
    if (signal.aborted) throw signal.reason
    turnAt = performance.now() + TURN_MS
  }
}

/** One virtual second a second. A lab whose work is done stays up until the signal, unless it has a duration. */
async function pace(
  simulation: Simulation,
  options: RunOptions,
  control: LabControl | undefined,
): Promise<void> {
  const { signal, onProgress, onSnapshot } = options
  const started = performance.now()
  let snapshotAt = started + SNAPSHOT_MS
  while (!signal.aborted) {
    const target = (performance.now() - started) * 1e6
    let more = true
    const turnAt = performance.now() + TURN_MS
    while (more && simulation.timeline.now < target && simulation.timeline.nextAt <= target) {
      more = simulation.step(SLICE, target)
      if (performance.now() > turnAt) break
    }
    if (control?.failure !== undefined) throw control.failure
    onProgress(progressOf(simulation))
    if (onSnapshot !== undefined && performance.now() >= snapshotAt) {
      onSnapshot(measure(simulation, (performance.now() - started) / 1000))
      snapshotAt += SNAPSHOT_MS
    }
    if (simulation.untilNs !== undefined && target >= simulation.untilNs && simulation.isDone) return
    await sleep(TURN_MS, undefined, { signal }).catch(() => {})
  }
}

function progressOf(simulation: Simulation) {
  return { virtualNs: simulation.timeline.now, untilNs: simulation.untilNs, packets: simulation.counter.hops }
}

/** The capture files of one run, one per link end. */
class CaptureFiles {
  readonly #folder: string | undefined
  readonly #files: number[] = []

  constructor(folder: string | undefined) {
    this.#folder = folder
  }

  get open(): OpenCapture | undefined {
    const folder = this.#folder
    if (folder === undefined) return undefined
    return (name) => {
      const file = openSync(join(folder, `${name}.pcapng`), 'w')
      this.#files.push(file)
      return bufferedWriter(file, this.#flushes)
    }
  }

  close(): void {
    for (const flush of this.#flushes) flush()
    for (const file of this.#files) closeSync(file)
  }

  readonly #flushes: (() => void)[] = []
}

const BUFFER_BYTES = 1 << 16

/** Gathers small blocks, so that a frame is not a system call. */
function bufferedWriter(file: number, flushes: (() => void)[]): (block: Uint8Array) => void {
  const buffer = new Uint8Array(BUFFER_BYTES)
  let used = 0
  const flush = () => {
    for (let written = 0; written < used; ) written += writeSync(file, buffer, written, used - written)
    used = 0
  }
  flushes.push(flush)
  return (block) => {
    if (used + block.length > BUFFER_BYTES) flush()
    if (block.length > BUFFER_BYTES) {
      for (let written = 0; written < block.length; )
        written += writeSync(file, block, written, block.length - written)
      return
    }
    buffer.set(block, used)
    used += block.length
  }
}
