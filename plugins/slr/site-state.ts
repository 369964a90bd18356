/**
 * The state of a site on its way to the next version of this plugin, or over a crash. The one idea: what was heard is
 * told again to the new site, under the new configuration's rules; times go as ages, since clocks may begin anew.
 */
import type { ExportedState, JsonValue } from 'pronto-router/sdk'
import type { HostSite } from './host-site.ts'
import type { Server, ServerState } from './server.ts'

export const STATE_VERSION = 1

interface ServerRecord {
  readonly address: string
  readonly host: string
  readonly presence: Server['presence']
  readonly reported: ServerState
  readonly services: readonly { readonly prefix: string; readonly load: number; readonly begun: number }[]
  readonly hasReported: boolean
  readonly connections: number
  readonly heardMsAgo: number
  readonly open: number
}

interface OrderRecord {
  readonly address: string
  readonly state: ServerState
}

export function exportSite(site: HostSite, now: number): ExportedState {
  // Who was replaced and has not come back is as good as gone.
  const staying = [...site.servers].filter((each) => each.isConfigured || each.presence !== 'silent')
  const servers = staying.map((server): ServerRecord => {
    const { address, host, presence, reported, hasReported, connections, heardNs, open } = server
    const services = server.services.map(({ prefix, load, begun }) => ({ prefix: prefix.text, load, begun }))
    const heardMsAgo = presence === 'heard' ? (now - heardNs) / 1e6 : 0
    return {
      address,
      host,
      presence,
      reported,
      services,
      hasReported,
      connections,
      heardMsAgo,
      open,
    }
  })
  const orders = [...site.orders].map(([address, state]) => ({ address, state }))
  return { version: STATE_VERSION, orders, servers: servers as unknown as JsonValue }
}

/** Brings in what the configuration still allows. @returns the servers that appeared by it */
export function importSite(site: HostSite, state: ExportedState, now: number): Server[] {
  const appeared: Server[] = []
  for (const { address, state: ordered } of state['orders'] as unknown as readonly OrderRecord[])
    site.order(address, ordered)
  for (const record of state['servers'] as unknown as readonly ServerRecord[]) {
    const server = restore(site, record, now)
    if (server === undefined) continue
    if (!server.isConfigured) appeared.push(server)
    server.open = record.open
    for (const { prefix, begun } of record.services) {
      const service = server.services.find((each) => each.prefix.text === prefix)
      if (service !== undefined) service.begun = begun
    }
  }
  return appeared
}

function restore(site: HostSite, record: ServerRecord, now: number): Server | undefined {
  const { address, host, presence, reported: state, services, connections, heardMsAgo } = record
  if (presence === 'heard') {
    const heardNs = now - heardMsAgo * 1e6
    const virtualHosts = services.map(({ prefix }) => prefix)
    const change = record.hasReported
      ? site.report({ host, address, state, services, connections }, heardNs)
      : site.hello({ host, address, virtualHosts }, heardNs)
    return 'server' in change ? change.server : undefined
  }
  if (presence === 'silent') site.gone(address, 'silent')
  return site.find(address)
}
