/**
 * Path MTU discovery (RFC 1191). The one idea: a small table of what routers said, forgotten after ten minutes, so
 * that a path that grew is found out. What they say is attacker-controlled: only a transport that recognises the
 * quoted packet as its own lets it in, and below a floor the packet is fragmented instead of shrunk.
 */
import { type Nanoseconds, SECOND } from './time.ts'

const LIFETIME: Nanoseconds = 600 * SECOND
const LIMIT = 256
/** Smaller claims are not followed: packets are sent at this size without DF. */
export const PATH_MTU_FLOOR = 552
/** MTUs in use, for routers that do not say theirs (RFC 1191 section 7). */
const PLATEAUS = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68]

interface PathMtu {
  readonly bytes: number
  readonly fragment: boolean
  readonly until: Nanoseconds
}

export class PathMtuCache {
  readonly #paths = new Map<number, PathMtu>()

  /** The MTU towards `destination` if one below `linkMtu` is known. */
  find(destination: number, linkMtu: number, now: Nanoseconds): number {
    const path = this.#fresh(destination, now)
    return path === undefined ? linkMtu : Math.min(linkMtu, path.bytes)
  }

  /** Whether packets to `destination` go without DF. */
  fragments(destination: number, now: Nanoseconds): boolean {
    return this.#fresh(destination, now)?.fragment ?? false
  }

  /**
   * A router could not forward a packet of `packetBytes`; `mtu` is what it claims, 0 when it is too old to say.
   * Returns whether this lowered what was known.
   */
  learn(destination: number, mtu: number, packetBytes: number, linkMtu: number, now: Nanoseconds): boolean {
    const claimed = mtu > 0 ? mtu : (PLATEAUS.find((each) => each < packetBytes) ?? 68)
    const known = this.find(destination, linkMtu, now)
    if (claimed >= known) return false
    if (this.#paths.size >= LIMIT && !this.#paths.has(destination)) {
      const oldest = this.#paths.keys().next()
      if (!oldest.done) this.#paths.delete(oldest.value)
    }
    this.#paths.delete(destination)
    this.#paths.set(destination, {
      bytes: Math.max(claimed, Math.min(PATH_MTU_FLOOR, linkMtu)),
      fragment: claimed < PATH_MTU_FLOOR,
      until: now + LIFETIME,
    })
    return true
  }

  #fresh(destination: number, now: Nanoseconds): PathMtu | undefined {
    const path = this.#paths.get(destination)
    if (path === undefined || path.until > now) return path
    this.#paths.delete(destination)
    return undefined
  }
}
