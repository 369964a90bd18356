/** Services of a host: one to a protocol and port, with the size of what they send. */

import type { KeyPath, Resolver } from '../../../document/index.ts'
import { SIZE } from '../../../document/index.ts'
import type { Service } from '../lab.ts'
import type { RawService } from '../raw.ts'
import { sizeBounds } from './client.ts'

/** A page where the file does not say. */
const DEFAULT_HTTP_BYTES = 1000

/** The services with their defaults; http and tcp share the ports. */
export function resolveServices(raw: readonly RawService[], path: KeyPath, resolver: Resolver): Service[] {
  const taken = new Set<string>()
  return raw.map((service, index) => {
    const { protocol, port } = service
    const transport = `${protocol === 'udp' ? 'udp' : 'tcp'} port ${port}`
    if (taken.has(transport))
      resolver.fault('duplicate', [...path, index, 'port'], `${transport} already has a service`)
    taken.add(transport)
    const bytes = resolver.optional(SIZE, service.bytes, [...path, index, 'bytes'], sizeBounds(protocol))
    return { protocol, port, bytes: bytes ?? (protocol === 'http' ? DEFAULT_HTTP_BYTES : undefined) }
  })
}
