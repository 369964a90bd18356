/**
 * Actions of a static policy: from one verb a mapping to the engine's union. The one idea: an action has exactly
 * one verb, its modifiers fit that verb, and every name in it exists in the same policy.
 */

import {
  type Bounds,
  DURATION,
  hint,
  type KeyPath,
  listed,
  type RawQuantity,
  type Resolver,
} from '../../document/index.ts'
import { type Action, DROP_REASONS, type DropReason } from '../../engine/index.ts'
import { MAX_ACTION_DEPTH, MAX_DURATION_NS } from './limits.ts'
import { ACTION_VERBS } from './policy-schema.ts'
import type { RawAction, RawActionBody } from './raw.ts'
import type { RouterView } from './router-view.ts'

const IDLE: Bounds = { min: 1, max: MAX_DURATION_NS, expected: 'a duration above 0 of at most 100 days' }
const FORWARD: Action = { kind: 'forward' }
/** Modifiers and the verbs they belong to. */
const MODIFIERS: readonly (readonly ['then' | 'idle', readonly string[]])[] = [
  ['then', ['rewrite', 'class']],
  ['idle', ['spread']],
]

/** The names that actions may use. */
export interface PolicyNames {
  readonly tunnels: ReadonlySet<string>
  readonly classes: ReadonlySet<string>
  /** Classes that have classes below them: nothing can be queued in them. */
  readonly parents: ReadonlySet<string>
  readonly router: RouterView
  readonly resolver: Resolver
}

/** The engine's action for one of the file; `forward` after a fault. */
export function resolveAction(raw: RawAction, path: KeyPath, names: PolicyNames, depth = 0): Action {
  const { resolver } = names
  if (depth >= MAX_ACTION_DEPTH) {
    resolver.fault('limit', path, `actions nest deeper than ${MAX_ACTION_DEPTH}`)
    return FORWARD
  }
  if (typeof raw === 'string') return { kind: raw }
  const verbs = ACTION_VERBS.filter((verb) => Object.hasOwn(raw, verb))
  const verb = verbs[0]
  if (verb === undefined || verbs.length > 1) {
    const got = verb === undefined ? 'none' : verbs.join(' and ')
    resolver.fault('invalid', path, `expected exactly one of ${listed(ACTION_VERBS)}, got ${got}`)
    return FORWARD
  }
  for (const [modifier, allowed] of MODIFIERS)
    if (raw[modifier] !== undefined && !allowed.includes(verb))
      resolver.fault(
        'conflict',
        [...path, modifier],
        `${modifier} goes with ${listed(allowed)}, not with ${verb}`,
      )
  return actionOf(raw, path, names, depth)
}

function actionOf(raw: RawActionBody, path: KeyPath, names: PolicyNames, depth: number): Action {
  const then = () =>
    raw.then === undefined ? FORWARD : resolveAction(raw.then, [...path, 'then'], names, depth + 1)
  if (raw.forward !== undefined) {
    const { via } = raw.forward
    if (via !== undefined && names.router.reach(via) !== 'connected')
      names.resolver.fault('unknown', [...path, 'forward', 'via'], `${via} is on no connected network`)
    return { kind: 'forward', ...raw.forward }
  }
  if (raw.drop !== undefined)
    return { kind: 'drop', reason: dropReasonOf(raw.drop, [...path, 'drop'], names) }
  if (raw.decapsulate !== undefined) return { kind: 'decapsulate' }
  if (raw.tunnel !== undefined) {
    checkName('tunnel', raw.tunnel, names.tunnels, [...path, 'tunnel'], names.resolver)
    return { kind: 'tunnel', tunnel: raw.tunnel }
  }
  if (raw.class !== undefined) {
    const at = [...path, 'class']
    checkName('class', raw.class, names.classes, at, names.resolver)
    if (names.parents.has(raw.class))
      names.resolver.fault(
        'conflict',
        at,
        `expected a class without classes below it, but ${raw.class} has some`,
      )
    // biome-ignore lint/suspicious/noThenProperty: the action's own word for what follows; never awaited
    return { kind: 'class', class: raw.class, then: then() }
  }
  // biome-ignore lint/suspicious/noThenProperty: the action's own word for what follows; never awaited
  if (raw.rewrite !== undefined) return { kind: 'rewrite', ...raw.rewrite, then: then() }
  if (raw.replicate !== undefined) {
    const at = [...path, 'replicate']
    return {
      kind: 'replicate',
      to: raw.replicate.map((each, i) => resolveAction(each, [...at, i], names, depth + 1)),
    }
  }
  return resolveSpread(raw.spread ?? [], raw.idle, path, names, depth)
}

function resolveSpread(
  choices: readonly RawAction[],
  idle: RawQuantity | undefined,
  path: KeyPath,
  names: PolicyNames,
  depth: number,
): Action {
  const to = choices.map((each, index) => ({
    action: resolveAction(each, [...path, 'spread', index], names, depth + 1),
    weight: typeof each === 'string' ? 1 : (each.weight ?? 1),
  }))
  const idleNs = names.resolver.optional(DURATION, idle, [...path, 'idle'], IDLE)
  return idleNs === undefined ? { kind: 'spread', to } : { kind: 'spread', to, idleNs }
}

function dropReasonOf(text: string, path: KeyPath, names: PolicyNames): DropReason {
  const known = DROP_REASONS.find((reason, code) => code > 0 && reason === text)
  if (known === undefined)
    names.resolver.fault('unknown', path, `no drop reason ${text}${hint(text, DROP_REASONS.slice(1))}`)
  return known ?? 'policy'
}

function checkName(
  what: string,
  name: string,
  known: ReadonlySet<string>,
  path: KeyPath,
  resolver: Resolver,
): void {
  if (known.has(name)) return
  const expected = known.size === 0 ? `; the policy has none` : hint(name, known)
  resolver.fault('unknown', path, `no ${what} ${name}${expected}`)
}
