/**
 * A port of the router: a driver and what the router knows about it. Ports are numbered from 0 in the order of
 * the configuration; the number stands in packets, routes and filters.
 */
import type { PortDriver } from './ports/port-driver.ts'
import type { UrgentQueue } from './queues/urgent-queue.ts'
import type { LinkScheduler } from './scheduler/link-scheduler.ts'

/** An address a port answers for, and the length of its network's prefix. */
export interface PortAddress {
  /** Unsigned. */
  readonly address: number
  readonly length: number
}

export interface Port {
  readonly index: number
  readonly name: string
  /** Replaced only by one that wraps it, or by the one that was wrapped. */
  driver: PortDriver
  /** The driver's MAC as three half words in machine order. */
  readonly macHalfs: Uint16Array
  readonly addresses: PortAddress[]
  /** Largest IP packet in bytes. */
  readonly mtu: number
  /** Whether the driver's medium was connected at the last poll. */
  up: boolean
  readonly scheduler: LinkScheduler
  /** Frames of the router itself that go first. */
  readonly urgent: UrgentQueue
}

/** Whether an address lies in the network of one of the port's addresses. */
export function isOnLink(port: Port, address: number): boolean {
  return port.addresses.some((each) => sameNetwork(each, address))
}

/** The port's own address on the network that holds `peer`, else its first one; 0 when it has none. */
export function sourceAddress(port: Port, peer: number): number {
  for (const each of port.addresses) if (sameNetwork(each, peer)) return each.address
  return port.addresses[0]?.address ?? 0
}

function sameNetwork(own: PortAddress, address: number): boolean {
  const mask = own.length === 0 ? 0 : 0xffffffff << (32 - own.length)
  return ((own.address ^ address) & mask) === 0
}
