/** Where a route leads, as a request says it, in numbers. */
import type { RouteTarget } from '../control.ts'
import { EngineError } from '../errors.ts'
import { parseIpv4Address } from '../wire/address.ts'
import { ROUTE_BLACKHOLE, ROUTE_CONNECTED, ROUTE_LOCAL, ROUTE_VIA, type RouteTable } from './route-table.ts'

/** Kind, port and gateway of a target. @throws EngineError when its port or next hop is not there */
export function compileTarget(
  target: RouteTarget,
  routes: RouteTable,
  portIndex: (name: string) => number | undefined,
  place: string,
): { kind: number; port: number; gateway: number } {
  if (target.kind === 'local') return { kind: ROUTE_LOCAL, port: -1, gateway: 0 }
  if (target.kind === 'blackhole') return { kind: ROUTE_BLACKHOLE, port: -1, gateway: 0 }
  const named = target.port === undefined ? undefined : portIndex(target.port)
  if (target.port !== undefined && named === undefined)
    throw new EngineError('unknown', `no port ${target.port}`, `${place}.port`)
  if (target.kind === 'connected') return { kind: ROUTE_CONNECTED, port: named!, gateway: 0 }
  const gateway = parseIpv4Address(target.via)
  if (gateway === undefined)
    throw new EngineError(
      'invalid',
      `expected an IPv4 address, got ${JSON.stringify(target.via)}`,
      `${place}.via`,
    )
  const port = named ?? routes.connectedPort(gateway)
  if (port < 0)
    throw new EngineError('invalid', `next hop ${target.via} is on no connected network`, `${place}.via`)
  return { kind: ROUTE_VIA, port, gateway }
}
