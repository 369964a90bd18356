/**
 * One plugin instance in an isolate of its own, inside the sandbox process. The one idea: of all that isolated-vm
 * offers only a handful of references to kernel functions are kept, which take and give numbers and text; no object
 * of isolated-vm ever enters the isolate, and none of the isolate's leaves it.
 */
import ivm from 'isolated-vm'
import { BOOT_FILE, BOOT_INPUT_AT, BOOT_SOURCE, type BootSettings } from './boot.ts'
import type { IsolateSpec } from './isolate-spec.ts'
import type { InstanceLimits } from './limits.ts'
import { WRAP_COLUMNS, wrapModule } from './module-text.ts'
import type { SandboxErrorCode } from './sandbox-error.ts'

/** A failure that is not a throw of the plugin's: the instance cannot be used any more. */
export class IsolateFailure extends Error {
  override readonly name = 'IsolateFailure'
  readonly code: SandboxErrorCode

  constructor(code: SandboxErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

const RUNTIME_FILE = 'pronto:runtime'
const MIB = 1 << 20
const WORD_BYTES = 4
const NOTHING: [] = []

type Text = ivm.Reference<(...parameters: string[]) => string>

/** What ended a call from outside: a timeout, exhausted memory or something else. */
function failureOf(
  error: unknown,
  limits: { readonly memoryBytes: number },
  timeoutMs: number,
): IsolateFailure {
  const message = error instanceof Error ? error.message : ''
  if (message.includes('timed out')) return new IsolateFailure('timeout', `no end after ${timeoutMs} ms`)
  if (message.includes('disposed'))
    return new IsolateFailure('memory', `more than ${Math.round(limits.memoryBytes / 1e6)} MB of memory`)
  return new IsolateFailure('refused', message.slice(0, 1_000))
}

/** Runs what may be ended from outside. @throws IsolateFailure */
function contained<T>(limits: { readonly memoryBytes: number }, timeoutMs: number, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw failureOf(error, limits, timeoutMs)
  }
}

export class HardenedIsolate {
  readonly limits: InstanceLimits
  /** Times, input area at BOOT_INPUT_AT and output area at `outputAt`: what a batch reads and writes. */
  readonly shared: Uint8Array
  /** The same memory as words. */
  readonly words: Int32Array
  readonly outputAt: number
  readonly #isolate: ivm.Isolate
  readonly #call: Text
  readonly #batch: ivm.Reference<() => string | 0>
  readonly #parameters: [string, string] = ['', '']
  readonly #callOptions: { timeout: number }
  readonly #batchOptions: { timeout: number } | undefined
  /** The kernel's answer to the start: JSON text. */
  readonly started: string

  /**
   * Boots an isolate and runs the module and the runtime in it.
   * @param ask answers a host function; gets and gives text
   * @throws IsolateFailure
   */
  constructor(spec: IsolateSpec, ask: (name: string, argument: string) => string) {
    const { limits } = spec
    const words = Math.floor(limits.batchBytes / WORD_BYTES)
    const settings: BootSettings = { limits, seed: spec.seed, inputWords: words, outputWords: words }
    const memory = new SharedArrayBuffer(BOOT_INPUT_AT + 2 * words * WORD_BYTES)
    this.limits = limits
    this.shared = new Uint8Array(memory)
    this.words = new Int32Array(memory)
    new Float64Array(memory, 0, 2).set([spec.at.now, spec.at.clock])
    this.outputAt = BOOT_INPUT_AT + words * WORD_BYTES
    this.#callOptions = { timeout: limits.callMs }
    this.#batchOptions = spec.timed ? { timeout: limits.batchMs } : undefined
    this.#isolate = new ivm.Isolate({ memoryLimit: Math.max(Math.ceil(limits.memoryBytes / MIB), 8) })
    const timeout = limits.loadMs
    try {
      const [start, call, batch, module, runtime] = contained(limits, timeout, () => {
        const context = this.#isolate.createContextSync()
        const given = [
          new ivm.ExternalCopy(memory).copyInto(),
          new ivm.Callback(ask),
          JSON.stringify(settings),
        ]
        const kernel: ivm.Reference<Record<string, unknown>> = context.evalClosureSync(BOOT_SOURCE, given, {
          filename: BOOT_FILE,
          timeout,
          result: { reference: true },
        })
        const method = (name: string): Text => kernel.getSync(name, { reference: true }) as unknown as Text
        const compiled = (text: string, filename: string, columnOffset: number): ivm.Reference =>
          context.evalSync(text, { filename, columnOffset, timeout, reference: true }) as ivm.Reference
        return [
          method('start'),
          method('call'),
          method('batch') as unknown as ivm.Reference<() => string | 0>,
          compiled(wrapModule(spec.source), spec.file, -WRAP_COLUMNS),
          compiled(`(${spec.runtime}\n)`, RUNTIME_FILE, -1),
        ] as const
      })
      this.#call = call
      this.#batch = batch
      const functions = [module.derefInto(), runtime.derefInto()] as unknown as string[]
      this.started = contained(limits, timeout, () => start.applySync(undefined, functions, { timeout }))
    } catch (error) {
      this.dispose()
      throw error
    }
  }

  /** Calls an entry. @returns the kernel's JSON text @throws IsolateFailure */
  call(entry: string, argument: string): string {
    this.#parameters[0] = entry
    this.#parameters[1] = argument
    return contained(this.limits, this.limits.callMs, () =>
      this.#call.applySync(undefined, this.#parameters, this.#callOptions),
    )
  }

  /** Runs the batch that stands in the shared memory. @returns the kernel's JSON text or 0 @throws IsolateFailure */
  batch(): string | 0 {
    try {
      return this.#batch.applySync(undefined, NOTHING, this.#batchOptions)
    } catch (error) {
      throw failureOf(error, this.limits, this.limits.batchMs)
    }
  }

  /** Bytes of heap in use; 0 when the isolate is gone. */
  heapBytes(): number {
    if (this.#isolate.isDisposed) return 0
    const { used_heap_size, externally_allocated_size } = this.#isolate.getHeapStatisticsSync()
    return used_heap_size + externally_allocated_size
  }

  dispose(): void {
    if (!this.#isolate.isDisposed) this.#isolate.dispose()
  }
}
