/**
 * The agent of a simulated host (R-SLR-17): the real one, over the UDP of the host's stack and its timers. The one idea:
 * it lives and dies with its stack, and its port is an ephemeral one like every client's.
 */
import type { Random } from '../../engine/index.ts'
import { parseIpv4Address } from '../../engine/wire/index.ts'
import type { Credential } from '../../execution-env/certificates/index.ts'
import { HostAgent, SIGNALING_PORT } from '../../host/agent/index.ts'
import type { HostStack, StackTimer, UdpDatagram } from '../../host/stack/index.ts'
import type { AgentSpec } from '../file/index.ts'

export interface SimAgentOptions {
  readonly stack: HostStack
  readonly spec: AgentSpec
  readonly address: string
  readonly virtualHosts: readonly string[]
  readonly credential: Credential
  readonly random: Random
  /** The load to report at this moment. */
  readonly load: () => number
}

export class SimAgent {
  readonly #stack: HostStack
  readonly #agent: HostAgent
  #timer: StackTimer | undefined
  #timerAt = Number.POSITIVE_INFINITY

  constructor(options: SimAgentOptions) {
    const { stack, spec, virtualHosts, credential, random, load } = options
    const address = parseIpv4Address(options.address)!
    this.#stack = stack
    const { port: fromPort } = stack.udp.bind(0, (datagram) => this.#receive(datagram), { address })
    this.#agent = new HostAgent({
      credential,
      address,
      routers: spec.routers.map((text) => parseIpv4Address(text)!),
      virtualHosts,
      intervalMs: Math.round(spec.intervalNs / 1e6),
      load: () => ({ load: load(), connections: stack.tcp.connections }),
      random: () => random.uint32(),
      send: (to, payload) => {
        stack.udp.send({ to, port: SIGNALING_PORT, from: address, fromPort, payload })
      },
    })
  }

  /** Says hello. To be called at a time of the stack. */
  start(): void {
    this.#agent.start(this.#stack.clock.now)
    this.#arm()
  }

  #receive({ source, sourcePort, payload }: UdpDatagram): void {
    if (sourcePort === SIGNALING_PORT) this.#agent.receive(source, payload, this.#stack.clock.now)
    this.#arm()
  }

  /** Lets the stack call at the time at which the agent has something to do. */
  #arm(): void {
    const at = this.#agent.pollAt
    if (at === this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = at
    if (at === Number.POSITIVE_INFINITY) return
    this.#timer = this.#stack.after(at - this.#stack.clock.now, () => {
      this.#timerAt = Number.POSITIVE_INFINITY
      this.#agent.poll(this.#stack.clock.now)
      this.#arm()
    })
  }
}
