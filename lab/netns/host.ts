/**
 * A host of a lab in its namespace: nginx, the services and the clients of the lab file as real processes. The one
 * idea: a host that fails loses all of them at once, and its links; when it recovers they are started anew.
 */
import { join } from 'node:path'
import { addressOf, contains, subnetOf } from '../../document/index.ts'
import { entryPath } from '../../execution-env/sandbox/index.ts'
import { type HostNode, hostsOf } from '../file/index.ts'
import type { ClientReport } from '../report.ts'
import { NetnsAgent } from './host-agent.ts'
import { HostClients } from './host-clients.ts'
import { startNginx } from './nginx.ts'
import { LabProcess } from './process.ts'
import type { ServiceProgramConfig } from './programs/service-program.ts'
import type { Surroundings } from './surroundings.ts'

const START_LIMIT_MS = 20_000

export class NetnsHost {
  readonly name: string
  readonly #spec: HostNode
  readonly #surroundings: Surroundings
  readonly #clients: HostClients
  #processes: LabProcess[] = []
  #agent: NetnsAgent | undefined
  #load: number
  #lives = 0
  #up = false

  constructor(spec: HostNode, surroundings: Surroundings, hasCurl: boolean) {
    this.name = spec.name
    this.#spec = spec
    this.#surroundings = surroundings
    this.#load = spec.agent?.load ?? 0
    this.#clients = new HostClients(spec, surroundings, hasCurl)
  }

  get isDone(): boolean {
    return this.#clients.isDone
  }

  /** Everything that runs and was not told to end. */
  get processes(): readonly LabProcess[] {
    const { process } = this.#clients
    return process === undefined ? this.#processes : [...this.#processes, process]
  }

  /** Starts services, then clients, which wait for `begin`. Nothing happens when it is up. */
  async start(): Promise<void> {
    if (this.#up) return
    this.#up = true
    const life = this.#lives++
    const { services, virtualHosts } = this.#spec
    if (virtualHosts.length > 0) {
      this.#agent = await NetnsAgent.start(this.#spec, this.#load, this.#surroundings, life)
      this.#processes.push(this.#agent.process)
    }
    if (services.some(({ protocol }) => protocol === 'http'))
      this.#processes.push(await startNginx(this.#spec, this.#surroundings, life))
    if (services.some(({ protocol }) => protocol !== 'http')) await this.#startServices(life)
    await this.#clients.start(life)
  }

  /** Resolves when the routers that it tells of itself know it. */
  async greeted(): Promise<void> {
    await this.#agent?.greeted()
  }

  begin(nowNs: number): void {
    this.#clients.begin(nowNs)
  }

  /** Pulls its plug. Nothing happens when it is down. */
  async fail(): Promise<void> {
    if (!this.#up) return
    this.#up = false
    this.#surroundings.network.setNode(this.name, false)
    const processes = this.#processes
    this.#processes = []
    this.#agent = undefined
    await Promise.all([this.#clients.fail(), ...processes.map((each) => each.kill())])
  }

  async recover(nowNs: number): Promise<void> {
    if (this.#up) return
    this.#surroundings.network.setNode(this.name, true)
    await this.start()
    this.begin(nowNs)
  }

  /** Sets the load that its agent reports. */
  setLoad(load: number): void {
    this.#load = load
    this.#agent?.setLoad(load)
  }

  async refresh(): Promise<void> {
    await this.#clients.refresh()
  }

  reports(): ClientReport[] {
    return this.#clients.reports()
  }

  async #startServices(life: number): Promise<void> {
    const { ledger, network, folder } = this.#surroundings
    const config: ServiceProgramConfig = {
      name: this.name,
      services: this.#spec.services.flatMap(({ protocol, port }) =>
        protocol === 'http' ? [] : [{ protocol, port }],
      ),
      addresses: this.#addresses(),
    }
    const program = LabProcess.start(ledger, {
      what: `the services of ${this.name}`,
      namespace: network.namespace(this.name),
      command: [
        process.execPath,
        entryPath(import.meta.url, './programs/service-program'),
        JSON.stringify(config),
      ],
      logFile: join(folder, `${this.name}-services-${life}.log`),
      talks: true,
    })
    this.#processes.push(program)
    let ready = false
    program.onMessage = (message) => {
      if (message['ready'] === true) ready = true
    }
    await program.waitUntil(() => ready, 'starting', START_LIMIT_MS)
  }

  /** Its own addresses, and those virtual ones that somebody in the lab asks for. */
  #addresses(): string[] {
    const { interfaces, virtualHosts } = this.#spec
    const own = interfaces.flatMap((each) => each.addresses.map(({ address }) => address))
    const asked = hostsOf(this.#surroundings.lab).flatMap((host) =>
      host.clients.map(({ address }) => address),
    )
    const isVirtual = (address: string) =>
      virtualHosts.some((prefix) => contains(subnetOf(prefix), addressOf(address)))
    return [...new Set([...own, ...asked.filter(isVirtual)])]
  }
}
