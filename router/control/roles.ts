/** The roles in which somebody may speak to a router; what each method needs stands in methods.ts. */
import type { Role } from '../../execution-env/certificates/index.ts'

export type { Role } from '../../execution-env/certificates/index.ts'

/** From the least to the most. */
export const ROLES: readonly Role[] = ['read', 'operate', 'install']

/** The roles that a local socket gives: its own and all below it. */
export function rolesUpTo(role: Role): readonly Role[] {
  return ROLES.slice(0, ROLES.indexOf(role) + 1)
}
