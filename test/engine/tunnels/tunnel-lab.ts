/** A tunnel table with one IP-in-IP tunnel 10.0.0.1 > 10.0.0.2, and what its tests share. */
import { SECOND } from '../../../engine/clock.ts'
import { AddressSet } from '../../../engine/tunnels/address-set.ts'
import type { TunnelRequest } from '../../../engine/tunnels/tunnel.ts'
import type { TunnelResolver } from '../../../engine/tunnels/tunnel-request.ts'
import { TunnelTable, type TunnelTableOptions } from '../../../engine/tunnels/tunnel-table.ts'
import { ip } from '../routing/datagrams.ts'

export const ENTRY = '10.0.0.1'
export const EXIT = '10.0.0.2'
/** A minute of engine time. */
export const MINUTE_NS = 60 * SECOND
/** Another address of the router. */
export const OWN = '203.0.113.9'

/** Everything in 10/8 is connected through a port with address 10.0.0.1 and an MTU of 1500; nothing else is there. */
export const resolver: TunnelResolver = {
  reach: (destination) =>
    destination >>> 24 === 10 ? { source: ip(ENTRY), mtuBytes: 1500, connected: true } : undefined,
}

export function tableOf(options: Partial<TunnelTableOptions> = {}): TunnelTable {
  return new TunnelTable({ own: new AddressSet([ip(ENTRY), ip(OWN)]), seed: 1, ...options })
}

export function tunnelOf(
  request: Partial<TunnelRequest> = {},
  options: Partial<TunnelTableOptions> = {},
): { table: TunnelTable; tunnel: number } {
  const table = tableOf(options)
  return { table, tunnel: table.open({ to: EXIT, ...request }, resolver) }
}
