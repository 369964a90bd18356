/** Who is at the other end of a session, and what they may do. */

import type { Role } from '../control/roles.ts'
import type { AuditActor } from '../state/audit-log.ts'

export interface Peer extends AuditActor {
  readonly via: 'local' | 'remote'
  readonly roles: ReadonlySet<Role>
  /**
   * Whether the peer may still speak: its certificate may have run out.
   * @param thorough judge the certificate anew, revocation included
   */
  isValid(thorough: boolean): boolean
}

/** As the registry and plugins name an operator. */
export function nameOf(peer: Peer): string {
  return `${peer.via}:${peer.name}`
}
