/**
 * The agent of a real host: what `pronto host run` runs. The one idea: what an earlier agent has left is undone first,
 * everything is written down before it is made, and the end undoes all; so the machine is as it was, or as the
 * ledger says.
 */

import { Netlink } from '../../../engine/ports/linux/index.ts'
import { formatIpv4Address } from '../../../engine/wire/index.ts'
import type { Credential } from '../../../execution-env/certificates/index.ts'
import type { HostState, SessionPhase } from '../index.ts'
import { asHostError, ChangeBook } from './change-book.ts'
import type { HostConfig } from './config.ts'
import { Control, type ControlRequest } from './control.ts'
import { readHostCredential } from './credential.ts'
import { DeviceWatch } from './device-watch.ts'
import { HostError } from './errors.ts'
import { openExit, type TunnelExit } from './exit.ts'
import { Ledger } from './ledger.ts'
import { LoadMeter } from './load-meter.ts'
import { Machine } from './machine.ts'
import { checkDevices, prepareHost, prepareIcmp, prepareReplies } from './preparation.ts'
import { segmentInTunnel, syncReplyRoutes } from './reply-routes.ts'
import { Signaling } from './signaling.ts'
import type { HostStatus } from './status.ts'

/** What an agent tells while it runs. */
export type HostEvent =
  | { readonly event: 'warning'; readonly message: string }
  | {
      readonly event: 'session'
      readonly router: string
      readonly phase: SessionPhase
      readonly reason?: string
    }
  | { readonly event: 'state'; readonly state: HostState }

export interface AgentProcessOptions {
  readonly config: HostConfig
  /** For its ledger and its socket; this agent's own. */
  readonly folder: string
  readonly onEvent: (event: HostEvent) => void
}

/** How often it looks whether devices and routes have changed. */
const FOLLOW_MS = 2_000

export class AgentProcess {
  readonly #options: AgentProcessOptions
  readonly #netlink: Netlink
  readonly #machine: Machine
  readonly #book: ChangeBook
  #control: Control | undefined
  #exit: TunnelExit | undefined
  #meter: LoadMeter | undefined
  #signaling: Signaling | undefined
  #follower: NodeJS.Timeout | undefined
  #state: HostState

  /**
   * Makes this machine a host of virtual addresses. When it throws, everything is as before.
   * @throws HostError, CertificateError
   */
  static async start(options: AgentProcessOptions): Promise<AgentProcess> {
    const credential = readHostCredential(options.config)
    let netlink: Netlink | undefined
    let agent: AgentProcess | undefined
    try {
      netlink = new Netlink()
      agent = new AgentProcess(options, netlink, new Ledger(options.folder))
      await agent.#start(credential)
      return agent
    } catch (error) {
      if (agent === undefined) netlink?.close()
      else await agent.close()
      throw asHostError(error)
    }
  }

  readonly #ledger: Ledger

  private constructor(options: AgentProcessOptions, netlink: Netlink, ledger: Ledger) {
    this.#options = options
    this.#netlink = netlink
    this.#ledger = ledger
    this.#machine = new Machine(netlink)
    this.#book = new ChangeBook(ledger, this.#machine)
    this.#state = options.config.state
  }

  /** Everything that is known of it. */
  get status(): HostStatus {
    const { config } = this.#options
    const exit = this.#exit
    return {
      name: config.name,
      state: this.#state,
      address: formatIpv4Address(config.address),
      virtualHosts: config.virtualHosts.map((each) => each.text),
      exit: { kind: exit?.kind ?? 'none', ...exit?.counters() },
      load: this.#meter?.report() ?? { load: 0, connections: 0 },
      routers: (this.#signaling?.sessions ?? []).map(({ router, phase, refusal, counters }) => ({
        router: formatIpv4Address(router),
        phase,
        ...(refusal === undefined ? {} : { refusal }),
        counters,
      })),
    }
  }

  /** Says another state to all routers. */
  setState(state: HostState): void {
    if (state === this.#state) return
    this.#state = state
    this.#signaling?.setState(state)
    this.#options.onEvent({ event: 'state', state })
  }

  /** Says bye, and undoes all. Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#follower)
    await this.#signaling?.close()
    this.#signaling = undefined
    this.#meter?.close()
    for (const each of this.#book.undoAll()) this.#warn(each.message)
    this.#exit?.close()
    this.#exit = undefined
    await this.#control?.close()
    this.#control = undefined
    this.#netlink.close()
  }

  async #start(credential: Credential | undefined): Promise<void> {
    const { config, folder } = this.#options
    this.#control = await Control.listen(folder, (request) => this.#carryOut(request))
    this.#cleanUpBehindAnother()
    checkDevices(this.#machine, config)
    prepareHost(this.#book, this.#machine, config)
    prepareIcmp(this.#book, this.#machine, config)
    this.#prepareReplies()
    this.#exit = openExit(this.#book, this.#machine, config, (message) => this.#warn(message))
    this.#follow()
    this.#meter = new LoadMeter(config, (message) => this.#warn(message))
    if (credential !== undefined && config.routers.length > 0)
      this.#signaling = await this.#openSignaling(credential, this.#meter)
  }

  #cleanUpBehindAnother(): void {
    if (!this.#ledger.open())
      this.#warn('the list of changes of an earlier agent is of another boot or namespace, and is forgotten')
    const { length } = this.#ledger.changes
    if (length === 0) return
    const [failure] = this.#book.undoAll()
    if (failure !== undefined)
      throw new HostError(failure.code, `an earlier agent had been killed, and ${failure.message}`)
    this.#warn(`an earlier agent had been killed; its ${length} changes are undone`)
  }

  /** Clients' uploads work without it too, after the router's word about the size. */
  #prepareReplies(): void {
    const prefixes = this.#options.config.virtualHosts.map((each) => each.prefix)
    try {
      prepareReplies(this.#book, prefixes)
    } catch (error) {
      if (!(error instanceof HostError && error.code === 'unsupported')) throw error
      this.#warn(`clients are not told the size of segments that fit into a tunnel: ${error.message}`)
    }
  }

  /** Goes on as the machine changes: its devices and its routes. */
  #follow(): void {
    const watch = new DeviceWatch(this.#machine, this.#book, this.#options.config.devices)
    let told = ''
    const look = (): void => {
      const problem = this.#syncReplyRoutes()
      if (problem !== '' && problem !== told)
        this.#warn(`clients may not be told the size of segments that fit into a tunnel: ${problem}`)
      told = problem
    }
    look()
    this.#follower = setInterval(() => {
      try {
        for (const each of watch.look()) this.#warn(each)
      } catch (error) {
        this.#warn((error as Error).message)
      }
      look()
    }, FOLLOW_MS)
  }

  /** Why it did not succeed, or nothing. */
  #syncReplyRoutes(): string {
    try {
      const mtus = this.#options.config.devices.map((name) => this.#machine.device(name).mtu)
      syncReplyRoutes(this.#machine, segmentInTunnel(Math.min(...mtus)))
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }

  async #openSignaling(credential: Credential, meter: LoadMeter): Promise<Signaling> {
    const signaling = await Signaling.open({
      config: this.#options.config,
      credential,
      load: () => meter.report(),
      onPhase: (router, phase, reason) =>
        this.#options.onEvent({
          event: 'session',
          router,
          phase,
          ...(reason === undefined ? {} : { reason }),
        }),
    })
    signaling.setState(this.#state)
    return signaling
  }

  #carryOut({ state }: ControlRequest): HostStatus {
    if (state !== undefined) this.setState(state)
    return this.status
  }

  #warn(message: string): void {
    this.#options.onEvent({ event: 'warning', message })
  }
}
