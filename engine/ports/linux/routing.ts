/**
 * IPv4 routes, rules and addresses of the kernel (rtnetlink). The one idea: a route or rule is plain data that can be
 * added, removed and kept in a file; what is added must not be there, so that nothing of others is replaced.
 */
import {
  FLAG_CREATE,
  FLAG_EXCLUSIVE,
  type Netlink,
  NetlinkRequest,
  numberOf,
  readAttributes,
} from './netlink.ts'
import {
  AF_INET,
  addressBytes,
  DELETE_ROUTE,
  NEW_ROUTE,
  PROTOCOL_OWN,
  ROUTE,
  TYPE_UNICAST,
} from './rtnetlink.ts'
import { LinuxError } from './system-error.ts'

const LIST_ROUTES = 26
const NEW_RULE = 32
const DELETE_RULE = 33
const LIST_ADDRESSES = 22

/** Attributes of rules (linux/fib_rules.h). */
const RULE = { destination: 1, source: 2, priority: 6, table: 15, protocol: 22 } as const
const METRIC_MAX_SEGMENT = 8
const ADDRESS_LOCAL = 2

export const TABLE_MAIN = 254
export const TABLE_LOCAL = 255
const TABLE_BEYOND = 252
const TYPE_LOCAL = 2
const SCOPE_HOST = 254
const SCOPE_UNIVERSE = 0
const RULE_TO_TABLE = 1
const FLAG_ON_LINK = 4
/** struct rtmsg and struct fib_rule_hdr. */
const FIXED_BYTES = 12
const ADDRESS_FIXED_BYTES = 8

/** `address` with `length` leading bits that count. */
export interface RoutePrefix {
  /** Unsigned. */
  readonly address: number
  readonly length: number
}

/** A route to this machine itself: all addresses of a prefix are its own. */
export interface LocalRoute {
  readonly kind: 'local'
  readonly prefix: RoutePrefix
  /** Index of the device, the loopback usually. */
  readonly device: number
}

/** A route that was read from one table to be put into another. */
export interface CopiedRoute {
  readonly kind: 'copy'
  readonly table: number
  /** The message body of the route in its new table. */
  readonly body: Uint8Array
}

/** A default route by a gateway in a table of its own. */
export interface GatewayRoute {
  readonly kind: 'gateway'
  readonly table: number
  readonly gateway: number
  readonly device: number
}

export type KernelRoute = LocalRoute | CopiedRoute | GatewayRoute

/** Which table is asked for what. */
export interface RoutingRule {
  /** Smaller is asked first. */
  readonly priority: number
  readonly table: number
  readonly from?: RoutePrefix
  readonly to?: RoutePrefix
  /** IP protocol. */
  readonly protocol?: number
}

/** @throws LinuxError `busy` where there is such a route */
export function addRoute(netlink: Netlink, route: KernelRoute, attempt: string): void {
  netlink.ask(routeRequest(NEW_ROUTE, FLAG_CREATE | FLAG_EXCLUSIVE, route), attempt)
}

/** Whether there was such a route. @throws LinuxError */
export function removeRoute(netlink: Netlink, route: KernelRoute, attempt: string): boolean {
  return wasThere(() => netlink.ask(routeRequest(DELETE_ROUTE, 0, route), attempt))
}

/** @throws LinuxError `busy` where there is such a rule */
export function addRule(netlink: Netlink, rule: RoutingRule, attempt: string): void {
  netlink.ask(ruleRequest(NEW_RULE, FLAG_CREATE | FLAG_EXCLUSIVE, rule), attempt)
}

/** Whether there was such a rule. @throws LinuxError */
export function removeRule(netlink: Netlink, rule: RoutingRule, attempt: string): boolean {
  return wasThere(() => netlink.ask(ruleRequest(DELETE_RULE, 0, rule), attempt))
}

/**
 * The unicast routes of a table as routes of another one. Routes by nexthop objects are left out.
 * @param maxSegment the largest TCP segment that peers shall be told, where a route has no smaller one
 * @throws LinuxError
 */
export function copyRoutes(netlink: Netlink, from: number, to: number, maxSegment?: number): CopiedRoute[] {
  const request = new NetlinkRequest(LIST_ROUTES).u8(AF_INET, 0, 0, 0, 0, 0, 0, 0).u32(0)
  return netlink.list(request, 'listing routes').flatMap((body) => {
    const attributes = readAttributes(body.subarray(FIXED_BYTES))
    const table = numberOf(attributes.get(ROUTE.table)) ?? body[4]
    if (table !== from || body[7] !== TYPE_UNICAST) return []
    if (!attributes.has(ROUTE.device) && !attributes.has(ROUTE.multipath)) return []
    return [{ kind: 'copy', table: to, body: inTable(body, attributes, to, maxSegment) }]
  })
}

/** The body of a route as one of another table. */
function inTable(
  body: Uint8Array,
  attributes: ReadonlyMap<number, Uint8Array>,
  table: number,
  maxSegment: number | undefined,
): Uint8Array {
  const request = new NetlinkRequest(NEW_ROUTE)
  const scope = body[6] ?? SCOPE_UNIVERSE
  request.u8(AF_INET, body[1] ?? 0, 0, body[3] ?? 0, tableByte(table), PROTOCOL_OWN, scope, TYPE_UNICAST)
  request.u32(new DataView(body.buffer, body.byteOffset).getUint32(8, true) & FLAG_ON_LINK)
  for (const [type, value] of attributes) if (KEPT.has(type)) request.attribute(type, value)
  request.attribute(ROUTE.table, table)
  const metrics = readAttributes(attributes.get(ROUTE.metrics) ?? new Uint8Array(0))
  const told = numberOf(metrics.get(METRIC_MAX_SEGMENT))
  const largest = Math.min(maxSegment ?? Number.POSITIVE_INFINITY, told ?? Number.POSITIVE_INFINITY)
  request.nested(ROUTE.metrics, (inner) => {
    for (const [type, value] of metrics) if (type !== METRIC_MAX_SEGMENT) inner.attribute(type, value)
    if (largest < Number.POSITIVE_INFINITY) inner.attribute(METRIC_MAX_SEGMENT, largest)
  })
  return request.finish(0, 0).slice(NETLINK_HEADER_BYTES)
}

const NETLINK_HEADER_BYTES = 16
/** What makes a route; what the kernel only tells of it is left out. */
const KEPT: ReadonlySet<number> = new Set([
  ROUTE.destination,
  ROUTE.device,
  ROUTE.gateway,
  ROUTE.priority,
  ROUTE.preferredSource,
  ROUTE.multipath,
  ROUTE.via,
])

/** The IPv4 addresses of a device, unsigned. @throws LinuxError */
export function addressesOf(netlink: Netlink, device: number): number[] {
  const request = new NetlinkRequest(LIST_ADDRESSES).u8(AF_INET, 0, 0, 0).u32(0)
  return netlink.list(request, 'listing addresses').flatMap((body) => {
    const local = readAttributes(body.subarray(ADDRESS_FIXED_BYTES)).get(ADDRESS_LOCAL)
    const index = new DataView(body.buffer, body.byteOffset).getUint32(4, true)
    if (index !== device || local === undefined || local.length !== 4) return []
    return [new DataView(local.buffer, local.byteOffset).getUint32(0)]
  })
}

function routeRequest(type: number, flags: number, route: KernelRoute): NetlinkRequest {
  const request = new NetlinkRequest(type, flags)
  switch (route.kind) {
    case 'copy':
      return request.bytes(route.body)
    case 'local':
      return request
        .u8(AF_INET, route.prefix.length, 0, 0, TABLE_LOCAL, PROTOCOL_OWN, SCOPE_HOST, TYPE_LOCAL)
        .u32(0)
        .attribute(ROUTE.destination, addressBytes(route.prefix.address))
        .attribute(ROUTE.device, route.device)
    case 'gateway':
      return request
        .u8(AF_INET, 0, 0, 0, tableByte(route.table), PROTOCOL_OWN, SCOPE_UNIVERSE, TYPE_UNICAST)
        .u32(0)
        .attribute(ROUTE.table, route.table)
        .attribute(ROUTE.gateway, addressBytes(route.gateway))
        .attribute(ROUTE.device, route.device)
  }
}

function ruleRequest(type: number, flags: number, rule: RoutingRule): NetlinkRequest {
  const { from, to, protocol } = rule
  const request = new NetlinkRequest(type, flags)
    .u8(AF_INET, to?.length ?? 0, from?.length ?? 0, 0, tableByte(rule.table), 0, 0, RULE_TO_TABLE)
    .u32(0)
    .attribute(RULE.priority, rule.priority)
    .attribute(RULE.table, rule.table)
  if (to !== undefined) request.attribute(RULE.destination, addressBytes(to.address))
  if (from !== undefined) request.attribute(RULE.source, addressBytes(from.address))
  if (protocol !== undefined) request.attribute(RULE.protocol, Uint8Array.of(protocol))
  return request
}

/** Numbers of tables beyond a byte stand in their attribute only. */
const tableByte = (table: number): number => (table < 256 ? table : TABLE_BEYOND)

function wasThere(remove: () => void): boolean {
  try {
    remove()
    return true
  } catch (error) {
    if (error instanceof LinuxError && error.code === 'not-found') return false
    throw error
  }
}
