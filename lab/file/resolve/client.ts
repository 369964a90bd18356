/** Clients: what they ask for, how often, and the defaults of each protocol. */

import type { Bounds, KeyPath, Resolver } from '../../../document/index.ts'
import { addressOf, contains, DURATION, FREQUENCY, SIZE, subnetOf } from '../../../document/index.ts'
import type { Client, ClientProtocol } from '../lab.ts'
import { MAX_CLIENT_RATE, MAX_DATAGRAM_BYTES, MAX_DURATION_NS, MAX_REQUEST_BYTES } from '../limits.ts'
import type { RawClient } from '../raw.ts'

const RATE: Bounds = {
  min: 1 / 86_400,
  max: MAX_CLIENT_RATE,
  expected: 'a frequency from 1 a day to 1000000/s',
}
const START: Bounds = { min: 0, max: MAX_DURATION_NS, expected: 'a duration of at most 100 days' }
const TIMEOUT: Bounds = { min: 1, max: MAX_DURATION_NS, expected: 'a duration above 0 of at most 100 days' }
const STREAM: Bounds = { min: 0, max: MAX_REQUEST_BYTES, expected: 'a size of at most 1000G' }
const DATAGRAM: Bounds = {
  min: 0,
  max: MAX_DATAGRAM_BYTES,
  expected: `a size of at most ${MAX_DATAGRAM_BYTES}`,
}

/** Bytes of one request where the file does not say. */
const DEFAULT_BYTES: Readonly<Record<ClientProtocol, number>> = { http: 0, tcp: 1000, udp: 64, ping: 56 }
/** A ping without a rate sends one echo a second. */
const PING_RATE = 1

/** The bounds of a size that travels in one datagram, or in a stream. */
export function sizeBounds(protocol: ClientProtocol): Bounds {
  return protocol === 'udp' || protocol === 'ping' ? DATAGRAM : STREAM
}

/** Addresses that a client may send from. */
export interface OwnAddresses {
  readonly own: readonly string[]
  readonly virtualHosts: readonly string[]
}

/** A client with its defaults. */
export function resolveClient(raw: RawClient, path: KeyPath, host: OwnAddresses, resolver: Resolver): Client {
  const { protocol } = raw
  const [address, portText] = raw.to.split(':') as [string, string | undefined]
  const port = Number(portText ?? 0)
  if (portText !== undefined && (port < 1 || port > 65_535))
    resolver.fault('invalid', [...path, 'to'], `expected a port from 1 to 65535, got ${port}`)
  if (raw.from !== undefined) checkSource(raw.from, [...path, 'from'], host, resolver)
  if (raw.rate !== undefined && raw.concurrency !== undefined)
    resolver.fault('conflict', [...path, 'concurrency'], 'expected either rate or concurrency, not both')
  const rate = resolver.optional(FREQUENCY, raw.rate, [...path, 'rate'], RATE)
  const paced = protocol === 'ping' && raw.concurrency === undefined ? PING_RATE : undefined
  return {
    protocol,
    address,
    port,
    fromAddress: raw.from,
    startNs: resolver.quantity(DURATION, raw.start ?? 0, [...path, 'start'], START),
    ratePerSecond: rate ?? paced,
    count: raw.count,
    concurrency: raw.concurrency ?? 1,
    bytes: resolver.quantity(
      SIZE,
      raw.bytes ?? DEFAULT_BYTES[protocol],
      [...path, 'bytes'],
      sizeBounds(protocol),
    ),
    timeoutNs: resolver.quantity(DURATION, raw.timeout ?? '30s', [...path, 'timeout'], TIMEOUT),
    keepAlive: raw.keepAlive ?? false,
  }
}

function checkSource(from: string, path: KeyPath, host: OwnAddresses, resolver: Resolver): void {
  const isOwn = host.own.includes(from)
  const isVirtual = host.virtualHosts.some((prefix) => contains(subnetOf(prefix), addressOf(from)))
  if (isOwn || isVirtual) return
  const expected = [...host.own, ...host.virtualHosts].slice(0, 8).join(', ')
  resolver.fault('unknown', path, `expected an own address (${expected}), got ${from}`)
}
