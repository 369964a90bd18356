/**
 * Listeners: who accepts connections on which port. The one idea: a listener bounds its half-open connections, and
 * a SYN beyond the bound is dropped and counted, so that a flood costs a fixed amount.
 */
import { StackError } from '../errors.ts'
import type { ConnectionEnds } from '../stack-event.ts'
import type { TcpConnection } from './connection.ts'
import type { ExperimentalOption } from './control-block.ts'
import { settingsOf, type TcpSettings } from './settings.ts'

/** Any local address. */
export const ANY_ADDRESS = 0
export const DEFAULT_BACKLOG = 128

/** A connection request as a listener's hook sees it. Attacker-controlled. */
export interface SynNotice extends ConnectionEnds {
  readonly options: readonly ExperimentalOption[]
  /** The whole IP packet: a view, never to be written to. */
  readonly packet: Uint8Array
}

/** What to do with a SYN: experimental options for the SYN-ACK, or nothing at all (somebody else answers). */
export type SynAnswer = readonly ExperimentalOption[] | 'ignore'

export interface ListenOptions {
  /** Most half-open connections, 1..65535. Default 128. */
  readonly backlog?: number
  readonly settings?: Partial<TcpSettings>
  /** Sees each acceptable SYN before it is answered. */
  readonly onSyn?: (syn: SynNotice) => SynAnswer
  /** Accepts a SYN sent to a multicast group this host is in, answering from its own address. Default false. */
  readonly groups?: boolean
}

export class TcpListener {
  readonly port: number
  /** 0 for any. */
  readonly address: number
  readonly backlog: number
  readonly settings: TcpSettings
  readonly options: ListenOptions
  readonly onConnection: (connection: TcpConnection) => void
  /** Half-open connections now. */
  pending = 0
  /** Connections handed over, SYNs dropped for the backlog. */
  accepted = 0
  dropped = 0
  closed = false
  readonly #remove: (listener: TcpListener) => void

  constructor(
    port: number,
    address: number,
    onConnection: (connection: TcpConnection) => void,
    options: ListenOptions,
    remove: (listener: TcpListener) => void,
  ) {
    const { backlog = DEFAULT_BACKLOG } = options
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw new StackError('invalid', `port ${port} is not in 1..65535`)
    if (!Number.isInteger(backlog) || backlog < 1 || backlog > 65_535)
      throw new StackError('invalid', `backlog ${backlog} is not in 1..65535`)
    this.port = port
    this.address = address
    this.backlog = backlog
    this.settings = settingsOf(options.settings)
    this.options = options
    this.onConnection = onConnection
    this.#remove = remove
  }

  /** Stops listening; connections already handed over live on. Idempotent. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.#remove(this)
  }
}

/** The listeners of one host. */
export class ListenerTable {
  readonly #byPort = new Map<number, TcpListener[]>()

  /** @throws StackError `exists` when address and port are taken */
  add(listener: TcpListener): void {
    const others = this.#byPort.get(listener.port)
    if (others === undefined) this.#byPort.set(listener.port, [listener])
    else if (others.some((each) => each.address === listener.address))
      throw new StackError('exists', `port ${listener.port} is taken`)
    else others.push(listener)
  }

  remove(listener: TcpListener): void {
    const rest = (this.#byPort.get(listener.port) ?? []).filter((each) => each !== listener)
    if (rest.length === 0) this.#byPort.delete(listener.port)
    else this.#byPort.set(listener.port, rest)
  }

  /** The listener of this very address, or else of any. */
  find(address: number, port: number): TcpListener | undefined {
    const all = this.#byPort.get(port)
    if (all === undefined) return undefined
    return all.find((each) => each.address === address) ?? all.find((each) => each.address === ANY_ADDRESS)
  }

  has(port: number): boolean {
    return this.#byPort.has(port)
  }
}
