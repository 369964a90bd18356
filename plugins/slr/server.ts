/** A server of the site: what it says of itself, what the operator says, and what the router knows of the way to it. */
import { longest, type Prefix } from './prefix.ts'

/**
 * `active`: gets new flows. `draining`: none, and those that it has stay; it keeps its places in hashing tables, so
 * that nothing moves when it comes back. `maintenance`: as draining, and out of the tables.
 */
export type ServerState = 'active' | 'draining' | 'maintenance'
export const SERVER_STATES: readonly ServerState[] = ['active', 'draining', 'maintenance']

/**
 * `configured`: assumed to be there, as the operator says. `heard`: has said hello or reported, and is silent for no
 * longer than allowed. `silent`: was heard and fell silent; only servers of the configuration are kept then.
 */
export type Presence = 'configured' | 'heard' | 'silent'

/** A virtual host or subnet that a server serves. */
export interface Service {
  readonly prefix: Prefix
  /** As last reported; 0 before the first report. */
  load: number
  /** Flows sent there since. */
  begun: number
}

export interface Server {
  readonly address: string
  readonly value: number
  readonly isConfigured: boolean
  readonly weight: number
  readonly backup: boolean
  /** Its name for people. */
  host: string
  presence: Presence
  /** What it says of itself. */
  reported: ServerState
  /** What the operator says. */
  ordered: ServerState
  services: Service[]
  /** Whether the loads are reported, or only counted here. */
  hasReported: boolean
  /** Connections as last reported. */
  connections: number
  /** When it was last heard of. */
  heardNs: number
  /** Flows that were sent there and are not over. */
  open: number
  /** Cost of the way there; undefined while there is none. */
  routing: number | undefined
}

/** The worse of what the server and the operator say. */
export function stateOf(server: Server): ServerState {
  const worst = Math.max(SERVER_STATES.indexOf(server.reported), SERVER_STATES.indexOf(server.ordered))
  return SERVER_STATES[worst]!
}

/** Whether it may get new flows, if it serves them and can be reached. */
export function isAvailable(server: Server): boolean {
  return server.presence !== 'silent' && stateOf(server) === 'active'
}

/** The service of a server to which an address belongs. */
export function serviceOf(server: Server, address: number): Service | undefined {
  return longest(server.services, address)
}

/**
 * s_kj as it is by now: what was reported, and what was sent there since. A server that never reports is judged by the
 * flows that it has. Without this, every flow until the next report would go to whoever was least loaded at the last
 * one (the herd effect of stale loads: Mitzenmacher, "How Useful Is Old Information?", IEEE TPDS 11(1), 2000).
 * @param flowLoad load that one flow is taken for, on a server of weight 1
 */
export function loadOf(server: Server, service: Service, flowLoad: number): number {
  const flows = server.hasReported ? service.begun : server.open
  return service.load + (flows * flowLoad) / server.weight
}
