/**
 * The report of a lab: what `--json` prints. The one idea: counters only, every one of them conserved or explained;
 * all that depends on the wall clock stands under `wall`, so that the rest is identical for one lab and seed.
 */

/** Milliseconds of completed requests; null where none completed. */
export interface Latency {
  readonly p50: number | null
  readonly p99: number | null
}

/** One client of a host, in the order of the lab file. */
export interface ClientReport {
  readonly attempted: number
  readonly completed: number
  /** attempted = completed + failed + those under way at the end. */
  readonly failed: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly latencyMs: Latency
  /** Completed requests by the host that answered. */
  readonly servers: Readonly<Record<string, number>>
  /** Requests whose answer was not what was sent. */
  readonly corrupted: number
  /** The program that made the requests, where they are made by real ones. */
  readonly tool?: string
}

/** Where a router's packets went. */
export interface PacketCounts {
  readonly in: number
  readonly originated: number
  readonly copies: number
  readonly out: number
  readonly delivered: number
  readonly merged: number
  readonly parked: number
  readonly queued: number
  readonly inProgram: number
  /** By reason; reasons that did not occur may be left out. */
  readonly dropped: Readonly<Record<string, number>>
}

/** What a traffic class of a port did. */
export interface ClassReport {
  readonly packets: number
  readonly bytes: number
  readonly dropped: number
  readonly queued: number
  readonly delayMs: Latency
}

export interface PluginReport {
  readonly id: string
  readonly name: string
  readonly version: string
  readonly state: string
  readonly decisions: number
  readonly restarts: number
}

export interface RouterReport {
  readonly packets: PacketCounts
  /** Live flow entries at the end. */
  readonly flows: number
  /** Open tunnels at the end. */
  readonly tunnels: number
  /** By port, then by class. */
  readonly classes: Readonly<Record<string, Readonly<Record<string, ClassReport>>>>
  readonly plugins: readonly PluginReport[]
}

/** An expectation and what came of it. */
export interface ExpectationResult {
  readonly path: string
  readonly is: string
  /** The value in the report; null where there is none. */
  readonly actual: unknown
  readonly met: boolean
  /** Why it is not met. */
  readonly why?: string
}

/** What a backend measured: everything but the judgement. */
export interface Measurements {
  readonly lab: string
  readonly backend: string
  readonly seed: number
  readonly virtualSeconds: number
  /** By host; hosts without clients are left out. */
  readonly clients: Readonly<Record<string, readonly ClientReport[]>>
  readonly routers: Readonly<Record<string, RouterReport>>
  /** Whatever was taken from a clock of this machine; `seconds` is added by the caller. */
  readonly wall: Readonly<Record<string, number>>
}

export interface Report extends Measurements {
  readonly wall: { readonly seconds: number; readonly [figure: string]: number }
  /** Whether every router's packets add up. */
  readonly conservation: boolean
  readonly expectations: readonly ExpectationResult[]
}

/** in + originated + copies */
export function packetsTaken(packets: PacketCounts): number {
  return packets.in + packets.originated + packets.copies
}

/** out + delivered + merged + parked + queued + inProgram + dropped */
export function packetsGiven(packets: PacketCounts): number {
  const { out, delivered, merged, parked, queued, inProgram, dropped } = packets
  const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0)
  return out + delivered + merged + parked + queued + inProgram + lost
}

/** Whether a router's packets add up. */
export function isConserved(packets: PacketCounts): boolean {
  return packetsTaken(packets) === packetsGiven(packets)
}
