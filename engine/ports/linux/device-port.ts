/**
 * What drivers on real devices have in common: how they are opened, what they count besides frames, and how they
 * tell of trouble. The one idea: a frame that the driver must refuse is a mistake in the set-up of a link, so it is
 * counted each time and told once, with what to do about it.
 */
import { NONE, type PacketSlab } from '../../packet.ts'
import { ETHER_TYPE_SERVICE_VLAN, ETHER_TYPE_VLAN, VLAN_TAG_BYTES } from '../../wire/ethernet.ts'
import type { PortCounters } from '../port-driver.ts'

/** Kinds of trouble; each is told once for a port. */
export type PortProblemKind =
  | 'frame-too-long' // frames longer than the MTU came: the sender leaves segmentation to hardware
  | 'not-taken' // frames were never taken by the device: the other end's MTU is smaller
  | 'checksum' // frames came whose checksum nobody can finish
  | 'device-gone' // the device went away
  | 'device-back' // it is there again

export interface PortProblem {
  readonly kind: PortProblemKind
  /** What happened and what to do about it. */
  readonly message: string
}

export interface DevicePortOptions {
  /** The port's name in the router. */
  readonly name: string
  /** The device's name in the system, in the namespace of the calling thread. */
  readonly device: string
  /** Is told of trouble, each kind once. */
  readonly onProblem?: (problem: PortProblem) => void
  /** Is told that the device of this name is another one from now on. */
  readonly onReturn?: () => void
}

/** What happened to frames below the port's counters. All monotonic. */
export interface DeviceCounters {
  /** Frames whose checksum the driver finished. */
  checksumsCompleted: number
  /** Dropped: unfinished checksum of something that is not TCP or UDP over IPv4. Part of receiveDropped. */
  checksumsRefused: number
  /** Dropped: longer than the MTU. Part of receiveDropped. */
  oversized: number
  /** Dropped by the kernel because they were not taken in time. Part of receiveDropped. */
  kernelDropped: number
  /** VLAN tags that the kernel had taken off and the driver put back. */
  tagsRestored: number
}

export function createDeviceCounters(): DeviceCounters {
  return { checksumsCompleted: 0, checksumsRefused: 0, oversized: 0, kernelDropped: 0, tagsRestored: 0 }
}

/** Tells each kind of trouble once. */
export class ProblemReporter {
  readonly #told = new Set<PortProblemKind>()
  readonly #sink: ((problem: PortProblem) => void) | undefined
  readonly #port: string

  constructor(port: string, sink: ((problem: PortProblem) => void) | undefined) {
    this.#port = port
    this.#sink = sink
  }

  tell(kind: PortProblemKind, message: string): void {
    if (this.#told.has(kind)) return
    this.#told.add(kind)
    this.#sink?.({ kind, message: `${this.#port}: ${message}` })
  }
}

/** How many bytes of a frame its MTU does not count: four for an 802.1Q or 802.1ad tag. */
export function tagBytes(bytes: Uint8Array, start: number, length: number): number {
  if (length < 14) return 0
  const type = (bytes[start + 12]! << 8) | bytes[start + 13]!
  return type === ETHER_TYPE_VLAN || type === ETHER_TYPE_SERVICE_VLAN ? VLAN_TAG_BYTES : 0
}

/** A packet for `length` bytes; NONE, counted under receiveDropped, when none is free or it does not fit. */
export function allocateFor(slab: PacketSlab, length: number, counters: PortCounters): number {
  const packet = length > slab.room ? NONE : slab.allocate()
  if (packet === NONE) counters.receiveDropped++
  return packet
}
