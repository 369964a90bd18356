/**
 * "Did you mean": the candidate nearest to a mistyped word. The one idea: Damerau-Levenshtein distance with a
 * bound that grows with the word, so that only likely slips are suggested.
 */

const LONGEST_WORD = 64
const MAX_CANDIDATES = 2_000

/** Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const line = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let best = Math.min(above[column]! + 1, line[column - 1]! + 1, above[column - 1]! + (same ? 0 : 1))
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        best = Math.min(best, before[column - 2]! + 1)
      line.push(best)
    }
    before = above
    above = line
  }
  return above[b.length]!
}

/** The candidate most like `word`, ignoring case, or undefined where none is near. Ties: the first. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > LONGEST_WORD) return undefined
  const wanted = word.toLowerCase()
  let bound = Math.max(1, Math.floor(word.length / 3)) + 1
  let found: string | undefined
  let tried = 0
  for (const candidate of candidates) {
    if (++tried > MAX_CANDIDATES) break
    if (Math.abs(candidate.length - word.length) >= bound) continue
    const steps = distance(wanted, candidate.toLowerCase())
    if (steps < bound) {
      bound = steps
      found = candidate
    }
  }
  return found
}

/** `; did you mean X?`, or nothing where no candidate is near. */
export function hint(word: string, candidates: Iterable<string>): string {
  const found = nearest(word, candidates)
  return found === undefined ? '' : `; did you mean ${found}?`
}
