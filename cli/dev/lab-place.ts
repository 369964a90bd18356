/**
 * A lab as the place of a plugin that is being written: brought up with its first good version, kept up, upgraded
 * with each further one. The one idea: whoever brings a lab up is its authority, so nothing has to be signed by hand.
 */
import { realpathSync } from 'node:fs'
import { readBundle } from '../../execution-env/bundle/index.ts'
import {
  type Backend,
  keepLabUp,
  LabAuthority,
  type LabFile,
  LabPluginError,
  type Measurements,
  routersOf,
} from '../../lab/index.ts'
import { type BuiltPlugin, PluginError } from '../../sdk/tools.ts'
import { CommandError } from '../command.ts'
import { Instance, type LogSink, type Place, type Placed } from './place.ts'

export interface LabPlaceOptions {
  readonly labFile: LabFile
  readonly backend: Backend
  readonly folder: string
  readonly clock: () => number
  /** About once a second. */
  readonly onSnapshot: (measured: Measurements) => void
  readonly onLogs: LogSink
  /** The lab has ended without being asked to. */
  readonly onEnd: (reason: string) => void
}

/** An instance as the lab file names it. */
interface Named {
  readonly router: string
  readonly id: string | undefined
}

export class LabPlace implements Place {
  readonly #options: LabPlaceOptions
  readonly #labFile: LabFile
  readonly #named: readonly Named[]
  readonly #authority: LabAuthority
  #instances: Instance[] = []
  #end: AbortController | undefined
  #running: Promise<unknown> | undefined

  /** @throws CommandError where no router of the lab has the plugin of the folder */
  constructor(options: LabPlaceOptions) {
    const { labFile, folder } = options
    this.#options = options
    // No end, and a calendar that is known here: certificates follow from it.
    const lab = { ...labFile.lab, durationNs: undefined, epochMs: Date.now() }
    this.#labFile = { ...labFile, lab }
    this.#authority = new LabAuthority(lab.rootSeed, lab.epochMs)
    const home = realpathSync(folder)
    const isOurs = (path: string): boolean => path === folder || realpathSync(path) === home
    this.#named = routersOf(lab).flatMap((router) =>
      router.plugins
        .filter(({ source }) => source.form === 'folder' && isOurs(source.path))
        .map(({ id }) => ({ router: `${lab.name}/${router.name}`, id })),
    )
    if (this.#named.length === 0)
      throw new CommandError('missing', `${labFile.file}: no router has the plugin of ${folder}`)
  }

  async put(built: BuiltPlugin): Promise<readonly Placed[]> {
    if (this.#running === undefined) return this.#bringUp(built)
    const signed = this.#authority.sign(readBundle(built.bytes))
    return Promise.all(this.#instances.map((each) => each.put(signed, undefined)))
  }

  async close(): Promise<void> {
    const running = this.#running
    this.#end?.abort()
    for (const each of this.#instances) each.close()
    await running
  }

  /** The lab builds the plugin itself; it stands when it has told of its first second. */
  async #bringUp({ manifest }: BuiltPlugin): Promise<readonly Placed[]> {
    const { backend, clock, onSnapshot, onLogs } = this.#options
    const end = new AbortController()
    this.#end = end
    const stands = new Promise<void>((settle, reject) => {
      const request = {
        signal: end.signal,
        clock,
        onSnapshot: (measured: Measurements) => {
          settle()
          onSnapshot(measured)
        },
      }
      this.#running = keepLabUp(this.#labFile, backend, request).then(
        () => settle(),
        (error: unknown) => {
          this.#fallen(error, end.signal)
          reject(error)
        },
      )
    })
    const told = { replaces: false, changes: [], warnings: [], flows: 0 }
    const named = this.#named.map(({ router, id = manifest.name }) => ({ router, id }))
    try {
      await stands
    } catch (error) {
      if (!(error instanceof LabPluginError || error instanceof PluginError)) throw error
      return named.map((each) => ({ ...each, ok: false, reason: error.message, ...told }))
    }
    if (end.signal.aborted) return []
    this.#instances = await Promise.all(named.map(({ router, id }) => Instance.reach(router, id, onLogs)))
    return named.map((each) => ({ ...each, ok: true, ...told }))
  }

  #fallen(error: unknown, signal: AbortSignal): void {
    this.#running = undefined
    for (const each of this.#instances) each.close()
    const stood = this.#instances.length > 0
    this.#instances = []
    if (stood && !signal.aborted) this.#options.onEnd(error instanceof Error ? error.message : String(error))
  }
}
