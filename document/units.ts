/**
 * Quantities as people write them: `2ms`, `100Mbps`, `10k`, `0.5%`, `50/s`. The one idea: a unit is always
 * written, k is 1000, and every parser answers undefined instead of guessing. Bounds are the caller's.
 */

/** A quantity as a document has it. */
export type RawQuantity = string | number

/** A kind of quantity: its JSON schema pattern, an example for messages, and its parser. */
export interface Quantity {
  /** How a message names it. */
  readonly expected: string
  /** A regular expression, as JSON schema wants it, of all that `parse` accepts as text. */
  readonly pattern: string
  /** Largest bare number accepted, or undefined where a unit is needed. */
  readonly bareUpTo: number | undefined
  parse(value: string | number): number | undefined
}

const NUMBER = '(\\d{1,15}(?:\\.\\d{1,12})?)'

function quantity(
  expected: string,
  units: Readonly<Record<string, number>>,
  options: { round: boolean; bareUpTo?: number; optionalUnit?: boolean },
): Quantity {
  const names = Object.keys(units).map((unit) => unit.replaceAll('/', '\\/'))
  const pattern = `^${NUMBER}(${names.join('|')})${options.optionalUnit === true ? '?' : ''}$`
  const expression = new RegExp(pattern)
  return {
    expected,
    pattern,
    bareUpTo: options.bareUpTo,
    parse(value) {
      if (typeof value === 'number')
        return options.bareUpTo !== undefined && value >= 0 && value <= options.bareUpTo && !(value % 1)
          ? value
          : undefined
      const parts = expression.exec(value)
      if (parts === null) return undefined
      const number = Number(parts[1]) * (parts[2] === undefined ? 1 : units[parts[2]]!)
      return options.round ? Math.round(number) : number
    },
  }
}

/** Nanoseconds; a bare 0 needs no unit. */
export const DURATION = quantity(
  'a duration such as 500us, 2ms, 5s, 10m or 1h',
  { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 },
  { round: true, bareUpTo: 0 },
)

/** Bits per second. */
export const BIT_RATE = quantity(
  'a rate such as 64kbps, 10Mbps or 1Gbps',
  { bps: 1, kbps: 1e3, Mbps: 1e6, Gbps: 1e9, Tbps: 1e12 },
  { round: false },
)

/** Bytes, k = 1000; bare numbers are bytes. */
export const SIZE = quantity(
  'a size such as 500, 10k or 1.5M (k = 1000)',
  { B: 1, k: 1e3, kB: 1e3, M: 1e6, MB: 1e6, G: 1e9, GB: 1e9 },
  { round: true, bareUpTo: Number.MAX_SAFE_INTEGER, optionalUnit: true },
)

/** 0..1; a bare 0 needs no unit. */
export const SHARE = quantity('a percentage such as 0.5%', { '%': 0.01 }, { round: false, bareUpTo: 0 })

/** Events per second. */
export const FREQUENCY = quantity(
  'a frequency such as 50/s or 10/m',
  { '/s': 1, '/m': 1 / 60, '/h': 1 / 3600 },
  { round: false },
)
