/**
 * Limits of one plugin: memory, time and rates. The one idea: the manifest asks, the table bounds what may be asked,
 * and the operator's ceiling has the last word.
 */
import type { JsonSchema } from './schema.ts'

/** What one running plugin may use. All whole numbers. */
export interface Limits {
  /** Heap of the plugin's isolate. */
  readonly memoryBytes: number
  /** Exported state, as text. */
  readonly stateBytes: number
  /** Wall-clock time of setup(), and of exportState() and importState(). */
  readonly setupMs: number
  /** Wall-clock time of one batch of calls into the plugin. */
  readonly batchMs: number
  readonly messagesPerSecond: number
  readonly messageBytes: number
  readonly logLinesPerSecond: number
  /** Requests to the proxies (`http`, `certificates`, `keys`) in a second, and at a time. */
  readonly requestsPerSecond: number
  readonly requestsAtOnce: number
  /** Body of a response of HTTP. */
  readonly responseBytes: number
}

interface LimitRange {
  readonly least: number
  readonly usual: number
  readonly most: number
}

const RANGES: Readonly<Record<keyof Limits, LimitRange>> = {
  memoryBytes: { least: 8_000_000, usual: 32_000_000, most: 256_000_000 },
  stateBytes: { least: 0, usual: 1_000_000, most: 16_000_000 },
  setupMs: { least: 10, usual: 1_000, most: 10_000 },
  batchMs: { least: 10, usual: 50, most: 1_000 },
  messagesPerSecond: { least: 0, usual: 1_000, most: 100_000 },
  messageBytes: { least: 64, usual: 1_200, most: 16_384 },
  logLinesPerSecond: { least: 0, usual: 20, most: 1_000 },
  requestsPerSecond: { least: 0, usual: 10, most: 1_000 },
  requestsAtOnce: { least: 0, usual: 8, most: 32 },
  responseBytes: { least: 0, usual: 65_536, most: 1_000_000 },
}

const NAMES = Object.keys(RANGES) as (keyof Limits)[]

/** JSON schema of the limits that a manifest may ask for; every one is optional. */
export const limitsSchema: JsonSchema = {
  type: 'object',
  properties: Object.fromEntries(
    NAMES.map((name) => {
      const { least, most } = RANGES[name]
      return [
        name,
        { type: 'integer', minimum: least, maximum: most, description: `a whole number, ${least}..${most}` },
      ]
    }),
  ),
  additionalProperties: false,
  description: 'an object of limits',
}

/** The limits that hold: what is asked (or usual), at most the operator's ceiling. */
export function resolveLimits(requested: Partial<Limits>, ceiling: Partial<Limits> = {}): Limits {
  const entries = NAMES.map((name) => {
    const wanted = requested[name] ?? RANGES[name].usual
    return [name, Math.min(wanted, ceiling[name] ?? wanted)] as const
  })
  return Object.fromEntries(entries) as Record<keyof Limits, number>
}
