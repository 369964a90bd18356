/**
 * From an action as plain data to rows of the action table. The one idea: everything that can be wrong with an
 * action is found here, with the path of the offending value, and nothing is left in the table when it is refused.
 *
 * A modifier (class, rewrite) in front of a choice is moved into the branches, so that whatever a flow is pinned to
 * or falls back to carries its modifiers with it: `class c, then spread [x, y]` is `spread [class c then x, class c
 * then y]`, and `class c, then decide` asks about the packet as it came and modifies what happens without an answer.
 */
import { dropCode } from '../drop-reason.ts'
import { EngineError } from '../errors.ts'
import type { Action, ClassAction, RewriteAction } from './action.ts'
import {
  A,
  ACTION_NEXT,
  ACTION_SHIFT,
  type ActionTable,
  C,
  OP,
  OP_CLASS,
  OP_DECAPSULATE,
  OP_DECIDE,
  OP_DROP,
  OP_FORWARD,
  OP_REPLICATE,
  OP_REWRITE,
  OP_SPREAD,
  OP_TUNNEL,
  REWRITE_DESTINATION,
  REWRITE_DESTINATION_PORT,
  REWRITE_SOURCE,
  REWRITE_SOURCE_PORT,
} from './action-table.ts'
import { cumulate, knownDrop, port, positive, target, unicast, waitOf } from './action-values.ts'

/** Most packets that one becomes, most branches of a spread, deepest nesting. */
export const REPLICATE_LIMIT = 64
export const SPREAD_LIMIT = 256
export const ACTION_DEPTH_LIMIT = 8

const POLICY = dropCode('policy')
const NO_WEIGHTS = new Int32Array(0)

/** What an action's names mean, and who must outlive it. */
export interface ActionScope {
  /** Number of a tunnel as the asking owner sees it. @throws EngineError `unknown` */
  tunnel(name: string, place: string): number
  /** Label of a traffic class name; any name may be used, whether or not a port has such a class. */
  classLabel(name: string, place: string): number
  readonly owner: number
}

/** A modifier's words: operation, A, B, C, D. */
type Modifier = readonly [op: number, a: number, b?: number, c?: number, d?: number]

/**
 * The row of an action, counted as used once more; give it back with `release`.
 * @throws EngineError `invalid`, `unknown` or `limit`, at the path of the offending value
 */
export function compileAction(
  table: ActionTable,
  action: Action,
  scope: ActionScope,
  place = 'action',
  depth = 0,
): number {
  if (depth >= ACTION_DEPTH_LIMIT)
    throw new EngineError('limit', `actions nest deeper than ${ACTION_DEPTH_LIMIT}`, place)
  const follow = (then: Action, key: string) =>
    compileAction(table, then, scope, `${place}.${key}`, depth + 1)
  switch (action.kind) {
    case 'forward':
      if (action.via === undefined) return table.intern(OP_FORWARD)
      return table.intern(OP_FORWARD, 1, unicast(action.via, `${place}.via`))
    case 'drop':
      return table.intern(OP_DROP, action.reason === undefined ? POLICY : knownDrop(action.reason, place))
    case 'tunnel':
      return table.intern(OP_TUNNEL, scope.tunnel(action.tunnel, `${place}.tunnel`))
    case 'decapsulate':
      return table.intern(OP_DECAPSULATE)
    case 'rewrite':
      return prepend(table, rewriteWords(action, place), follow(action.then, 'then'))
    case 'class': {
      const row = follow(action.then, 'then')
      return prepend(table, [OP_CLASS, labelFor(table, action, scope, place, row)], row)
    }
    case 'decide': {
      const wait = waitOf(action, place)
      return table.intern(OP_DECIDE, scope.owner, 0, 0, 0, follow(action.otherwise, 'otherwise'), wait)
    }
    case 'replicate': {
      requireCount(action.to.length, REPLICATE_LIMIT, place)
      const rows = branches(table, action.to, follow)
      return limitCopies(table, table.internList(OP_REPLICATE, rows, NO_WEIGHTS, 0, 0), place)
    }
    case 'spread': {
      requireCount(action.to.length, SPREAD_LIMIT, place)
      const cumulative = cumulate(action.to, place)
      const idle = action.idleNs === undefined ? 0 : positive(action.idleNs, `${place}.idleNs`)
      const rows = branches(
        table,
        action.to.map((each) => each.action),
        follow,
        '.action',
      )
      return table.internList(OP_SPREAD, rows, cumulative, scope.owner, idle)
    }
    default:
      throw new EngineError('invalid', `unknown kind of action ${String((action as Action).kind)}`, place)
  }
}

/** The label of a class action; gives up what follows it when there is none. */
function labelFor(
  table: ActionTable,
  action: ClassAction,
  scope: ActionScope,
  place: string,
  row: number,
): number {
  try {
    return scope.classLabel(action.class, `${place}.class`)
  } catch (error) {
    table.release(row)
    throw error
  }
}

/** Compiles all branches or none. */
function branches(
  table: ActionTable,
  actions: readonly Action[],
  compile: (action: Action, key: string) => number,
  suffix = '',
): number[] {
  return collect(table, actions, (each, i) => compile(each, `to[${i}]${suffix}`))
}

/** Makes a row for each item; gives back those made when one fails. */
function collect<T>(
  table: ActionTable,
  items: readonly T[],
  make: (item: T, index: number) => number,
): number[] {
  const rows: number[] = []
  try {
    for (const [i, item] of items.entries()) rows.push(make(item, i))
  } catch (error) {
    for (const row of rows) table.release(row)
    throw error
  }
  return rows
}

/** Puts a modifier in front of a row, whose use passes to the result; in front of a choice, into its branches. */
function prepend(table: ActionTable, modifier: Modifier, row: number): number {
  const at = row << ACTION_SHIFT
  const { words } = table
  const [op, a, b, c, d] = modifier
  if (words[at + OP] !== OP_SPREAD && words[at + OP] !== OP_DECIDE) return table.intern(op, a, b, c, d, row)
  const wait = table.wait[row]
  const within = (branch: number) => {
    table.retain(branch)
    return prepend(table, modifier, branch)
  }
  try {
    if (words[at + OP] === OP_DECIDE)
      return table.intern(OP_DECIDE, words[at + A], 0, 0, 0, within(words[at + ACTION_NEXT]), wait)
    const { rows, cumulative } = table.lists[words[at + A]]
    return table.internList(OP_SPREAD, collect(table, [...rows], within), cumulative, words[at + C], wait)
  } finally {
    table.release(row)
  }
}

/** The row, unless a packet becomes too many by it: then it is given back. */
function limitCopies(table: ActionTable, row: number, place: string): number {
  const copies = copiesOf(table, row)
  if (copies <= REPLICATE_LIMIT) return row
  table.release(row)
  throw new EngineError(
    'limit',
    `one packet becomes ${copies}, at most ${REPLICATE_LIMIT} are allowed`,
    place,
  )
}

/** How many packets one becomes by a row, at most. */
function copiesOf(table: ActionTable, row: number): number {
  const at = row << ACTION_SHIFT
  const { words } = table
  const next = words[at + ACTION_NEXT]
  if (next >= 0) return copiesOf(table, next)
  if (words[at + OP] !== OP_REPLICATE && words[at + OP] !== OP_SPREAD) return 1
  const branches = Array.from(table.lists[words[at + A]].rows, (branch) => copiesOf(table, branch))
  return words[at + OP] === OP_SPREAD ? Math.max(...branches) : branches.reduce((sum, each) => sum + each, 0)
}

function rewriteWords(action: RewriteAction, place: string): Modifier {
  let bits = 0
  let ports = 0
  const source = action.from === undefined ? 0 : unicast(action.from, `${place}.from`)
  const destination = action.to === undefined ? 0 : target(action.to, `${place}.to`)
  if (action.from !== undefined) bits |= REWRITE_SOURCE
  if (action.to !== undefined) bits |= REWRITE_DESTINATION
  if (action.fromPort !== undefined) {
    bits |= REWRITE_SOURCE_PORT
    ports |= port(action.fromPort, `${place}.fromPort`) << 16
  }
  if (action.toPort !== undefined) {
    bits |= REWRITE_DESTINATION_PORT
    ports |= port(action.toPort, `${place}.toPort`)
  }
  if (bits === 0) throw new EngineError('invalid', 'changes nothing', place)
  return [OP_REWRITE, bits, source, destination, ports]
}

function requireCount(count: number, limit: number, place: string): void {
  if (count < 1 || count > limit)
    throw new EngineError('invalid', `expected 1 to ${limit} actions, got ${count}`, `${place}.to`)
}
