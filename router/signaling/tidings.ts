/** What plugins hear of hosts: topics and bodies, the same on every router. Plain data; addresses as text. */
import { formatIpv4Address } from '../../engine/wire/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import { prefixText } from './host-identity.ts'
import type { HostSession } from './session-table.ts'

/** Why a host is gone: no report that counts for 3.5 intervals, its own word, or another session of its name. */
export type GoneReason = 'silent' | 'bye' | 'replaced'

export interface Tidings {
  readonly topic: 'host/hello' | 'host/state' | 'host/gone'
  readonly body: JsonValue
  /** Address of the host, as text. */
  readonly from: string
}

export function helloOf(session: HostSession): Tidings {
  return tidings('host/hello', session, { virtualHosts: [...session.identity.virtualHosts] })
}

export function stateOf(session: HostSession): Tidings {
  const { state = 'active', connections } = session
  const services = session.services.map(({ prefix, load }) => ({ prefix: prefixText(prefix), load }))
  return tidings('host/state', session, { state, services, connections })
}

export function goneOf(session: HostSession, reason: GoneReason): Tidings {
  return tidings('host/gone', session, { reason })
}

function tidings(
  topic: Tidings['topic'],
  session: HostSession,
  more: Readonly<Record<string, JsonValue>>,
): Tidings {
  const from = formatIpv4Address(session.address)
  return { topic, body: { host: session.identity.host, address: from, ...more }, from }
}
