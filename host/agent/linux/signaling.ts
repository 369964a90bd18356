/**
 * The agent's sessions over a socket of the kernel (R-SLR-17). The one idea: the agent is pure; here are its socket,
 * its clock and its timer.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { formatIpv4Address, parseIpv4Address } from '../../../engine/wire/index.ts'
import type { Credential } from '../../../execution-env/certificates/index.ts'
import { HostAgent, type HostState, type LoadSource, type SessionPhase, type SessionView } from '../index.ts'
import type { HostConfig } from './config.ts'
import { HostError } from './errors.ts'

export interface SignalingOptions {
  readonly config: HostConfig
  readonly credential: Credential
  readonly load: LoadSource
  readonly onPhase: (router: string, phase: SessionPhase, reason: string | undefined) => void
}

const LONGEST_TIMER_MS = 2 ** 31 - 1
/** Ends the farewell whether routers have heard it or not. */
const FAREWELL_MS = 1_500

const now = (): number => performance.now() * 1e6

export class Signaling {
  readonly #socket: Socket
  readonly #agent: HostAgent
  #timer: NodeJS.Timeout | undefined
  #ended: (() => void) | undefined

  /** @throws HostError when the host does not have its address, or what it says of itself is too long */
  static async open(options: SignalingOptions): Promise<Signaling> {
    const socket = createSocket('udp4')
    const address = formatIpv4Address(options.config.address)
    try {
      socket.bind({ address, port: 0, exclusive: true })
      await once(socket, 'listening')
    } catch (error) {
      socket.close()
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'EADDRNOTAVAIL') throw new HostError('invalid', `this host does not have ${address}`)
      throw new HostError('failed', `speaking from ${address}: ${message}`)
    }
    return new Signaling(socket, options)
  }

  private constructor(socket: Socket, { config, credential, load, onPhase }: SignalingOptions) {
    this.#socket = socket
    const port = config.signalingPort
    try {
      this.#agent = new HostAgent({
        credential,
        address: config.address,
        routers: config.routers,
        virtualHosts: config.virtualHosts.map((each) => each.text),
        intervalMs: config.intervalMs,
        load,
        random: () => randomBytes(4).readUInt32LE(),
        // What cannot be sent is as good as lost on the way: it is repeated.
        send: (router, payload) => socket.send(payload, port, formatIpv4Address(router), () => {}),
        onPhase: (router, phase, reason) => onPhase(formatIpv4Address(router), phase, reason),
      })
    } catch (error) {
      socket.close()
      throw new HostError('invalid', (error as Error).message)
    }
    socket.on('error', () => {})
    socket.on('message', (payload, from) => {
      const router = parseIpv4Address(from.address)
      if (router === undefined || from.port !== port) return
      this.#agent.receive(router, payload, now())
      this.#schedule()
    })
    this.#agent.start(now())
    this.#schedule()
  }

  get sessions(): readonly SessionView[] {
    return this.#agent.sessions
  }

  setState(state: HostState): void {
    this.#agent.setState(state, now())
    this.#schedule()
  }

  /** Says bye and ends. */
  async close(): Promise<void> {
    this.#agent.stop(now())
    this.#schedule()
    if (!this.#agent.isEnded)
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#ended = resolve
        }),
        new Promise<void>((resolve) => setTimeout(resolve, FAREWELL_MS).unref()),
      ])
    clearTimeout(this.#timer)
    this.#timer = undefined
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()))
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#agent.isEnded) return this.#ended?.()
    const { pollAt } = this.#agent
    if (pollAt === Number.POSITIVE_INFINITY) return
    const waitMs = Math.min(Math.max(0, Math.ceil((pollAt - now()) / 1e6)), LONGEST_TIMER_MS)
    this.#timer = setTimeout(() => {
      this.#agent.poll(now())
      this.#schedule()
    }, waitMs)
  }
}
