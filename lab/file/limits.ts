/**
 * The bounds of a lab file. The one idea: what a file may ask for is finite and stands in one place; beyond it the
 * file is refused with the bound in the message, never tried. Those of its routers are the routers' own.
 */

export {
  MAX_ADDRESSES_PER_INTERFACE,
  MAX_DURATION_NS,
  MAX_INTERFACES,
  MAX_MTU,
  MAX_PLUGINS,
  MAX_QUEUE_BYTES,
  MAX_QUEUE_PACKETS,
  MAX_RATE_BPS,
  MAX_ROUTES,
  MIN_MTU,
  MIN_RATE_BPS,
} from '../../router/policy/index.ts'

export const MAX_NODES = 10_000
export const MAX_LINKS = 20_000
export const MAX_EVENTS = 10_000
export const MAX_EXPECTATIONS = 1_000
export const MAX_CLIENTS_PER_HOST = 64
export const MAX_SERVICES_PER_HOST = 64
export const MAX_VIRTUAL_HOSTS = 256
/** What the agent of a host may do: routers that it tells of itself, prefixes that it speaks for, its interval. */
export const MAX_AGENT_ROUTERS = 16
export const MAX_AGENT_VIRTUAL_HOSTS = 64
export const MIN_AGENT_INTERVAL_NS = 200e6
export const MAX_AGENT_INTERVAL_NS = 60e9

/** Requests per second of one client. */
export const MAX_CLIENT_RATE = 1e6
export const MAX_CLIENT_COUNT = 1e7
export const MAX_CONCURRENCY = 10_000
/** What one side of one request may send. */
export const MAX_REQUEST_BYTES = 1e12
/** Payload of one datagram: 65535 less the IP and UDP (or ICMP) headers. */
export const MAX_DATAGRAM_BYTES = 65_507
export const MAX_SEED = 0xffff_ffff
/** A host's load as it reports it; 1 is fully busy, more is overload. */
export const MAX_LOAD = 1e6
