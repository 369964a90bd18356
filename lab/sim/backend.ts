/**
 * The `sim` backend: labs in virtual time, on any system, without privileges. `run` goes as fast as it can, `up` is
 * paced by the wall clock.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { NEVER } from '../../engine/index.ts'
import { loadTrustStore, TrustStore } from '../../execution-env/certificates/index.ts'
import type { Backend, Capabilities, RunOptions } from '../backend.ts'
import { DEFAULT_EPOCH_MS, type Lab } from '../file/index.ts'
import { originOf, RecordWriter } from '../record/index.ts'
import type { Measurements } from '../report.ts'
import { pace, race, replay } from './drive.ts'
import { LabControl } from './lab-control.ts'
import { LabPlugins } from './lab-plugins.ts'
import { measure } from './measure.ts'
import { OperatorDesk } from './operator-desk.ts'
import { removeRemains } from './remains.ts'
import { type OpenCapture, Simulation } from './simulation.ts'

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

  run,
  up,
  down: removeRemains,
}

/** To the end as fast as it goes; along a record, where there is one. */
async function run(lab: Lab, options: RunOptions): Promise<Measurements> {
  const { replay: recorded } = options
  const captures = new CaptureFiles(options.captureFolder)
  const needsPlugins = recorded !== undefined || LabPlugins.areIn(lab)
  const plugins = needsPlugins ? await LabPlugins.prepare(lab, { trust: recorded?.trust }) : undefined
  try {
    const started = performance.now()
    const simulation = new Simulation(lab, captures.open, plugins)
    if (recorded === undefined) await race(simulation, options)
    else await replay(simulation, recorded, options)
    return measure(simulation, (performance.now() - started) / 1000)
  } finally {
    captures.close()
    await plugins?.close()
  }
}

/** At the pace of the wall clock, under its operators. */
async function up(file: Lab, options: RunOptions): Promise<Measurements> {
  const lab = {
    ...file,
    // People and their certificates meet it: its calendar is theirs unless it says otherwise.
    epochMs: file.epochMs === DEFAULT_EPOCH_MS ? Date.now() : file.epochMs,
    // It stays up when its work is done.
    durationNs: file.durationNs ?? NEVER,
  }
  const trust = options.trust === undefined ? new TrustStore([]) : loadTrustStore(options.trust)
  const record =
    options.record === undefined ? undefined : new RecordWriter(options.record, originOf(lab, trust))
  const desk = new OperatorDesk((atNs, router, command) => record?.add(atNs, router, command))
  const captures = new CaptureFiles(options.captureFolder)
  const plugins = await LabPlugins.prepare(lab, { desk, trust })
  let control: LabControl | undefined
  try {
    const started = performance.now()
    const simulation = new Simulation(lab, captures.open, plugins)
    control = await LabControl.open(simulation, (error) => plugins.fail(error))
    const follow = () => control?.follow()
    await pace(simulation, { ...options, desk, onTurn: follow })
    record?.end(simulation.timeline.now)
    return measure(simulation, (performance.now() - started) / 1000)
  } finally {
    captures.close()
    desk.close()
    if (record?.isOpen) options.onRecorded?.(record.file)
    await control?.close()
    await plugins.close()
  }
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
