/**
 * The load of a host, from where its configuration says (R-SLR-17). The one idea: what takes time is measured at
 * intervals of its own, and a report takes the last value; a source that fails counts as fully loaded, since a service
 * that cannot be asked should get no more work.
 */
import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import type { LoadReport } from '../index.ts'
import type { HostConfig, LoadSpec } from './config.ts'
import { countConnections } from './connections.ts'

const FULLY_LOADED = 1
const MAX_TEXT_BYTES = 65_536
/** Lists of connections can be long: they are counted no more often, and take no more than this share of the time. */
const COUNT_PAUSE_MS = 500
const COUNT_SHARE = 0.05

/** What a source says: one load for all, or others for single prefixes. */
interface Measured {
  readonly load: number
  readonly loads?: Readonly<Record<string, number>>
}

export class LoadMeter {
  readonly #config: HostConfig
  readonly #warn: (message: string) => void
  readonly #timer: NodeJS.Timeout | undefined
  readonly #stop = new AbortController()
  #measured: Measured | undefined
  #problem = ''
  #connections = 0
  #countAtMs = Number.NEGATIVE_INFINITY
  #isMeasuring = false

  /** @param warn hears when a source begins to fail, or works again */
  constructor(config: HostConfig, warn: (message: string) => void) {
    this.#config = config
    this.#warn = warn
    const { load } = config
    if (load.source !== 'command' && load.source !== 'http') return
    void this.#measureBeside(load)
    this.#timer = setInterval(() => void this.#measureBeside(load), load.intervalMs)
  }

  /** The load now; does not wait. */
  report(): LoadReport {
    const connections = this.#countConnections()
    const { load } = this.#config
    switch (load.source) {
      case 'load-average':
        return { load: (loadavg()[0] ?? 0) / availableParallelism(), connections }
      case 'connections':
        return { load: connections / load.full, connections }
      case 'file':
        this.#note(() => parseLoad(readSmall(load.file)))
    }
    // Before the first measurement there is nothing to be said against the host.
    const { load: value, loads } = this.#measured ?? { load: this.#problem === '' ? 0 : FULLY_LOADED }
    return { load: value, connections, ...(loads === undefined ? {} : { loads }) }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#stop.abort()
  }

  #countConnections(): number {
    const startMs = performance.now()
    if (startMs < this.#countAtMs) return this.#connections
    this.#connections = countConnections(this.#config.virtualHosts.map((each) => each.prefix))
    const endMs = performance.now()
    this.#countAtMs = endMs + Math.max(COUNT_PAUSE_MS, (endMs - startMs) / COUNT_SHARE)
    return this.#connections
  }

  async #measureBeside(load: Extract<LoadSpec, { source: 'command' | 'http' }>): Promise<void> {
    if (this.#isMeasuring) return
    this.#isMeasuring = true
    try {
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(load.intervalMs)])
      const text = await (load.source === 'http'
        ? fetchText(load.url, signal)
        : runText(load.command, signal))
      this.#note(() => parseLoad(text))
    } catch (error) {
      this.#note(() => {
        throw error
      })
    } finally {
      this.#isMeasuring = false
    }
  }

  #note(measure: () => Measured): void {
    if (this.#stop.signal.aborted) return
    try {
      this.#measured = measure()
      if (this.#problem !== '') this.#warn('the load can be measured again')
      this.#problem = ''
    } catch (error) {
      const problem = (error as Error).message
      if (this.#problem === '')
        this.#warn(`the load cannot be measured, so this host counts as fully loaded: ${problem}`)
      this.#problem = problem
      this.#measured = undefined
    }
  }
}

/**
 * A number, or JSON: a number or `{ "load": 0.3, "loads": { "198.18.0.0/16": 0.9 } }`.
 * @throws Error that says what was expected
 */
export function parseLoad(text: string): Measured {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = undefined
  }
  if (isLoad(value)) return { load: value }
  if (typeof value === 'object' && value !== null && 'load' in value && isLoad(value.load)) {
    const loads = 'loads' in value ? value.loads : {}
    if (typeof loads === 'object' && loads !== null && Object.values(loads).every(isLoad))
      return { load: value.load, loads: loads as Record<string, number> }
  }
  throw new Error(`expected a number such as 0.3, or {"load": 0.3}, got ${JSON.stringify(text.slice(0, 60))}`)
}

const isLoad = (value: unknown): value is number => typeof value === 'number' && value >= 0

function readSmall(file: string): string {
  if (statSync(file).size > MAX_TEXT_BYTES) throw new Error(`${file}: more than ${MAX_TEXT_BYTES} bytes`)
  return readFileSync(file, 'utf8')
}

async function fetchText(url: string, signal: AbortSignal): Promise<string> {
  const answer = await fetch(url, { signal, redirect: 'error' })
  if (!answer.ok) throw new Error(`${url}: status ${answer.status}`)
  let text = ''
  const decoder = new TextDecoder()
  for await (const part of answer.body ?? []) {
    text += decoder.decode(part, { stream: true })
    if (text.length > MAX_TEXT_BYTES) throw new Error(`${url}: more than ${MAX_TEXT_BYTES} bytes`)
  }
  return text
}

function runText([program = '', ...args]: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { signal, maxBuffer: MAX_TEXT_BYTES, killSignal: 'SIGKILL' } as const
    execFile(program, args, options, (error, stdout) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${program}: ${error.name === 'AbortError' ? 'took too long' : error.message}`))
    })
  })
}
