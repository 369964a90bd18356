/** What requests about addresses, routes and rules have in common (linux/rtnetlink.h). */

export const AF_INET = 2
export const NEW_ROUTE = 24
export const DELETE_ROUTE = 25
export const TYPE_UNICAST = 1
/** Who has made a route: a number that nobody else has, seen as `proto 84`. */
export const PROTOCOL_OWN = 84

/** Attributes of routes. */
export const ROUTE = {
  destination: 1,
  device: 4,
  gateway: 5,
  priority: 6,
  preferredSource: 7,
  metrics: 8,
  multipath: 9,
  table: 15,
  via: 18,
} as const

/** An IPv4 address as the kernel has it. @param address unsigned */
export function addressBytes(address: number): Uint8Array {
  return Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address)
}
