/**
 * The bounds of a lab file. The one idea: what a file may ask for is finite and stands in one place; beyond it the
 * file is refused with the bound in the message, never tried.
 */
import { SECOND } from '../../engine/index.ts'

/** Bounds of the text, before anything in it is believed. */
export const MAX_FILE_BYTES = 4 << 20
/** Values in the document with every alias written out. */
export const MAX_VALUES = 500_000
/** Nesting of mappings and lists. */
export const MAX_DEPTH = 40

export const MAX_NODES = 10_000
export const MAX_LINKS = 20_000
export const MAX_EVENTS = 10_000
export const MAX_EXPECTATIONS = 1_000
export const MAX_CLIENTS_PER_HOST = 64
export const MAX_SERVICES_PER_HOST = 64
export const MAX_INTERFACES = 4_096
export const MAX_ADDRESSES_PER_INTERFACE = 16
export const MAX_VIRTUAL_HOSTS = 256
export const MAX_ROUTES = 10_000
export const MAX_PLUGINS = 64
export const MAX_TUNNELS = 4_096
/** Below the 4096 classes that a port can have. */
export const MAX_CLASSES = 4_000
export const MAX_FILTERS = 10_000
/** Copies of one packet (the engine's own bound). */
export const MAX_COPIES = 64
export const MAX_SPREAD = 256
/** `then` within `then`. */
export const MAX_ACTION_DEPTH = 8

/** 100 days: everything stays exact in nanoseconds held by a double. */
export const MAX_DURATION_NS = 100 * 86_400 * SECOND
export const MAX_RATE_BPS = 1e12
export const MIN_RATE_BPS = 1_000
/** Requests per second of one client. */
export const MAX_CLIENT_RATE = 1e6
export const MAX_CLIENT_COUNT = 1e7
export const MAX_CONCURRENCY = 10_000
/** What one side of one request may send. */
export const MAX_REQUEST_BYTES = 1e12
/** Payload of one datagram: 65535 less the IP and UDP (or ICMP) headers. */
export const MAX_DATAGRAM_BYTES = 65_507
export const MIN_MTU = 68
/** A jumbo frame. */
export const MAX_MTU = 9_216
/** The least link and the outer header. */
export const MIN_TUNNEL_MTU = MIN_MTU + 20
export const MAX_QUEUE_PACKETS = 1e6
export const MAX_QUEUE_BYTES = 1e9
export const MAX_SEED = 0xffff_ffff
/** A host's load as it reports it; 1 is fully busy, more is overload. */
export const MAX_LOAD = 1e6
