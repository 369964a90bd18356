/**
 * Overlapping claims. The one idea: where two claims speak of the same packet, the operator's priority decides, then
 * how specific they are, as in the engine's filter table; where both are equal nobody could say who decides, and the
 * later one is refused when it is asked for, not when the packet comes.
 */
import { type CompiledFilter, EngineError, specificity } from '../../engine/index.ts'

/** A claim that stands, and whose it is. */
export interface StandingClaim {
  readonly owner: string
  readonly priority: number
  readonly compiled: CompiledFilter
}

/** Whether some packet agrees with both filters. */
export function overlap(one: CompiledFilter, other: CompiledFilter): boolean {
  const address = (value: number, mask: number, value2: number, mask2: number) =>
    ((value ^ value2) & mask & mask2) === 0
  const range = (from: number, to: number, from2: number, to2: number) => from <= to2 && from2 <= to
  const same = (a: number, b: number) => a === b || a < 0 || b < 0
  return (
    address(one.sourceValue, one.sourceMask, other.sourceValue, other.sourceMask) &&
    address(one.destinationValue, one.destinationMask, other.destinationValue, other.destinationMask) &&
    same(one.protocol, other.protocol) &&
    same(one.inPort, other.inPort) &&
    range(one.sourcePortFrom, one.sourcePortTo, other.sourcePortFrom, other.sourcePortTo) &&
    range(one.destinationPortFrom, one.destinationPortTo, other.destinationPortFrom, other.destinationPortTo)
  )
}

/**
 * Refuses a claim of which another one cannot be told apart.
 * @throws EngineError `conflict`, naming whose claim it meets
 */
export function requireDistinct(claim: StandingClaim, others: Iterable<StandingClaim>, place: string): void {
  const own = specificity(claim.compiled)
  for (const other of others) {
    if (other.priority !== claim.priority || specificity(other.compiled) !== own) continue
    if (!overlap(claim.compiled, other.compiled)) continue
    const whose = other.owner === claim.owner ? 'another claim of this plugin' : `a claim of ${other.owner}`
    throw new EngineError(
      'conflict',
      `${whose} of the same priority and the same specificity speaks of the same packets`,
      place,
    )
  }
}
