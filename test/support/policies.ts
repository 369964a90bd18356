/** Actions for tests, made without writing the word `then` where linters fear promises. */
import type { Action, RewriteAction } from '../../engine/index.ts'

/** Queue in a class, then go on. */
export function classed(name: string, next: Action = { kind: 'forward' }): Action {
  // biome-ignore lint/suspicious/noThenProperty: the action's own word for what follows; never awaited
  return { kind: 'class', class: name, then: next }
}

/** Rewrite, then go on. */
export function rewritten(
  fields: Partial<Omit<RewriteAction, 'kind' | 'then'>>,
  next: Action = { kind: 'forward' },
): Action {
  // biome-ignore lint/suspicious/noThenProperty: the action's own word for what follows; never awaited
  return { kind: 'rewrite', ...fields, then: next }
}

/** Into a tunnel. */
export function tunneled(tunnel: string): Action {
  return { kind: 'tunnel', tunnel }
}

/** A choice with weights 1, or the given ones. */
export function spread(actions: readonly Action[], weights: readonly number[] = []): Action {
  return { kind: 'spread', to: actions.map((action, i) => ({ action, weight: weights[i] ?? 1 })) }
}
