/**
 * Hosts and a router that signal to each other without a network, in virtual time. Every datagram passes `wire`, where
 * a test may lose, keep or change it.
 */
import { createHash } from 'node:crypto'
import { type Message, parseMessage } from '../../engine/signaling/message.ts'
import {
  type Credential,
  createKey,
  createRoot,
  deriveSeed,
  type Grant,
  issueCertificate,
  type RevocationReason,
  TrustStore,
  type Usage,
  writeRevocationList,
} from '../../execution-env/certificates/index.ts'
import { HostAgent, type HostAgentOptions } from '../../host/agent/index.ts'
import { type SignalingDatagram, SignalingServer, type Tidings } from '../../router/signaling/index.ts'
import { ip } from './packets.ts'

export const EPOCH_MS = Date.UTC(2026, 0, 1)
export const ROUTER = '10.0.2.1'
export const PORT = 4754
export const SECOND = 1e9
const DAY_MS = 86_400_000

/** An authority whose keys follow from its name. */
export class TestAuthority {
  readonly root: Credential
  readonly #secret: string
  readonly #revoked = new Map<string, { atMs: number; reason: RevocationReason }>()
  #serial = 0x1000
  #lists = 0

  constructor(name = 'test authority', secret = name) {
    this.#secret = secret
    this.root = createRoot({ name, serial: '01', key: this.#key('root'), ...this.#validity() })
  }

  issue(
    name: string,
    options: { type?: Usage; grant?: Grant; notAfterMs?: number; notBeforeMs?: number } = {},
  ): Credential {
    const { type = 'host', grant = { virtualHosts: ['198.18.0.0/15'] }, ...validity } = options
    const key = this.#key(name)
    const serial = (++this.#serial).toString(16)
    const request = { type, name, serial, key, grant, ...this.#validity(), ...validity }
    return { certificate: issueCertificate(this.root, request), key, chain: [] }
  }

  revoke({ certificate }: Credential): void {
    this.#revoked.set(certificate.serial, { atMs: EPOCH_MS, reason: 'keyCompromise' })
  }

  /** What a router trusts that knows of everything until now. */
  trust(): TrustStore {
    const list = writeRevocationList(this.root, {
      number: ++this.#lists,
      thisUpdateMs: EPOCH_MS - DAY_MS,
      nextUpdateMs: EPOCH_MS + 30 * DAY_MS,
      revoked: this.#revoked,
    })
    return new TrustStore([this.root.certificate], [list])
  }

  #validity() {
    return { notBeforeMs: EPOCH_MS - DAY_MS, notAfterMs: EPOCH_MS + 365 * DAY_MS }
  }

  #key(name: string) {
    return createKey({ algorithm: 'ed25519', seed: deriveSeed(this.#secret, name) })
  }
}

export interface RigHost {
  readonly agent: HostAgent
  readonly address: number
  readonly port: number
  /** What it reports. */
  load: number
  connections: number
}

export type Direction = 'to-router' | 'to-host'

export class SignalingRig {
  now = 0
  readonly authority = new TestAuthority()
  readonly server: SignalingServer
  readonly tidings: Tidings[] = []
  readonly notices: string[] = []
  readonly phases: string[] = []
  /** Every datagram, in order. */
  readonly trace: { readonly direction: Direction; readonly datagram: SignalingDatagram }[] = []
  /** What passes: the datagram, another one, or undefined for a loss. */
  wire: (datagram: SignalingDatagram, direction: Direction) => SignalingDatagram | undefined = (each) => each
  trust: TrustStore
  readonly #hosts: RigHost[] = []
  #drawn = 0

  constructor(options: { sessions?: number } = {}) {
    this.trust = this.authority.trust()
    this.server = new SignalingServer({
      trust: () => this.trust,
      calendarMs: (now) => EPOCH_MS + now / 1e6,
      randomBytes: (count) => this.#bytes(count),
      send: (datagram) => this.#toHost(datagram),
      deliver: (tidings) => this.tidings.push(tidings),
      notice: ({ text }) => this.notices.push(text),
      ...options,
    })
  }

  /** A host that speaks for 198.18.0.0/15 from an address; it does nothing before `start`. */
  host(
    credential: Credential,
    address: string,
    options: Partial<HostAgentOptions> & { port?: number } = {},
  ): RigHost {
    const { port = 30_000, ...rest } = options
    const host: RigHost = {
      address: ip(address),
      port,
      load: 0.2,
      connections: 3,
      agent: new HostAgent({
        credential,
        address: ip(address),
        routers: [ip(ROUTER)],
        virtualHosts: ['198.18.0.0/15'],
        intervalMs: 1000,
        load: () => ({ load: host.load, connections: host.connections }),
        random: () => this.random(),
        send: (router, payload) =>
          this.toRouter({ from: host.address, fromPort: port, to: router, toPort: PORT, payload }),
        onPhase: (_, phase, reason) => this.phases.push(reason === undefined ? phase : `${phase} ${reason}`),
        ...rest,
      }),
    }
    this.#hosts.push(host)
    return host
  }

  /** A host that has said hello and is taken in. */
  started(
    name: string,
    address: string,
    options: Partial<HostAgentOptions> & { port?: number } = {},
  ): RigHost {
    const host = this.host(this.authority.issue(name), address, options)
    host.agent.start(this.now)
    return host
  }

  /** Gives a datagram to the router, as it is. */
  inject(datagram: Partial<SignalingDatagram> & { payload: Uint8Array }): void {
    const whole = { from: ip('10.0.2.2'), fromPort: 30_000, to: ip(ROUTER), toPort: PORT, ...datagram }
    this.server.receive(whole, this.now)
  }

  toRouter(datagram: SignalingDatagram): void {
    this.trace.push({ direction: 'to-router', datagram })
    const passed = this.wire(datagram, 'to-router')
    if (passed !== undefined) this.server.receive(passed, this.now)
  }

  /** Lets time pass in the steps in which something is due. */
  advance(byNs: number): void {
    const until = this.now + byNs
    for (let round = 0; round < 100_000; round++) {
      const due = Math.min(this.server.pollAt, ...this.#hosts.map(({ agent }) => agent.pollAt))
      if (due > until) break
      this.now = Math.max(this.now, due)
      this.server.poll(this.now)
      for (const { agent } of this.#hosts) agent.poll(this.now)
    }
    this.now = until
  }

  /** Topics heard since the last call, with the part that tells most. */
  heard(): string[] {
    return this.tidings.splice(0).map(({ topic, body }) => {
      const { host, reason, state } = body as Record<string, string>
      return [topic, host, reason ?? state ?? ''].join(' ').trim()
    })
  }

  /** Messages of a direction since the beginning. */
  messages(direction: Direction): Message[] {
    return this.trace
      .filter((each) => each.direction === direction)
      .map(({ datagram }) => parseMessage(datagram.payload)!.message)
  }

  /** The last payload of a type on its way to the router. */
  lastToRouter(type: Message['type']): Uint8Array {
    const found = this.trace.findLast(
      ({ direction, datagram }) =>
        direction === 'to-router' && parseMessage(datagram.payload)?.message.type === type,
    )
    if (found === undefined) throw new Error(`no ${type} was sent`)
    return found.datagram.payload
  }

  random(): number {
    return new DataView(this.#bytes(4).buffer).getUint32(0)
  }

  #toHost(datagram: SignalingDatagram): void {
    this.trace.push({ direction: 'to-host', datagram })
    const passed = this.wire(datagram, 'to-host')
    if (passed === undefined) return
    const host = this.#hosts.find(({ address, port }) => address === passed.to && port === passed.toPort)
    host?.agent.receive(passed.from, passed.payload, this.now)
  }

  #bytes(count: number): Uint8Array<ArrayBuffer> {
    const digest = createHash('sha256')
      .update(`${this.#drawn++}`)
      .digest()
    return Uint8Array.from(digest.subarray(0, count))
  }
}
