/** A filter as people and queries read it: plain data, addresses as text, null for what it leaves open. */
import { formatIpv4Address, prefixMask } from '../wire/address.ts'
import { ALL_PORTS, type FilterStore } from './filter-store.ts'

export type FilterDescription = {
  /** A prefix, or `value & mask` where the mask has gaps. */
  readonly from: string | null
  readonly to: string | null
  readonly protocol: number | null
  /** A port, or `first-last`. */
  readonly fromPort: string | null
  readonly toPort: string | null
  readonly inPort: number | null
  readonly priority: number
  readonly packets: number
  readonly bytes: number
}

export function describeFilter(store: FilterStore, id: number): FilterDescription {
  const protocol = store.protocolOf(id)
  const inPort = store.inPortOf(id)
  return {
    from: addresses(store.valueOf(id, 0), store.maskOf(id, 0)),
    to: addresses(store.valueOf(id, 1), store.maskOf(id, 1)),
    protocol: protocol < 0 ? null : protocol,
    fromPort: ports(store.portsOf(id, 0)),
    toPort: ports(store.portsOf(id, 1)),
    inPort: inPort < 0 ? null : inPort,
    priority: store.priorityOf(id),
    packets: store.packetsOf(id),
    bytes: store.bytesOf(id),
  }
}

function addresses(value: number, mask: number): string | null {
  if (mask === 0) return null
  const length = Math.clz32(~mask)
  const isPrefix = prefixMask(length) === mask >>> 0
  return `${formatIpv4Address(value)}${isPrefix ? `/${length}` : ` & ${formatIpv4Address(mask)}`}`
}

function ports(range: number): string | null {
  if (range === ALL_PORTS) return null
  const first = range >>> 16
  const last = range & 0xffff
  return first === last ? `${first}` : `${first}-${last}`
}
