/**
 * Small values inside a guest: refusals with a code, durations, addresses as text.
 *
 * Self-contained: the text of each function here runs inside the isolate, after the boot has frozen the intrinsics.
 */

/** Why a verb throws at once. */
export type ApiErrorCode = 'invalid' | 'exists' | 'closed' | 'forbidden' | 'unsupported'

export interface Values {
  /** An error with a closed `code`. */
  readonly refusal: (code: ApiErrorCode, message: string) => Error
  /** Nanoseconds of a duration such as `1.5s`. @throws Error `invalid` */
  readonly durationNs: (value: unknown, place: string) => number
  /** An unsigned number as dotted text. */
  readonly formatAddress: (address: number) => string
  /** The value when it is a function. @throws Error `invalid` */
  readonly handler: <F>(value: F, place: string) => F
  /** What the value shows in a message: short, one line. */
  readonly show: (value: unknown) => string
}

export function createValues(): Values {
  const DURATIONS_KEPT = 1_000
  const UNITS: Readonly<Record<string, number>> = { ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }
  const PATTERN = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)$/
  const durations = new Map<string, number>()

  const refusal = (code: ApiErrorCode, message: string): Error => Object.assign(new Error(message), { code })

  const show = (value: unknown): string => {
    if (typeof value === 'string') return JSON.stringify(value.slice(0, 60))
    if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
    return typeof value === 'function' ? 'a function' : String(value)
  }

  return {
    refusal,
    show,
    durationNs(value, place) {
      const known = typeof value === 'string' ? durations.get(value) : undefined
      if (known !== undefined) return known
      const match = typeof value === 'string' && value.length <= 24 ? PATTERN.exec(value) : null
      if (match === null)
        throw refusal('invalid', `${place}: expected a duration such as 50ms or 1.5s, got ${show(value)}`)
      const ns = Math.round(Number(match[1]) * UNITS[match[2]!]!)
      if (durations.size >= DURATIONS_KEPT) durations.clear()
      durations.set(value as string, ns)
      return ns
    },
    formatAddress: (address) =>
      `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`,
    handler(value, place) {
      if (typeof value !== 'function')
        throw refusal('invalid', `${place}: expected a function, got ${show(value)}`)
      return value
    },
  }
}
