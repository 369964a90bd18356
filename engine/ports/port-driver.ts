/**
 * The port driver: the only way frames enter and leave an engine. The one idea: a driver moves whole Ethernet
 * frames between the slab and a medium, never blocks, and says when it is ready again, so that one loop serves
 * a simulator, a capture file, a TAP, AF_PACKET and AF_XDP. Wrappers (tracer, fault injector) implement the same
 * interface around another driver.
 */
import type { Nanoseconds } from '../clock.ts'
import type { PacketSlab } from '../packet.ts'

/** What a driver can do; wrappers pass it on. */
export interface PortCapabilities {
  /** Largest frame without FCS that the medium carries, in bytes (MTU + 14, + 4 with a VLAN tag). */
  readonly maxFrameBytes: number
  /** Frames arrive with valid transport checksums (false: the other end leaves them to hardware). */
  readonly checksumsComplete: boolean
  /** True where the kernel can forward pinned flows below this driver. */
  readonly offload: boolean
}

/** Frames and bytes that passed, and why frames did not. All monotonic. */
export interface PortCounters {
  receivedFrames: number
  receivedBytes: number
  transmittedFrames: number
  transmittedBytes: number
  /** Frames that the medium offered but that no slab packet could hold. */
  receiveDropped: number
  /** Frames given to transmit that the medium refused or that were lost below. */
  transmitDropped: number
}

export interface PortDriver {
  readonly name: string
  /** Six bytes. */
  readonly mac: Uint8Array
  readonly capabilities: PortCapabilities
  readonly counters: PortCounters
  /** Whether the medium is connected. */
  readonly up: boolean

  /**
   * Moves up to `limit` waiting frames into freshly allocated packets and writes their descriptors to
   * `into[0..n)`. Returns n. START, LENGTH and `slab.time` (= now) are set; the rest is the engine's.
   */
  receive(slab: PacketSlab, into: Int32Array, limit: number, now: Nanoseconds): number

  /**
   * Sends the packet's frame. True: the driver has copied or sent it; false: it is lost (counted under
   * transmitDropped). Either way the caller still owns the packet. Call only when `readyAt(now) <= now`.
   */
  transmit(slab: PacketSlab, packet: number, now: Nanoseconds): boolean

  /** Ends a burst: pushes what `transmit` batched. */
  flush(now: Nanoseconds): void

  /** Earliest time at which the next `transmit` is accepted: `now` or before when at once, NEVER when down. */
  readyAt(now: Nanoseconds): Nanoseconds

  /** Earliest time at which `receive` may find something without an outside event; NEVER when only outside events. */
  pollAt(now: Nanoseconds): Nanoseconds

  /** Releases what the driver holds. Idempotent. */
  close(): void
}
