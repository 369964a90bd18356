/**
 * What became of every packet. The one idea: conservation. At any moment, per engine,
 * in + originated + copies = out + delivered + merged + parked + queued + inProgram + dropped,
 * so that no packet can vanish without a name. Scenarios assert it (contract: `conservation`).
 */
import { DROP_REASONS, type DropReason } from './drop-reason.ts'

/** A snapshot of an engine's packet balance, as the report shows it. */
export interface PacketBalance {
  readonly in: number
  readonly originated: number
  readonly copies: number
  readonly out: number
  readonly delivered: number
  readonly merged: number
  readonly parked: number
  readonly queued: number
  readonly inProgram: number
  /** Only reasons that occurred. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>
}

/** Packet counters of one engine; doubles that count exactly to 2^53. */
export class Counters {
  /** Frames received from ports. */
  in = 0
  /** Packets that this router made: ARP, ICMP, replies. */
  originated = 0
  /** Extra packets from replication and fragmentation. */
  copies = 0
  /** Frames handed to ports. */
  out = 0
  /** Packets consumed by the router itself: ARP, ICMP and whatever its own services take. */
  delivered = 0
  /** Packets that became part of another one. */
  merged = 0
  /** Packets that wait for a decision, a neighbour or a first fragment. */
  parked = 0
  /** Packets in the queues of ports. */
  queued = 0
  /** Packets handed to a per-packet program. */
  inProgram = 0
  /** Drops by code. */
  readonly dropped = new Float64Array(DROP_REASONS.length)

  /** Snapshot with drops by name. */
  balance(): PacketBalance {
    const dropped: Partial<Record<DropReason, number>> = {}
    this.dropped.forEach((count, code) => {
      if (count > 0) dropped[DROP_REASONS[code]] = count
    })
    const { in: received, originated, copies, out, delivered, merged, parked, queued, inProgram } = this
    return { in: received, originated, copies, out, delivered, merged, parked, queued, inProgram, dropped }
  }
}

/** Whether a balance adds up. */
export function isConserved(balance: PacketBalance): boolean {
  const dropped = Object.values(balance.dropped).reduce((sum, count) => sum + count, 0)
  const { in: received, originated, copies, out, delivered, merged, parked, queued, inProgram } = balance
  return received + originated + copies === out + delivered + merged + parked + queued + inProgram + dropped
}
