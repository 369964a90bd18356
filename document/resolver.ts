/**
 * What every resolving step shares: the place where findings are collected, and the reading of quantities within
 * bounds. The one idea: a step never stops at a fault; it notes it and goes on with a value that is safe to use,
 * so that one run finds all.
 */
import { EngineError } from '../engine/index.ts'
import type { Finding, KeyPath, ProblemCode } from './problem.ts'
import { showValue } from './problem.ts'
import type { Quantity, RawQuantity } from './units.ts'

/** Inclusive bounds with the words for them. */
export interface Bounds {
  readonly min: number
  readonly max: number
  readonly expected: string
}

export class Resolver {
  readonly findings: Finding[] = []

  fault(code: ProblemCode, path: KeyPath, message: string, at: 'key' | 'value' = 'value'): void {
    this.findings.push({ code, path, message, at })
  }

  /** The quantity as a number; `bounds.min` after a fault. */
  quantity(kind: Quantity, value: RawQuantity, path: KeyPath, bounds: Bounds): number {
    const number = kind.parse(value)
    if (number !== undefined && number >= bounds.min && number <= bounds.max) return number
    const expected = number === undefined ? kind.expected : bounds.expected
    this.fault('invalid', path, `expected ${expected}, got ${showValue(value)}`)
    return bounds.min
  }

  /** As `quantity`, or undefined where nothing is given. */
  optional(
    kind: Quantity,
    value: RawQuantity | undefined,
    path: KeyPath,
    bounds: Bounds,
  ): number | undefined {
    return value === undefined ? undefined : this.quantity(kind, value, path, bounds)
  }

  /** Runs a check of the engine and turns its refusal into a finding at the same place below `path`. */
  engineCheck(path: KeyPath, check: () => void): void {
    try {
      check()
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      const message = error.place === '' ? error.message : error.message.slice(error.place.length + 2)
      this.fault(error.code === 'unknown' ? 'unknown' : 'invalid', [...path, ...steps(error.place)], message)
    }
  }
}

/** `to`, `fromPort` of a place such as `filter.to`. */
function steps(place: string): string[] {
  return place.split('.').slice(1)
}
