/**
 * The bounds of what a router can be configured with: what a file may ask for is finite, and beyond it the file is
 * refused with the bound in the message, never tried.
 */
import { SECOND } from '../../engine/index.ts'

export const MAX_INTERFACES = 4_096
export const MAX_ADDRESSES_PER_INTERFACE = 16
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
export const MIN_MTU = 68
/** A jumbo frame. */
export const MAX_MTU = 9_216
/** The least link and the outer header. */
export const MIN_TUNNEL_MTU = MIN_MTU + 20
export const MAX_QUEUE_PACKETS = 1e6
export const MAX_QUEUE_BYTES = 1e9
