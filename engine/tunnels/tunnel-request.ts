/**
 * A tunnel request as numbers. The one idea: everything that can be wrong with a request is found here, before the
 * table has changed.
 */
import { EngineError } from '../errors.ts'
import { parseIpv4Address } from '../wire/address.ts'
import type { AddressSet } from './address-set.ts'
import type { TunnelRequest } from './tunnel.ts'
import { KIND_IP_IN_IP, KIND_MAC_REWRITE } from './tunnel-state.ts'

/** Smallest MTU of a tunnel and smallest floor of one: an inner datagram of 68 bytes always fits (RFC 791). */
export const LEAST_MTU_BYTES = 88
const MOST_MTU_BYTES = 65_535
const DEFAULT_TTL = 64

/** How this router reaches an address at present. */
export interface Reach {
  /** The router's address on the port that leads there. */
  readonly source: number
  /** Largest datagram that the port carries. */
  readonly mtuBytes: number
  /** Whether the address is on a connected network. */
  readonly connected: boolean
}

/** Knows the routes at the time of a request; undefined where none leads. */
export interface TunnelResolver {
  reach(destination: number): Reach | undefined
}

/** A request that can be carried out. Addresses are signed, in host order. */
export interface CompiledTunnel {
  readonly kind: number
  readonly source: number
  readonly destination: number
  readonly ttl: number
  readonly mtuBytes: number
}

/**
 * Checks and resolves a request.
 * @throws EngineError `invalid`, `unsupported` (kind, or an option that the kind has not), `unknown` (no route)
 */
export function compileTunnel(
  request: TunnelRequest,
  resolver: TunnelResolver,
  own: AddressSet,
  place: string,
): CompiledTunnel {
  const { kind = 'ip-in-ip' } = request
  const destination = exitAddress(request.to, own, `${place}.to`)
  if (kind === 'ip-in-ip') {
    const reach =
      request.from === undefined || request.mtu === undefined ? resolver.reach(destination) : undefined
    return {
      kind: KIND_IP_IN_IP,
      destination: destination | 0,
      source: entryAddress(request.from, reach, own, place) | 0,
      ttl: integer(request.ttl ?? DEFAULT_TTL, 1, 255, `${place}.ttl`),
      mtuBytes: integer(
        request.mtu ?? routed(reach, place).mtuBytes,
        LEAST_MTU_BYTES,
        MOST_MTU_BYTES,
        `${place}.mtu`,
      ),
    }
  }
  if (kind !== 'mac-rewrite')
    throw new EngineError('unsupported', `no tunnels of kind ${JSON.stringify(kind)}`, `${place}.kind`)
  for (const option of ['from', 'ttl', 'mtu'] as const)
    if (request[option] !== undefined)
      throw new EngineError('unsupported', 'a mac-rewrite tunnel changes no header', `${place}.${option}`)
  const reach = routed(resolver.reach(destination), place)
  if (!reach.connected)
    throw new EngineError('invalid', `${request.to} is on no connected network`, `${place}.to`)
  const { source, mtuBytes } = reach
  return { kind: KIND_MAC_REWRITE, destination: destination | 0, source: source | 0, ttl: 0, mtuBytes }
}

function exitAddress(text: string, own: AddressSet, place: string): number {
  const address = typeof text === 'string' ? parseIpv4Address(text) : undefined
  const network = address === undefined ? 0 : address >>> 24
  if (address === undefined || network === 0 || network === 127 || network >= 224)
    throw new EngineError('invalid', `expected a unicast IPv4 address, got ${JSON.stringify(text)}`, place)
  if (own.has(address)) throw new EngineError('invalid', `${text} is an address of this router`, place)
  return address
}

function entryAddress(
  text: string | undefined,
  reach: Reach | undefined,
  own: AddressSet,
  place: string,
): number {
  if (text === undefined) return routed(reach, place).source
  const address = parseIpv4Address(text)
  if (address === undefined || !own.has(address))
    throw new EngineError(
      'invalid',
      `expected an address of this router, got ${JSON.stringify(text)}`,
      `${place}.from`,
    )
  return address
}

function routed(reach: Reach | undefined, place: string): Reach {
  if (reach === undefined) throw new EngineError('unknown', 'no route leads to the exit', `${place}.to`)
  return reach
}

function integer(value: number, least: number, most: number, place: string): number {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new EngineError('invalid', `expected an integer ${least}..${most}, got ${value}`, place)
  return value
}
