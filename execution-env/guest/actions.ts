/**
 * Actions inside a guest: an author's object becomes wire form, and the actions of decisions become numbers. The one
 * idea: an action crosses as text once and as a number ever after, so that a decision is three words. The usual one,
 * into a tunnel, perhaps with a class, finds its number without making a text of it.
 *
 * Self-contained: the text of this function runs inside the isolate.
 */
import type { WireAction, WireFallback } from '../contract/api/wire-action.ts'
import type { Host } from '../sandbox/kernel.ts'
import type { Resources } from './resources.ts'
import type { Values } from './values.ts'

/** Actions that the guest keeps numbers of before it starts anew. */
export const ACTIONS_KEPT = 3_072

export interface Actions {
  /** @throws Error `invalid`, `closed` */
  readonly wire: (action: unknown, place: string) => WireAction
  readonly fallback: (action: unknown, place: string) => WireFallback
  /** Number of a decision's action, defining it at first sight. @throws Error */
  readonly numberOf: (decision: Record<string, unknown>) => number
  /** The same for what happens when parking ends. */
  readonly numberOfFallback: (action: unknown) => number
  /** Before a batch: starts anew when too many are kept. */
  readonly trim: (most: number) => void
  /** Whatever was defined is unknown to the router. */
  readonly forget: () => void
}

export function createActions(host: Host, values: Values, resources: Resources): Actions {
  const KINDS = ['forward', 'tunnel', 'drop', 'decapsulate', 'rewrite', 'replicate']
  const BESIDE = ['class', 'idle', 'then']
  const DEPTH_MAX = 8
  const { refusal, show } = values
  const numbers = new Map<string, number>()
  let last = 0

  const kindOf = (action: Record<string, unknown>, place: string): string => {
    const keys = Object.keys(action).filter((key) => action[key] !== undefined)
    const kinds = keys.filter((key) => KINDS.includes(key))
    const strange = keys.find((key) => !KINDS.includes(key) && !BESIDE.includes(key))
    if (strange === 'tag')
      throw refusal('unsupported', `${place}: tags are not in this version of the API yet`)
    if (kinds.length !== 1 || strange !== undefined)
      throw refusal(
        'invalid',
        `${place}: expected one of ${KINDS.join(', ')}, with ${BESIDE.join(', ')}; got ${keys.join(', ') || 'nothing'}`,
      )
    return kinds[0]!
  }

  const bare = (action: Record<string, unknown>, kind: string, place: string, depth: number): WireAction => {
    const value = action[kind]
    switch (kind) {
      case 'forward':
        return value === true ? { kind } : { kind: 'forward', via: String((value as { via?: unknown }).via) }
      case 'drop':
        return value === true ? { kind } : { kind: 'drop', reason: value as 'policy' }
      case 'tunnel': {
        const entry = resources.tunnelOf(value)
        if (entry === undefined)
          throw refusal('closed', `${place}.tunnel: not an open tunnel of this plugin, got ${show(value)}`)
        return { kind, tunnel: entry.key }
      }
      case 'decapsulate':
        return { kind }
      case 'rewrite':
        return {
          ...(value as object),
          kind,
          // biome-ignore lint/suspicious/noThenProperty: a field of the action
          then: wireAt(action['then'] ?? { forward: true }, `${place}.then`, depth + 1),
        }
      default: {
        if (!Array.isArray(value))
          throw refusal('invalid', `${place}.replicate: expected a list of actions, got ${show(value)}`)
        const to = value.map((each, i) => wireAt(each, `${place}.replicate[${i}]`, depth + 1))
        return { kind: 'replicate', to }
      }
    }
  }

  const wireAt = (action: unknown, place: string, depth: number): WireAction => {
    if (typeof action !== 'object' || action === null || depth > DEPTH_MAX)
      throw refusal('invalid', `${place}: expected an action, got ${show(action)}`)
    const given = action as Record<string, unknown>
    const kind = kindOf(given, place)
    const value = given[kind]
    if (value === null || value === false) throw refusal('invalid', `${place}.${kind}: got ${show(value)}`)
    if (given['then'] !== undefined && kind !== 'rewrite')
      throw refusal('invalid', `${place}.then: only a rewrite goes on`)
    const wire = bare(given, kind, place, depth)
    if (given['class'] === undefined) return wire
    if (kind === 'drop' || kind === 'decapsulate' || kind === 'replicate')
      throw refusal('invalid', `${place}.class: has no meaning with ${kind}`)
    // biome-ignore lint/suspicious/noThenProperty: a field of the action
    return { kind: 'class', class: resources.classKey(given['class']), then: wire }
  }

  const fallback = (action: unknown, place: string): WireFallback => {
    const branches = (action as { spread?: unknown } | null | undefined)?.spread
    if (branches === undefined) return wireAt(action, place, 0)
    if (!Array.isArray(branches))
      throw refusal('invalid', `${place}.spread: expected a list, got ${show(branches)}`)
    const to = branches.map((each, i) => {
      const { action: branch, weight } = (each ?? {}) as { action?: unknown; weight?: unknown }
      return { action: wireAt(branch, `${place}.spread[${i}].action`, 0), weight: weight as number }
    })
    return { kind: 'spread', to }
  }

  const define = (command: 'define-action' | 'define-fallback', action: WireFallback): number => {
    const text = `${command} ${JSON.stringify(action)}`
    const known = numbers.get(text)
    if (known !== undefined) return known
    host.request({ do: command, number: last + 1, action } as never)
    numbers.set(text, ++last)
    return last
  }

  const forget = (): void => {
    numbers.clear()
    last = 0
    resources.forgetActions()
  }

  return {
    wire: (action, place) => wireAt(action, place, 0),
    fallback,
    numberOf(decision) {
      const { tunnel, class: name, drop, forward, rewrite, replicate, decapsulate } = decision
      const entry = tunnel === undefined ? undefined : resources.tunnelOf(tunnel)
      const others =
        drop !== undefined ||
        forward !== undefined ||
        rewrite !== undefined ||
        replicate !== undefined ||
        decapsulate !== undefined
      if (entry === undefined || others) return define('define-action', wireAt(decision, 'decision', 0))
      const known = name === undefined ? entry.plain : (entry.byClass.get(name) ?? 0)
      if (known !== 0) return known
      const number = define('define-action', wireAt(decision, 'decision', 0))
      if (name === undefined) entry.plain = number
      else entry.byClass.set(name, number)
      return number
    },
    numberOfFallback: (action) => define('define-fallback', fallback(action, 'otherwise')),
    trim(most) {
      if (numbers.size < most) return
      host.request({ do: 'forget-actions' })
      forget()
    },
    forget,
  }
}
