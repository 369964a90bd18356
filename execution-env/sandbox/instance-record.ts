/** What the router knows of an instance in a sandbox: its names, its functions, its counters. */
import type { JsonValue } from '../contract/json.ts'
import { INSTANCE_LIMITS, type InstanceLimits } from './limits.ts'
import type { HostFunction, InstanceStats, LoadOptions, LoadReport } from './sandbox.ts'
import { failure, type SandboxErrorCode, type SandboxFailure } from './sandbox-error.ts'
import { SourcePositions } from './source-positions.ts'
import type { VettedCode } from './vetting.ts'

export class InstanceRecord {
  readonly name: string
  readonly number: number
  readonly limits: InstanceLimits
  /**
   * Whether it has brought the process down lately. A timeout of its own costs a batch of one a third of its time, so
   * that batches have none at first: who has abused that is timed, and takes down nobody else any more.
   */
  readonly suspect: boolean
  readonly #positions: SourcePositions
  readonly #host: ReadonlyMap<string, HostFunction>
  readonly #batches = new Map<string, number>()
  readonly #calls = new Set<string>()
  loaded = false
  readonly stats = { calls: 0, batches: 0, decisions: 0, failures: 0, spentNs: 0, heapBytes: 0 }

  constructor(name: string, number: number, code: VettedCode, options: LoadOptions, suspect: boolean) {
    this.name = name
    this.number = number
    this.suspect = suspect
    this.limits = { ...INSTANCE_LIMITS, ...options.limits }
    this.#positions = new SourcePositions(code.file, code.sourceMap)
    this.#host = new Map(Object.entries(options.host ?? {}))
  }

  /** Notes what a load has made. */
  opened(names: { calls: readonly string[]; batches: readonly string[] }, heapBytes: number): LoadReport {
    this.loaded = true
    this.stats.heapBytes = heapBytes
    for (const each of names.calls) this.#calls.add(each)
    names.batches.forEach((each, at) => {
      this.#batches.set(each, at)
    })
    return { ...names, heapBytes }
  }

  hasCall(entry: string): boolean {
    return this.#calls.has(entry)
  }

  /** The place of a batch entry, or -1. */
  placeOfBatch(entry: string): number {
    return this.#batches.get(entry) ?? -1
  }

  /** What was thrown, with positions in the author's sources. */
  mapped(thrown: { message: string; stack: string }): { message: string; stack: string } {
    return {
      message: this.#positions.mapStack(thrown.message),
      stack: this.#positions.mapStack(thrown.stack),
    }
  }

  located(code: SandboxErrorCode, thrown: { message: string; stack: string }): SandboxFailure {
    return { code, ...this.mapped(thrown), blamed: false }
  }

  /** Asks a host function. @returns `+` and the JSON of its answer, or `-` and that of `{ code, message }` */
  ask(name: string, argument: () => JsonValue): string {
    const ask = this.#host.get(name)
    try {
      if (ask === undefined) return `-${JSON.stringify(failure('unknown', `no host function ${name}`))}`
      const text: string | undefined = JSON.stringify(ask(argument()))
      return `+${text ?? 'null'}`
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: unknown }
      return `-${JSON.stringify({ code: code ?? 'invalid', message: String(message) })}`
    }
  }

  report(): InstanceStats {
    return { ...this.stats }
  }
}
