/**
 * A filter: which packets a policy speaks about. The one idea: plain data that crosses threads and sandboxes,
 * with addresses as text, so that a second address family is an addition. `compileFilter` turns it into numbers.
 */
import { EngineError } from '../errors.ts'
import { parseIpv4Address, parseIpv4Prefix } from '../wire/address.ts'

/** Addresses: an address, a prefix `10.0.0.0/8`, or a (value, mask) pair `{ value, mask }` (mission decision 5). */
export type AddressMatch = string | { readonly value: string; readonly mask: string }

/** Inclusive bounds, 0..65535; a number stands for that port alone. */
export type PortMatch = number | { readonly from: number; readonly to: number }

/** An IP protocol by name or number 0..255. */
export type ProtocolMatch = 'tcp' | 'udp' | 'icmp' | 'igmp' | 'ip-in-ip' | number

/** All given fields must match; an absent one matches everything. */
export interface Filter {
  readonly from?: AddressMatch
  readonly to?: AddressMatch
  readonly protocol?: ProtocolMatch
  readonly fromPort?: PortMatch
  readonly toPort?: PortMatch
  /** Name of the router's port by which the packet came in. */
  readonly inPort?: string
}

/** A filter as numbers. Unsigned 32-bit addresses in host order; a packet matches when (address & mask) === value. */
export interface CompiledFilter {
  readonly sourceValue: number
  readonly sourceMask: number
  readonly destinationValue: number
  readonly destinationMask: number
  /** 0..255, or -1 for any. */
  readonly protocol: number
  readonly sourcePortFrom: number
  readonly sourcePortTo: number
  readonly destinationPortFrom: number
  readonly destinationPortTo: number
  /** Port index, or -1 for any. */
  readonly inPort: number
}

const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, igmp: 2, 'ip-in-ip': 4, tcp: 6, udp: 17 }

/** The number of a protocol match; EngineError `invalid` otherwise. */
export function protocolNumber(match: ProtocolMatch, place = 'protocol'): number {
  const number = typeof match === 'string' ? PROTOCOLS[match] : match
  if (number === undefined || !Number.isInteger(number) || number < 0 || number > 255)
    throw new EngineError('invalid', `expected tcp, udp, icmp, igmp, ip-in-ip or 0..255, got ${match}`, place)
  return number
}

function compileAddress(match: AddressMatch | undefined, place: string): { value: number; mask: number } {
  if (match === undefined) return { value: 0, mask: 0 }
  if (typeof match === 'string') {
    const prefix = parseIpv4Prefix(match)
    if (prefix === undefined)
      throw new EngineError(
        'invalid',
        `expected an IPv4 address or prefix, got ${JSON.stringify(match)}`,
        place,
      )
    const mask = prefix.length === 0 ? 0 : (0xffffffff << (32 - prefix.length)) >>> 0
    return { value: (prefix.address & mask) >>> 0, mask }
  }
  const value = parseIpv4Address(match.value)
  const mask = parseIpv4Address(match.mask)
  if (value === undefined || mask === undefined)
    throw new EngineError('invalid', 'expected { value, mask } in dotted notation', place)
  if ((value & ~mask) !== 0)
    throw new EngineError('invalid', `value ${match.value} has bits outside mask ${match.mask}`, place)
  return { value, mask }
}

function compilePort(match: PortMatch | undefined, place: string): { from: number; to: number } {
  if (match === undefined) return { from: 0, to: 65535 }
  const range = typeof match === 'number' ? { from: match, to: match } : match
  const fits = (port: number) => Number.isInteger(port) && port >= 0 && port <= 65535
  if (!fits(range.from) || !fits(range.to) || range.from > range.to)
    throw new EngineError('invalid', `expected a port or range within 0..65535`, place)
  return range
}

/**
 * A filter as numbers.
 * @param portIndex index of a named port, or undefined where there is none
 * @throws EngineError `invalid` for a bad value, `unknown` for a port that does not exist
 */
export function compileFilter(
  filter: Filter,
  portIndex: (name: string) => number | undefined,
  place = 'filter',
): CompiledFilter {
  const source = compileAddress(filter.from, `${place}.from`)
  const destination = compileAddress(filter.to, `${place}.to`)
  const sourcePort = compilePort(filter.fromPort, `${place}.fromPort`)
  const destinationPort = compilePort(filter.toPort, `${place}.toPort`)
  const protocol = filter.protocol === undefined ? -1 : protocolNumber(filter.protocol, `${place}.protocol`)
  const inPort = filter.inPort === undefined ? -1 : portIndex(filter.inPort)
  if (inPort === undefined) throw new EngineError('unknown', `no port ${filter.inPort}`, `${place}.inPort`)
  if ((filter.fromPort !== undefined || filter.toPort !== undefined) && protocol !== 6 && protocol !== 17)
    throw new EngineError('invalid', 'ports need protocol tcp or udp', `${place}.protocol`)
  return {
    sourceValue: source.value,
    sourceMask: source.mask,
    destinationValue: destination.value,
    destinationMask: destination.mask,
    protocol,
    sourcePortFrom: sourcePort.from,
    sourcePortTo: sourcePort.to,
    destinationPortFrom: destinationPort.from,
    destinationPortTo: destinationPort.to,
    inPort,
  }
}
