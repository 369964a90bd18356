/**
 * Routes for what virtual addresses send, in a table of their own: those of the main table, in which TCP tells clients
 * a segment that fits into a tunnel. The one idea: a client's segments travel to this host in a tunnel, which takes 20
 * bytes of the path's MTU, but the server's handshake names the size of the whole path; the route can name a smaller.
 *
 * The main table may change (DHCP, daemons): `sync` follows it. Until then, and where a route cannot be copied, the
 * main table decides as ever, and clients learn the size from the router's ICMP messages.
 */
import {
  addRoute,
  type CopiedRoute,
  copyRoutes,
  LinuxError,
  removeRoute,
  TABLE_MAIN,
} from '../../../engine/ports/linux/index.ts'
import { HostError } from './errors.ts'
import { type Machine, REPLY_TABLE } from './machine.ts'

/** Outer header, inner header, TCP header. */
const OVERHEAD_BYTES = 60
/** A table with more is that of a router of the Internet: it is not copied. */
const MOST_ROUTES = 2_000
/** What every path takes (RFC 879): nothing smaller is told. */
const LEAST_SEGMENT = 536

/** The largest TCP payload that fits into a tunnel over a path of this MTU. */
export function segmentInTunnel(mtu: number): number {
  return Math.max(LEAST_SEGMENT, mtu - OVERHEAD_BYTES)
}

/**
 * Makes the table of routes for answers like the main one. Returns how many routes it lacks: those that the kernel did
 * not take, to be tried again at the next turn.
 * @param maxSegment what clients are told
 * @throws LinuxError when the tables cannot be read, or `forbidden`; HostError `unsupported`
 */
export function syncReplyRoutes({ netlink }: Machine, maxSegment: number): number {
  const present = byContent(copyRoutes(netlink, REPLY_TABLE, REPLY_TABLE))
  const wanted = byContent(copyRoutes(netlink, TABLE_MAIN, REPLY_TABLE, maxSegment))
  if (wanted.size > MOST_ROUTES)
    throw new HostError('unsupported', `the main table has more than ${MOST_ROUTES} routes`)
  let lacking = 0
  for (const [content, route] of present)
    if (!wanted.has(content)) attempt(() => removeRoute(netlink, route, 'removing a route for answers'))
  for (const [content, route] of [...wanted].sort(bySpecificity))
    if (!present.has(content) && !attempt(() => addRoute(netlink, route, 'adding a route for answers')))
      lacking++
  return lacking
}

function byContent(routes: readonly CopiedRoute[]): Map<string, CopiedRoute> {
  return new Map(routes.map((each) => [Buffer.from(each.body).toString('base64'), each]))
}

/** Routes on the link first: a gateway is reached by one of them. The second byte is the prefix's length. */
function bySpecificity([, a]: [string, CopiedRoute], [, b]: [string, CopiedRoute]): number {
  return (b.body[1] ?? 0) - (a.body[1] ?? 0)
}

/** A route may change while it is copied; a missing privilege stays. */
function attempt(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch (error) {
    if (error instanceof LinuxError && error.code !== 'forbidden') return false
    throw error
  }
}
