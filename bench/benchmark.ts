/**
 * What a benchmark is, and how one figure is taken: several alternating rounds in one process, the median of
 * each, and every target stated as a ratio to a baseline of the same run. Absolutes of a shared machine are shown,
 * never trusted.
 */

/** One measured line. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** Smallest and largest of the rounds. */
  readonly min: number
  readonly max: number
  /** What the project promises: `<=` or `>=` this value in the same unit. */
  readonly target?: { readonly relation: '<=' | '>='; readonly value: number }
}

export interface Benchmark {
  readonly name: string
  readonly describes: string
  run(): Figure[] | Promise<Figure[]>
}

/** Median of a non-empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** A figure from the values of its rounds. */
export function figure(
  name: string,
  unit: string,
  rounds: readonly number[],
  target?: { relation: '<=' | '>='; value: number },
): Figure {
  const base = { name, unit, value: median(rounds), min: Math.min(...rounds), max: Math.max(...rounds) }
  return target === undefined ? base : { ...base, target }
}

/**
 * Nanoseconds per operation of several contestants, in alternating rounds so that a drifting machine hits all.
 * Each `run` does `operations` operations and returns a number that depends on its work (kept, so that none of it
 * is optimised away). One unmeasured round warms up.
 */
export function alternate(
  contestants: Readonly<Record<string, () => number>>,
  operations: number,
  rounds = 5,
): Record<string, number[]> {
  const results: Record<string, number[]> = {}
  let kept = 0
  for (const [name, run] of Object.entries(contestants)) {
    results[name] = []
    kept += run()
  }
  for (let round = 0; round < rounds; round++)
    for (const [name, run] of Object.entries(contestants)) {
      const before = process.hrtime.bigint()
      kept += run()
      results[name]!.push(Number(process.hrtime.bigint() - before) / operations)
    }
  if (Number.isNaN(kept)) throw new Error('a contestant returned NaN')
  return results
}

/** Element-wise ratio of two contestants' rounds. */
export function ratio(of: readonly number[], to: readonly number[]): number[] {
  return of.map((value, round) => value / to[round]!)
}
