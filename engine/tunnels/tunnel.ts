/**
 * A tunnel as everyone but its own kind sees it: a handle with an entry and an exit, whose kind stays hidden
 * (R-SLR-10, R-PR-05). A kind is one file; the table tells kinds apart by a small integer.
 */

/** Asks for a tunnel. `to` is the far end (an address on the exit); `from` defaults to the outgoing port's address. */
export interface TunnelRequest {
  readonly to: string
  readonly from?: string
  /** Default `ip-in-ip` (RFC 2003). `mac-rewrite` reaches an exit on a connected network by its MAC alone. */
  readonly kind?: 'ip-in-ip' | 'mac-rewrite'
  /** Outer TTL, 1..255. Default 64. */
  readonly ttl?: number
  /** Largest inner packet is this minus the kind's overhead; default: the outgoing port's MTU. */
  readonly mtu?: number
}
