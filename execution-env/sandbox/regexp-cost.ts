/**
 * How large a regular expression becomes when its counted repetitions are written out, which is what compiling it
 * costs. `/(?:a{1000}){1000}/` is short and enormous.
 */

/** Largest cost and length of a pattern that is accepted. */
export const REGEXP_COST_MAX = 20_000
export const REGEXP_LENGTH_MAX = 4_096

/**
 * An estimate of the nodes of a pattern, written out: atoms, times the bounds of the counted repetitions around
 * them. Stops at 2^53. Self-contained: its text also runs inside isolates.
 */
export function regexpCost(pattern: string): number {
  const counted = /\{(\d+)(?:,(\d*))?\}/y
  const groups: number[] = []
  let total = 0
  let last = 0
  const close = (): void => {
    last = total + 1
    total = groups.pop() ?? 0
    total += last
  }
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    if (character === '(') {
      groups.push(total)
      total = 0
      last = 0
    } else if (character === ')') close()
    else if (character === '{') {
      counted.lastIndex = at
      const counts = counted.exec(pattern)
      const bound = counts === null ? 1 : Math.max(Number(counts[1]), Number(counts[2] ?? 0), 1)
      const times = counts?.[2] === '' ? bound + 1 : bound
      last = Math.max(last, 1)
      total = Math.min(total + last * (times - 1), 2 ** 53)
      last = Math.min(last * times, 2 ** 53)
      if (counts !== null) at += counts[0].length - 1
    } else {
      if (character === '\\') at++
      else if (character === '[') {
        while (++at < pattern.length && pattern[at] !== ']') if (pattern[at] === '\\') at++
      }
      last = 1
      total++
    }
  }
  while (groups.length > 0) close()
  return total
}
