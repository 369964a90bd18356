/**
 * A traffic class as data: what the tree keeps of it, what may be changed, what reports show.
 */
import type { Ceiling } from '../control.ts'
import type { QueueReport } from '../queues/queue-manager.ts'

/** Name of the class that takes what no other class claims. It can be set, not removed. */
export const DEFAULT_CLASS = 'default'

/** Default burst of a ceiling: 10 ms at the rate, at least two full Ethernet frames. */
const BURST_SECONDS = 0.01
const LEAST_BURST_BYTES = 2 * 1518

/** What `set` may change. `ceiling: null` takes the ceiling away. */
export interface ClassChange {
  readonly weight?: number
  readonly ceiling?: Ceiling | null
  readonly limitPackets?: number
  readonly limitBytes?: number
  readonly dropPolicy?: 'tail' | 'codel'
}

/** A class as reports show it. */
export interface ClassReport {
  readonly name: string
  /** Name of the parent; absent below the root. */
  readonly parent?: string
  readonly weight: number
  readonly ceiling?: Required<Ceiling>
  /** The class was removed and still has packets. */
  readonly draining: boolean
  readonly queue: QueueReport
}

/** A class in its tree. */
export interface TrafficClass {
  readonly name: string
  readonly label: number
  readonly parent: TrafficClass | undefined
  readonly level: number
  readonly node: number
  /** The node itself, or the leaf of its own below it; NONE when that is closed already. */
  leaf: number
  children: number
  ceiling: Required<Ceiling> | undefined
  draining: boolean
}

/** Fills in the burst and rounds to whole bits and bytes. */
export function completeCeiling(ceiling: Ceiling): Required<Ceiling> {
  const rateBps = Math.round(ceiling.rateBps)
  const byDefault = Math.max(LEAST_BURST_BYTES, (rateBps / 8) * BURST_SECONDS)
  return { rateBps, burstBytes: Math.round(ceiling.burstBytes ?? byDefault) }
}
