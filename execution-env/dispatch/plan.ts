/**
 * From a draft to the engine's changes. The one idea: things are made in the order of their needs (tunnels, classes,
 * claims, pins) and unmade in the reverse; what is wanted and held alike is not touched, whoever asked for it first.
 */
import { type Action, type Change, EngineError } from '../../engine/index.ts'
import { requireDistinct, type StandingClaim } from './claims.ts'
import { type Draft, merged } from './draft.ts'
import { type ClaimSpec, type ClassSpec, equalData, type HeldClaim, type Holdings } from './holdings.ts'
import { toEngineAction } from './translate.ts'

/** What a plan must know of the owner. */
export interface PlanContext {
  readonly owner: string
  /** The operator's priority of its claims. */
  readonly priority: number
  /** What happens where a claim does not say. */
  readonly fallback: Action
  readonly holdings: Holdings
  /** Claims of everyone else. */
  readonly others: Iterable<StandingClaim>
  className(key: string): string
  /** A name that no filter of the owner has had. */
  filterName(): string
}

export interface Plan {
  readonly changes: readonly Change[]
  /** Claims as they will stand in the engine, by key. */
  readonly claims: ReadonlyMap<string, HeldClaim>
}

/** @throws EngineError `conflict` for a claim that cannot be told from another, or a class that cannot be adopted */
export function planChanges(draft: Draft, context: PlanContext): Plan {
  const claims = new Map<string, HeldClaim>()
  requireAllDistinct(draft, context)
  const tunnels = planTunnels(draft, context.holdings)
  const classes = planClasses(draft, context)
  const filters = planClaims(draft, context, claims)
  return {
    claims,
    changes: [
      ...tunnels.before,
      ...classes.before,
      ...filters,
      ...draft.flows,
      ...tunnels.after,
      ...classes.after,
    ],
  }
}

function requireAllDistinct(draft: Draft, { owner, priority, holdings, others }: PlanContext): void {
  const standing = [...others]
  const own = [...merged<string, ClaimSpec>(draft.claims, holdings.claims)]
  for (const [key, spec] of draft.claims) {
    if (spec === null || holdings.claims.get(key)?.priority === priority) continue
    const rest = own.filter((each) => each !== spec)
    const mine = rest.map(({ compiled }) => ({ owner, priority, compiled }))
    requireDistinct({ owner, priority, compiled: spec.compiled }, [...standing, ...mine], 'claim')
  }
}

interface Ordered {
  readonly before: readonly Change[]
  readonly after: readonly Change[]
}

function planTunnels(draft: Draft, holdings: Holdings): Ordered {
  const before: Change[] = []
  const after: Change[] = []
  for (const [key, spec] of draft.tunnels) {
    const held = holdings.tunnels.get(key)
    if (spec === null) {
      if (held !== undefined) after.push({ do: 'close-tunnel', name: key })
      continue
    }
    if (equalData(held, spec)) continue
    if (held !== undefined) before.push({ do: 'close-tunnel', name: key })
    before.push({ do: 'open-tunnel', name: key, tunnel: spec })
  }
  return { before, after }
}

function planClasses(draft: Draft, { holdings, className }: PlanContext): Ordered {
  const before: Change[] = []
  const after: Change[] = []
  for (const [key, spec] of draft.classes) {
    const held = holdings.classes.get(key)
    if (spec === null) {
      if (held !== undefined) after.unshift({ do: 'remove-class', name: className(key) })
    } else if (held === undefined) {
      const { parent, ...rest } = spec
      const above = parent === undefined ? {} : { parent: className(parent) }
      before.push({ do: 'create-class', class: { ...rest, ...above, name: className(key) } })
    } else if (!equalData(held, spec)) before.push(setClass(className(key), key, held, spec))
  }
  return { before, after }
}

function setClass(name: string, key: string, held: ClassSpec, spec: ClassSpec): Change {
  for (const field of ['port', 'parent', 'dropPolicy'] as const)
    if (held[field] !== spec[field])
      throw new EngineError('conflict', `class ${key} exists with another ${field}`, 'class')
  const { weight, ceiling, limitPackets, limitBytes } = spec
  return {
    do: 'set-class',
    name,
    weight,
    ceiling: ceiling ?? null,
    ...(limitPackets === undefined ? {} : { limitPackets }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
  }
}

function planClaims(draft: Draft, context: PlanContext, claims: Map<string, HeldClaim>): Change[] {
  const changes: Change[] = []
  const { holdings, priority, fallback, className } = context
  const nameOf = (key: string) => (draft.class(key) === undefined ? key : className(key))
  for (const [key, spec] of draft.claims) {
    const held = holdings.claims.get(key)
    if (spec === null) {
      if (held !== undefined) changes.push({ do: 'remove-filter', name: held.name })
      continue
    }
    const { filter, waitNs, otherwise } = spec
    const instead = otherwise === undefined ? fallback : toEngineAction(otherwise, nameOf)
    if (held?.waitNs === waitNs && held.priority === priority && equalData(held.instead, instead)) {
      claims.set(key, held)
      continue
    }
    if (held !== undefined) changes.push({ do: 'remove-filter', name: held.name })
    const name = context.filterName()
    changes.push({
      do: 'install-filter',
      name,
      filter,
      priority,
      action: { kind: 'decide', waitNs, otherwise: instead },
    })
    claims.set(key, { ...spec, name, priority, instead })
  }
  return changes
}
