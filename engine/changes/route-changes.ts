/** Routes and addresses as steps of a transaction. */
import type { Change } from '../control.ts'
import { EngineError } from '../errors.ts'
import type { Port, PortAddress } from '../port.ts'
import { ADDRESS_OWNER, ROUTE_BROADCAST, ROUTE_CONNECTED, ROUTE_LOCAL } from '../routing/route-table.ts'
import { compileTarget } from '../routing/route-target.ts'
import { formatIpv4Address, parseIpv4Prefix, prefixMask } from '../wire/address.ts'
import type { ChangeContext, Step } from './step.ts'

type AddRoute = Extract<Change, { do: 'add-route' }>
type RemoveRoute = Extract<Change, { do: 'remove-route' }>
type AddAddress = Extract<Change, { do: 'add-address' }>
type RemoveAddress = Extract<Change, { do: 'remove-address' }>

/** Cost of what the router knows by itself: nothing beats it. */
const OWN_COST = 0
const DEFAULT_COST = 1

export function addRoute(context: ChangeContext, owner: number, change: AddRoute, place: string): Step {
  const { routes } = context.stages
  const { cost = DEFAULT_COST } = change
  if (!Number.isFinite(cost) || cost < 0)
    throw new EngineError('invalid', `expected a cost >= 0, got ${cost}`, `${place}.cost`)
  const { kind, port, gateway } = compileTarget(change.target, routes, context.portIndex, `${place}.target`)
  routes.add(change.prefix, kind, port, gateway, cost, owner, `${place}.prefix`)
  return { undo: () => void routes.remove(change.prefix, owner) }
}

export function removeRoute(context: ChangeContext, owner: number, change: RemoveRoute, place: string): Step {
  const { routes } = context.stages
  const gone = routes.remove(change.prefix, owner, `${place}.prefix`)
  return { undo: () => routes.restore(gone) }
}

export function addAddress(context: ChangeContext, change: AddAddress, place: string): Step {
  const port = portOf(context, change.port, place)
  const own = parseAddress(change.address, `${place}.address`)
  if (context.stages.own.has(own.address))
    throw new EngineError(
      'exists',
      `${change.address} is an address of this router already`,
      `${place}.address`,
    )
  attach(context, port, own, port.addresses.length, `${place}.address`)
  return { undo: () => detach(context, port, own) }
}

export function removeAddress(context: ChangeContext, change: RemoveAddress, place: string): Step {
  const port = portOf(context, change.port, place)
  const wanted = parseAddress(change.address, `${place}.address`)
  const index = port.addresses.findIndex(
    (each) => each.address === wanted.address && each.length === wanted.length,
  )
  if (index < 0)
    throw new EngineError('unknown', `${change.port} has no address ${change.address}`, `${place}.address`)
  const own = port.addresses[index]
  detach(context, port, own)
  return { undo: () => attach(context, port, own, index, place) }
}

function portOf(context: ChangeContext, name: string, place: string): Port {
  const index = context.portIndex(name)
  if (index === undefined) throw new EngineError('unknown', `no port ${name}`, `${place}.port`)
  return context.stages.ports[index]
}

function parseAddress(text: string, place: string): PortAddress {
  const prefix = parseIpv4Prefix(text)
  const octet = (prefix?.address ?? 0) >>> 24
  const broadcast = prefix !== undefined && isBroadcastOf(prefix)
  if (
    prefix === undefined ||
    !text.includes('/') ||
    octet === 0 ||
    octet === 127 ||
    octet >= 224 ||
    broadcast
  )
    throw new EngineError(
      'invalid',
      `expected a unicast address with prefix length, got ${JSON.stringify(text)}`,
      place,
    )
  return prefix
}

/** Whether an address is the first or last of its network, which no host may have (RFC 1122 3.2.1.3). */
function isBroadcastOf({ address, length }: PortAddress): boolean {
  if (length >= 31) return false
  const host = address & ~prefixMask(length)
  return host === 0 || (host | prefixMask(length)) >>> 0 === 0xffffffff
}

interface OwnRoute {
  readonly prefix: string
  readonly kind: number
}

/** The routes that an address brings: itself, its network, and the network's two broadcast addresses. */
function ownRoutes({ address, length }: PortAddress): OwnRoute[] {
  const host = (value: number) => `${formatIpv4Address(value)}/32`
  const routes: OwnRoute[] = [{ prefix: host(address), kind: ROUTE_LOCAL }]
  if (length === 32) return routes
  const network = (address & prefixMask(length)) >>> 0
  routes.push({ prefix: `${formatIpv4Address(network)}/${length}`, kind: ROUTE_CONNECTED })
  if (length === 31) return routes
  const last = (network | ~prefixMask(length)) >>> 0
  for (const value of [network, last]) routes.push({ prefix: host(value), kind: ROUTE_BROADCAST })
  return routes
}

/** Gives a port an address at a place among its addresses, of which the first is the preferred one. */
function attach(context: ChangeContext, port: Port, own: PortAddress, index: number, place: string): void {
  const { routes, own: addresses } = context.stages
  const added: string[] = []
  try {
    for (const { prefix, kind } of ownRoutes(own)) {
      routes.add(prefix, kind, port.index, 0, OWN_COST, ADDRESS_OWNER, place)
      added.push(prefix)
    }
  } catch (error) {
    for (const prefix of added) routes.remove(prefix, ADDRESS_OWNER)
    if (error instanceof EngineError && error.code === 'exists')
      throw new EngineError('conflict', 'another address of this router covers this network', place)
    throw error
  }
  port.addresses.splice(index, 0, own)
  addresses.add(own.address)
}

function detach(context: ChangeContext, port: Port, own: PortAddress): void {
  const { routes, own: addresses } = context.stages
  for (const { prefix } of ownRoutes(own)) routes.remove(prefix, ADDRESS_OWNER)
  port.addresses.splice(port.addresses.indexOf(own), 1)
  addresses.delete(own.address)
}
