/**
 * The clients of one host over all its lives: each life is a process with its own books, closed when the host fails.
 */
import { join } from 'node:path'
import { entryPath } from '../../execution-env/sandbox/index.ts'
import type { ClientReport as ApplicationReport } from '../../host/stack/index.ts'
import { answerBytes } from '../answer-bytes.ts'
import { ClientBooks } from '../client-books.ts'
import type { HostNode } from '../file/index.ts'
import type { ClientReport } from '../report.ts'
import { toolOf } from './client-tool.ts'
import { LabProcess } from './process.ts'
import type { ClientJob, ClientProgramConfig, ClientProgramReport } from './programs/client-program.ts'
import type { Surroundings } from './surroundings.ts'

const START_LIMIT_MS = 20_000
const REPORT_LIMIT_MS = 1_500

export class HostClients {
  readonly #host: HostNode
  readonly #surroundings: Surroundings
  readonly #hasCurl: boolean
  readonly #books: readonly ClientBooks[]
  readonly #answers = new Map<number, (clients: ClientProgramReport['clients']) => void>()
  #process: LabProcess | undefined
  #latest: ClientProgramReport['clients'] = []
  #questions = 0
  #done = false

  constructor(host: HostNode, surroundings: Surroundings, hasCurl: boolean) {
    this.#host = host
    this.#surroundings = surroundings
    this.#hasCurl = hasCurl
    this.#books = host.clients.map(() => new ClientBooks())
  }

  /** Whether every client has made all its requests and each has ended. */
  get isDone(): boolean {
    if (this.#process !== undefined) return this.#done
    return this.#host.clients.every(({ count }, index) => count !== undefined && this.#left(index) === 0)
  }

  get process(): LabProcess | undefined {
    return this.#process
  }

  /** Starts the process; its clients wait for `begin`. @param life how often before */
  async start(life: number): Promise<void> {
    const { clients, name } = this.#host
    const { ledger, network, folder, lab } = this.#surroundings
    if (clients.length === 0) return
    const config: ClientProgramConfig = { name, seed: lab.seed + life, jobs: this.#jobs() }
    const program = LabProcess.start(ledger, {
      what: `the clients of ${name}`,
      namespace: network.namespace(name),
      command: [
        process.execPath,
        entryPath(import.meta.url, './programs/client-program'),
        JSON.stringify(config),
      ],
      logFile: join(folder, `${name}-clients-${life}.log`),
      talks: true,
    })
    let ready = false
    program.onMessage = (message) => {
      if (message['ready'] === true) ready = true
      if (message['done'] === true && this.#process === program) this.#done = true
      if (typeof message['report'] === 'number')
        this.#answers.get(message['report'])?.(message['clients'] as ClientProgramReport['clients'])
    }
    this.#latest = []
    this.#done = config.jobs.every(({ count }) => count === 0)
    this.#process = program
    await program.waitUntil(() => ready, 'starting', START_LIMIT_MS)
  }

  /** @param nowNs the lab's time, from which the clients count when they are due */
  begin(nowNs: number): void {
    this.#process?.tell({ do: 'begin', nowNs })
  }

  /** Asks the process how far its clients are. */
  async refresh(): Promise<void> {
    const program = this.#process
    if (program === undefined || program.ending !== undefined) return
    const number = ++this.#questions
    const answered = new Promise<void>((settle) => {
      const limit = setTimeout(settle, REPORT_LIMIT_MS)
      this.#answers.set(number, (clients) => {
        if (this.#process === program) this.#latest = clients
        clearTimeout(limit)
        settle()
      })
    })
    program.tell({ do: 'report', number })
    await answered
    this.#answers.delete(number)
  }

  /** The plug is pulled: what is under way has failed. */
  async fail(): Promise<void> {
    await this.refresh()
    for (const [index, report] of this.#latest.entries())
      if (report !== null) this.#books[index]!.close(report)
    const program = this.#process
    this.#process = undefined
    this.#latest = []
    await program?.kill()
  }

  /** As of the last `refresh`. */
  reports(): ClientReport[] {
    const jobs = this.#jobs()
    return this.#books.map((books, index) => ({
      ...books.report((this.#latest[index] ?? undefined) as ApplicationReport | undefined),
      tool: jobs[index]!.tool,
    }))
  }

  #left(index: number): number | undefined {
    const { count } = this.#host.clients[index]!
    return count === undefined ? undefined : Math.max(0, count - this.#books[index]!.attempted)
  }

  #jobs(): ClientJob[] {
    const { lab, patterns } = this.#surroundings
    return this.#host.clients.map((client, index) => {
      const tool = toolOf(client, this.#hasCurl)
      return {
        client,
        count: this.#left(index),
        answerBytes: answerBytes(lab, client),
        tool,
        uploadFile: tool === 'curl' && client.bytes > 0 ? patterns.path(client.bytes) : undefined,
      }
    })
  }
}
