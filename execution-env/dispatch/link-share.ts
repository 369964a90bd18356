/**
 * The share of links that a plugin's classes are guaranteed, against what was granted. The one idea: under start-time
 * fair queueing a class's share is its weight among its siblings, so the sum of the plugin's weights at a port's root
 * is compared with all that stand there now.
 */
import { EngineError, type Row } from '../../engine/index.ts'
import { type Draft, merged } from './draft.ts'
import type { ClassSpec, Holdings } from './holdings.ts'

const TOLERANCE = 1e-9

export interface LinkShareContext {
  readonly holdings: Holdings
  readonly ports: readonly string[]
  /** Rows of the engine's table `classes`. */
  readonly rows: readonly Row[]
  /** Whether a class in the engine is one of this plugin's. */
  isOwn(name: string): boolean
}

/** @throws EngineError `forbidden` when the classes would be guaranteed more than `linkShare` on some port */
export function requireLinkShare(draft: Draft, linkShare: number, context: LinkShareContext): void {
  if (draft.classes.size === 0) return
  const own = [...merged<string, ClassSpec>(draft.classes, context.holdings.classes)]
  for (const port of context.ports) {
    const mine = sum(
      own
        .filter((each) => each.parent === undefined && (each.port === undefined || each.port === port))
        .map((each) => each.weight),
    )
    const theirs = sum(
      context.rows
        .filter((row) => row['port'] === port && row['parent'] === null && row['draining'] === false)
        .filter((row) => !context.isOwn(String(row['name'])))
        .map((row) => Number(row['weight'])),
    )
    const share = mine === 0 ? 0 : mine / (mine + theirs)
    if (share > linkShare + TOLERANCE)
      throw new EngineError(
        'forbidden',
        `the classes would be guaranteed ${share.toFixed(3)} of port ${port}, beyond the granted classes.linkShare ${linkShare}`,
        'class.weight',
      )
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0)
}
