/**
 * The clients of a host in a namespace, one process for all of them: `client-program CONFIG`, the text of a
 * ClientProgramConfig. Says `{"ready":true}`, hears `begin` and `report`, answers with a ClientProgramReport, and says
 * `{"done":true}` when every client has ended.
 */

import { Random } from '../../../engine/index.ts'
import type { ClientReport } from '../../../host/stack/index.ts'
import type { Client } from '../../file/index.ts'
import { type Application, applicationOf, campaignOf } from '../../workload.ts'
import { CurlClient } from './curl-client.ts'
import { KernelSockets } from './kernel-sockets.ts'
import { listenToLab, tellLab } from './lifeline.ts'

/** A client and what its host knows of it. */
export interface ClientJob {
  readonly client: Client
  /** Requests still to be made; undefined: without end; 0: none. */
  readonly count: number | undefined
  /** What the service at the other end sends for each request. */
  readonly answerBytes: number
  readonly tool: 'curl' | 'ping' | 'built-in'
  /** File with what the client sends, for curl. */
  readonly uploadFile: string | undefined
}

export interface ClientProgramConfig {
  readonly name: string
  readonly seed: number
  readonly jobs: readonly ClientJob[]
}

export interface ClientProgramReport {
  /** The number of the question. */
  readonly report: number
  /** By client; null for one that has not begun. */
  readonly clients: readonly (ClientReport | null)[]
}

class ClientProgram {
  readonly #config: ClientProgramConfig
  readonly #sockets: KernelSockets
  readonly #applications: (Application | undefined)[]

  constructor(config: ClientProgramConfig) {
    this.#config = config
    const random = Random.fromSeed(config.seed)
    this.#sockets = new KernelSockets(config.name, () => random.uint32())
    this.#applications = config.jobs.map(() => undefined)
  }

  /** @param nowNs the lab's time */
  begin(nowNs: number): void {
    for (const [index, job] of this.#config.jobs.entries()) {
      if (job.count === 0) continue
      this.#sockets.after(job.client.startNs - nowNs, () => this.#begin(index, job))
    }
  }

  report(): (ClientReport | null)[] {
    return this.#applications.map((each) => each?.report ?? null)
  }

  #begin(index: number, job: ClientJob): void {
    const application = this.#make(job)
    this.#applications[index] = application
    application.begin()
  }

  #make(job: ClientJob): Application {
    const { client, count, answerBytes, tool, uploadFile } = job
    const onDone = () => this.#ended()
    if (tool !== 'curl') return applicationOf(this.#sockets, client, count, answerBytes, onDone)
    return new CurlClient(this.#sockets, {
      ...campaignOf(client, count, onDone),
      url: `http://${client.address}:${client.port}/`,
      ...(client.fromAddress === undefined ? {} : { from: client.fromAddress }),
      ...(uploadFile === undefined ? {} : { uploadFile }),
    })
  }

  #ended(): void {
    const isOver = (job: ClientJob, index: number) =>
      job.count === 0 || this.#applications[index]?.done === true
    if (this.#config.jobs.every(isOver)) tellLab({ done: true })
  }
}

if (process.argv[2] !== undefined) {
  const program = new ClientProgram(JSON.parse(process.argv[2]) as ClientProgramConfig)
  listenToLab((message) => {
    if (message.do === 'begin') program.begin(Number(message['nowNs']))
    if (message.do === 'report') tellLab({ report: message['number'], clients: program.report() })
  })
  tellLab({ ready: true })
}
