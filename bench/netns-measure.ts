/** What the benchmark on real hosts measures with: processor time of processes, wrk, and a sender on its own thread. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { Order, ProberPlace } from './linux-prober.ts'
import { type Contestant, type NetnsRig, SERVICES } from './netns-rig.ts'

const runFile = promisify(execFile)
const NS_PER_TICK = 1e7

/** A process and all that descend from it. */
export function familyOf(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = /^\d+ \(.*\) \S (\d+)/s.exec(readQuietly(`/proc/${name}/stat`))
    if (parent !== null) parents.set(Number(name), Number(parent[1]))
  }
  const family = [pid]
  for (const each of family) for (const [child, parent] of parents) if (parent === each) family.push(child)
  return family
}

/** Processor time that processes have had, in ns: of each thread to the nanosecond, or in ticks where it is not told. */
export function processorTime(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + timeOf(pid), 0)
}

function timeOf(pid: number): number {
  const folder = `/proc/${pid}/task`
  const threads = readdirSync(folder).map((task) => readQuietly(`${folder}/${task}/schedstat`))
  if (threads.some((text) => text !== '' && !text.startsWith('0 0 ')))
    return threads.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0)
  const fields = readQuietly(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * NS_PER_TICK
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export interface WebLoad {
  readonly page: string
  readonly connections: number
  readonly seconds: number
  /** Each request on a connection of its own. */
  readonly closing: boolean
}

export interface WebResult {
  readonly requestsPerSecond: number
  readonly bytesPerSecond: number
}

/** One run of wrk, with one thread, against a contestant. @throws Error when requests failed */
export async function loadWeb(rig: NetnsRig, who: Contestant, load: WebLoad): Promise<WebResult> {
  const { page, connections, seconds, closing } = load
  const { stdout } = await runFile('ip', [
    ...['netns', 'exec', rig.client, 'wrk', '-t', '1', '-c', String(connections), '-d', `${seconds}s`],
    ...(closing ? ['-H', 'Connection: close'] : []),
    `http://${SERVICES[who]}/${page}`,
  ])
  if (/Non-2xx/.test(stdout)) throw new Error(`requests to ${who} failed:\n${stdout}`)
  const took = Number(/ requests in ([\d.]+)s/.exec(stdout)?.[1])
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1])
  const [, transferred, unit] = /Transfer\/sec:\s+([\d.]+)(\w+)/.exec(stdout) ?? []
  const factor = { KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 }[unit ?? ''] ?? 1
  const result = { requestsPerSecond: requests / took, bytesPerSecond: Number(transferred) * factor }
  if (!(result.bytesPerSecond > 0)) throw new Error(`nothing came from ${who}:\n${stdout}`)
  return result
}

/** The sender's thread. */
export class Sender {
  readonly #worker: Worker

  constructor(place: ProberPlace) {
    this.#worker = new Worker(new URL('./linux-prober.ts', import.meta.url), { workerData: place })
  }

  /** Carries out an order; one at a time. */
  send(order: Order): Promise<number[]> {
    return new Promise((resolve, reject) => {
      this.#worker.removeAllListeners()
      this.#worker.once('message', resolve)
      this.#worker.once('error', reject)
      this.#worker.postMessage(order)
    })
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }
}
