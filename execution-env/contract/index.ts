/** The door of the contract: manifest and capabilities, what crosses interface 1130. */

export type { BoundedWords, Violation, WordTable } from './bounded-words.ts'
export {
  describeWords,
  excessOfWords,
  formatViolation,
  intersectWords,
  normaliseWords,
  wordsSchema,
} from './bounded-words.ts'
export type { BoundValue } from './bounds.ts'
export { BOUND_FORMATS, multicastPrefixes, namesOf, patternCovers, prefixes } from './bounds.ts'
export type { Capabilities, TrafficCapability } from './capabilities.ts'
export {
  ACTION_NAMES,
  capabilitiesSchema,
  describeCapabilities,
  intersect,
  normalise,
  within,
} from './capabilities.ts'
export type { ConfigResult } from './config-schema.ts'
export { checkConfig, checkConfigSchema } from './config-schema.ts'
export type { ContractErrorCode, ContractProblem } from './errors.ts'
export { ContractError, formatProblem } from './errors.ts'
export { isInOrigins, parseHttpUrl, URL_LENGTH_MAX } from './http-url.ts'
export type { JsonLimits, JsonValue } from './json.ts'
export { formatJson, formatJsonLine, parseJson } from './json.ts'
export type { Limits } from './limits.ts'
export { limitsSchema, resolveLimits } from './limits.ts'
export type { Manifest } from './manifest.ts'
export { API_VERSIONS, formatManifest, MANIFEST_LIMITS, manifestSchema, parseManifest } from './manifest.ts'
export { PrefixSet, parsePrefix } from './prefix-set.ts'
export type { JsonSchema, SchemaCheck } from './schema.ts'
export { checkOf } from './schema.ts'
