/**
 * Moving records of words. The one idea: a few words are moved one by one, which costs nothing to begin; many by the
 * engine's own copy, for which views have to be made.
 */

/** Words up to which a loop is faster. */
const FEW = 64

/** Copies `count` words of `source` from `from` on to `target` at `to`. */
export function copyWords(
  target: Int32Array,
  to: number,
  source: Int32Array,
  from: number,
  count: number,
): void {
  if (count > FEW) target.set(source.subarray(from, from + count), to)
  else for (let at = 0; at < count; at++) target[to + at] = source[from + at]!
}

/** Makes `count` words from `from` on zero. */
export function clearWords(target: Int32Array, from: number, count: number): void {
  if (count > FEW) target.fill(0, from, from + count)
  else for (let at = 0; at < count; at++) target[from + at] = 0
}
