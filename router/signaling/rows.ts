/** Signaling as rows for queries: plain cells, every row with the same columns. */
import type { Row } from '../../engine/index.ts'
import { formatIpv4Address } from '../../engine/wire/index.ts'
import type { SignalingCounters } from './counters.ts'
import type { HostSession } from './session-table.ts'

/** Hosts in the order in which they were taken in; lists are separated by spaces, loads in the order of the prefixes. */
export function* hostRows(sessions: Iterable<HostSession>): Iterable<Row> {
  for (const session of sessions) {
    const { identity, services, state, connections, intervalMs, reports, heardAt } = session
    yield {
      host: identity.host,
      address: formatIpv4Address(session.address),
      state: state ?? 'unknown',
      virtualHosts: identity.virtualHosts.join(' '),
      loads: services.map(({ load }) => load).join(' '),
      connections,
      intervalMs,
      reports,
      heardAtNs: heardAt,
    }
  }
}

/** Counters, those by reason as `refused.busy`. */
export function* counterRows({ refused, ignored, ...totals }: SignalingCounters): Iterable<Row> {
  for (const [name, value] of Object.entries(totals)) yield { name, value }
  for (const [reason, value] of Object.entries(refused)) yield { name: `refused.${reason}`, value }
  for (const [reason, value] of Object.entries(ignored)) yield { name: `ignored.${reason}`, value }
}
