/**
 * A backend: what brings a lab to life. The one idea: one lab, several backends behind one interface; each declares
 * for every feature whether it honours it, so that a key is obeyed or refused by name, never ignored.
 */

import type { KeyPath } from '../document/index.ts'
import { type Feature, featuresOf } from './features.ts'
import type { Lab, LabFile } from './file/index.ts'
import type { Recorded } from './record/index.ts'
import type { Measurements } from './report.ts'

export const BACKEND_NAMES = ['sim', 'netns'] as const
export type BackendName = (typeof BACKEND_NAMES)[number]

/** For every feature: true, or why it cannot be honoured. */
export type Capabilities = Readonly<Record<Feature, true | string>>

/** One request of a lab that a backend cannot honour. */
export interface Refusal {
  readonly path: KeyPath
  /** What is not possible, and what would be. */
  readonly message: string
}

/** How far a run is. Given as often as is convenient; the receiver decides what to show. */
export interface Progress {
  readonly virtualNs: number
  /** Undefined where the end is not known beforehand. */
  readonly untilNs: number | undefined
  readonly packets: number
  /** What is done before the lab's time begins, such as `starting routers`. */
  readonly stage?: string
}

/** A node in which programs of the user can run. */
export interface EnterableNode {
  readonly node: string
  /** Words before a command that is to run there. */
  readonly enter: string
}

export interface RunOptions {
  /** A folder that exists, for one pcapng file per link end, `NODE-INTERFACE.pcapng`; undefined: no captures. */
  readonly captureFolder: string | undefined
  readonly onProgress: (progress: Progress) => void
  /** For `up`: whose plugins and operators the routers believe besides the lab's own: a folder or file. */
  readonly trust?: string | undefined
  /**
   * For `up`: where to write down what operators ask for. Nothing is written before the first command. Undefined: it
   * is not written down.
   */
  readonly record?: string | undefined
  /** Given once at the end of `up` when there is a record. */
  readonly onRecorded?: ((file: string) => void) | undefined
  /** For `run`: what operators asked for, to be asked again. `lab` is then that of the record. */
  readonly replay?: Recorded | undefined
  /** Given once when a lab is up whose nodes can be entered. */
  readonly onReady?: ((nodes: readonly EnterableNode[]) => void) | undefined
  /** Given about once a wall second by `up`: what was measured so far. */
  readonly onSnapshot?: ((measured: Measurements) => void) | undefined
  /**
   * Aborted when the user wants the run to end. The backend then rejects with `signal.reason` (run) or ends the lab
   * and resolves (up), having undone what it set up, within a second or two.
   */
  readonly signal: AbortSignal
}

/** What `down` found and removed. */
export interface DownResult {
  /** Whether there was a lab of that name. */
  readonly found: boolean
  /** One line for each thing removed. */
  readonly removed: readonly string[]
}

/**
 * A way to bring up labs. Long work must give the event loop a turn at least every 100 ms, so that signals are seen.
 */
export interface Backend {
  readonly name: BackendName
  readonly capabilities: Capabilities
  /** What this machine lacks to bring labs to life, in words; nothing where it can. */
  lacks?(): readonly string[]
  /** Refusals that depend on more than one value, such as a rate on a link without a router end. */
  refusals?(lab: Lab): readonly Refusal[]
  /** Runs to the end as fast as it can. `wall.seconds` is set by the caller. */
  run(lab: Lab, options: RunOptions): Promise<Measurements>
  /** Runs paced by the wall clock until `signal` is aborted or the duration is over. */
  up(lab: Lab, options: RunOptions): Promise<Measurements>
  /** Removes what a lab that was up has left, also after a crash. Idempotent. */
  down(lab: Lab): Promise<DownResult>
  /**
   * Runs a command inside a node of a lab that is up, with this process's input and output; absent where nodes are no
   * machines. Answers its exit code, 128 + n where signal n ended it. `signal` is passed on to it.
   * @throws LabFailure `unknown` where the lab is not up or has no such node
   */
  exec?(lab: Lab, node: string, command: readonly string[], signal: AbortSignal): Promise<number>
}

/** Why a backend cannot be had: not part of this version, or not possible on this machine. */
export class BackendUnavailableError extends Error {
  override readonly name = 'BackendUnavailableError'
  readonly code = 'unsupported'
  constructor(name: string, why: string) {
    super(`backend ${name} is not available: ${why}`)
  }
}

/** Finds backends; tests give their own. */
export interface BackendRegistry {
  /** @throws BackendUnavailableError */
  open(name: BackendName): Promise<Backend>
}

/**
 * Refuses a lab that asks for what the backend cannot do.
 * @throws LabFileError `unsupported`, naming every such key
 */
export function checkBackend(labFile: LabFile, backend: Backend): void {
  const refusals: Refusal[] = []
  for (const { feature, path } of featuresOf(labFile.lab)) {
    const answer = backend.capabilities[feature]
    if (answer !== true) refusals.push({ path, message: `backend ${backend.name} cannot do this: ${answer}` })
  }
  refusals.push(...(backend.refusals?.(labFile.lab) ?? []))
  labFile.refuse(refusals.map((each) => ({ code: 'unsupported', ...each })))
}

/**
 * Refuses a lab that would never end.
 * @throws LabFileError `missing`, naming every client without a count
 */
export function checkEnds(labFile: LabFile): void {
  const { lab } = labFile
  if (lab.durationNs !== undefined) return
  const findings = lab.nodes.flatMap((node) => {
    if (node.kind !== 'host') return []
    return [...node.clients.entries()].flatMap(([index, client]) => {
      if (client.count !== undefined) return []
      const message = 'never ends: expected a count, or a duration for the lab'
      return [{ code: 'missing' as const, path: ['nodes', node.name, 'clients', index], message }]
    })
  })
  labFile.refuse(findings)
}
