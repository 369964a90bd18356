/**
 * The inside of a sandbox: runs a plugin's module, keeps its entries and calls them. The one idea: what crosses the
 * wall is text and 32-bit words; commands, log lines and faults are collected as text during a call and leave with
 * its result, and every throw ends here.
 *
 * `createKernel` is self-contained: its text runs inside isolates, after hardening, and the function itself in
 * process for trusted code. It may use intrinsics freely, because a plugin cannot change them.
 */
import type { JsonValue } from '../contract/json.ts'
import type { LogLevel } from './effects.ts'

/** What the runtime (the trusted code beside a plugin) gets from the sandbox. */
export interface Host {
  /** Monotonic nanoseconds of this call. */
  readonly now: () => number
  /** Calendar milliseconds of this call. */
  readonly clock: () => number
  /** Uniform in [0, 1), from the seed of the instance. `Math.random` draws from the same stream. */
  readonly random: () => number
  /** Collects a line; longer ones are cut, further ones counted. */
  readonly log: (level: LogLevel, text: string) => void
  /** Collects a command for the router. @throws RangeError over the limits */
  readonly request: (command: JsonValue) => void
  /** Asks the router and waits. @throws Error with the refusal's `code` */
  readonly ask: (name: string, argument: JsonValue) => JsonValue
  /** The number of commands collected in this call. */
  readonly mark: () => number
  /** Reports what one record of a batch threw and takes back the commands since `mark`. */
  readonly fault: (record: number, thrown: unknown, mark: number) => void
}

/** Decides `count` records: reads and writes whole records of words from the beginning of both arrays. */
export type BatchEntry = (input: Int32Array, output: Int32Array, count: number) => void

export interface Entries {
  readonly calls: Readonly<Record<string, (argument: JsonValue) => JsonValue | undefined>>
  readonly batches?: Readonly<Record<string, BatchEntry>>
}

/** Makes a plugin's entries out of what its module exports. */
export type Runtime = (host: Host, exports: unknown) => Entries

export interface KernelLimits {
  readonly requests: number
  readonly requestBytes: number
  readonly resultBytes: number
  readonly logLines: number
  readonly logLineLength: number
  readonly asks: number
}

/** What the kernel gets from whoever runs it. */
export interface KernelBridge {
  readonly limits: KernelLimits
  /** Time of the call: now, clock. */
  readonly times: Float64Array
  /** What a batch is about: place of the entry, number of records. */
  readonly order: Int32Array
  readonly input: Int32Array
  readonly output: Int32Array
  readonly random: () => number
  /** Answers `+` and JSON, or `-` and the JSON of `{ code, message }`. Never throws. */
  readonly ask: (name: string, argument: string) => string
}

/**
 * Every answer is JSON text: `{ value, requests, logs, dropped }` or `{ thrown: { message, stack }, logs, dropped }`,
 * for a batch `{ requests, faults: [{ record, message, stack }], faulty, logs, dropped }`.
 */
export interface Kernel {
  /** Runs the module and the runtime; the value is `{ calls, batches }`, names in order. */
  readonly start: (
    module: (module: { exports: unknown }, exports: unknown) => void,
    runtime: Runtime,
  ) => string
  readonly call: (entry: string, argument: string) => string
  /** Runs the batch entry whose place in `batches` and whose records stand in `order`; 0 for nothing to tell. */
  readonly batch: () => string | 0
}

export function createKernel(bridge: KernelBridge): Kernel {
  const { limits, times, order, input, output } = bridge
  const FAULTS_MAX = 8
  const stackGetter = Object.getOwnPropertyDescriptor(new Error('probe'), 'stack')?.get
  const levels: readonly string[] = ['debug', 'info', 'warn', 'error']
  const calls: Record<string, (argument: JsonValue) => JsonValue | undefined> = Object.create(null)
  const batches: BatchEntry[] = []
  let requests: string[] = []
  let requestBytes = 0
  let logs: string[] = []
  let dropped = 0
  let faults: string[] = []
  let faulty = 0
  let asks = 0
  let quiet = true

  const begin = (): void => {
    if (quiet) return
    requests = []
    logs = []
    faults = []
    requestBytes = dropped = faulty = asks = 0
    quiet = true
  }

  const bounded = (value: unknown, limit: number, what: string): string => {
    const text = JSON.stringify(value) ?? 'null'
    if (text.length > limit)
      throw new RangeError(`${what} of ${text.length} characters, expected at most ${limit}`)
    return text
  }

  /** The text of an own data property: an accessor of the plugin's is never run. */
  const ownText = (object: object, key: string): string => {
    const value: unknown = Object.getOwnPropertyDescriptor(object, key)?.value
    return typeof value === 'string' ? value : ''
  }

  const describe = (thrown: unknown): { message: string; stack: string } => {
    if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null)
      return { message: `thrown: ${String(thrown).slice(0, 1000)}`, stack: '' }
    const native: unknown = stackGetter === undefined ? '' : Reflect.apply(stackGetter, thrown, [])
    const stack = ownText(thrown, 'stack') || (typeof native === 'string' ? native : '')
    const heading = stack.slice(0, 1000).split('\n    at ')[0] ?? ''
    const message = ownText(thrown, 'message').slice(0, 1000)
    return {
      message: heading.includes(message) && heading !== '' ? heading : message || 'an object was thrown',
      stack: stack.slice(0, 4000),
    }
  }

  const told = (): string => `"logs":[${logs.join(',')}],"dropped":${dropped}`
  const answer = (value: string): string => `{"value":${value},"requests":[${requests.join(',')}],${told()}}`
  const refuse = (thrown: unknown): string => `{"thrown":${JSON.stringify(describe(thrown))},${told()}}`

  const host: Host = Object.freeze({
    now: () => times[0]!,
    clock: () => times[1]!,
    random: bridge.random,
    log(level: LogLevel, text: string) {
      quiet = false
      if (logs.length >= limits.logLines) dropped++
      else
        logs.push(
          JSON.stringify([
            levels.includes(level) ? level : 'info',
            (typeof text === 'string' ? text : String(text)).slice(0, limits.logLineLength),
          ]),
        )
    },
    request(command: JsonValue) {
      quiet = false
      const text = bounded(command, limits.requestBytes - requestBytes, 'requests')
      if (requests.length >= limits.requests) throw new RangeError(`more than ${limits.requests} requests`)
      requestBytes += text.length
      requests.push(text)
    },
    ask(name: string, argument: JsonValue): JsonValue {
      quiet = false
      if (++asks > limits.asks) throw new RangeError(`more than ${limits.asks} questions`)
      const reply = bridge.ask(
        String(name).slice(0, 100),
        bounded(argument, limits.requestBytes, 'a question'),
      )
      const value = JSON.parse(reply.slice(1))
      if (reply[0] === '+') return value
      throw Object.assign(new Error(value.message), { code: value.code })
    },
    mark: () => requests.length,
    fault(record: number, thrown: unknown, mark: number) {
      quiet = false
      if (++faulty <= FAULTS_MAX) faults.push(JSON.stringify({ record, ...describe(thrown) }))
      for (const text of requests.splice(mark)) requestBytes -= text.length
    },
  })

  return Object.freeze({
    start(module, runtime) {
      begin()
      try {
        const made = { exports: {} as unknown }
        Reflect.apply(module, undefined, [made, made.exports])
        const entries = runtime(host, made.exports)
        Object.assign(calls, entries.calls)
        batches.push(...Object.values(entries.batches ?? {}))
        return answer(
          JSON.stringify({ calls: Object.keys(calls), batches: Object.keys(entries.batches ?? {}) }),
        )
      } catch (thrown) {
        return refuse(thrown)
      }
    },
    call(entry, argument) {
      begin()
      quiet = false
      try {
        const value = calls[entry]!(JSON.parse(argument))
        return answer(bounded(value, limits.resultBytes, 'a result'))
      } catch (thrown) {
        return refuse(thrown)
      }
    },
    batch() {
      begin()
      try {
        batches[order[0]!]!(input, output, order[1]!)
      } catch (thrown) {
        return refuse(thrown)
      }
      if (quiet) return 0
      return `{"requests":[${requests.join(',')}],"faults":[${faults.join(',')}],"faulty":${faulty},${told()}}`
    },
  } satisfies Kernel)
}
