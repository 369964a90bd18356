/**
 * The manifest, `pronto.json`: who a plugin is, what it asks for and how it is configured. The one idea: everything
 * that has to be known before a line of the plugin runs, in a bounded text of one schema.
 */
import { type Capabilities, capabilitiesSchema, normalise } from './capabilities.ts'
import { checkConfigSchema } from './config-schema.ts'
import { ContractError, type ContractProblem } from './errors.ts'
import { formatJson, type JsonLimits, type JsonValue, parseJson } from './json.ts'
import { type Limits, limitsSchema } from './limits.ts'
import { checkOf, type JsonSchema } from './schema.ts'

/** Versions of the plugin API that this router speaks. */
export const API_VERSIONS: readonly number[] = [1]

/** Bounds of a manifest's text. */
export const MANIFEST_LIMITS: JsonLimits = { maxBytes: 65_536, maxDepth: 24, maxValues: 8_192 }

export interface Manifest {
  /** Lower-case letters, digits and hyphens, 1..64. */
  readonly name: string
  /** Semantic version 2.0.0. */
  readonly version: string
  /** One of `API_VERSIONS`. */
  readonly apiVersion: number
  /** The source that is built, relative to the manifest's folder. */
  readonly entry: string
  /** What the plugin asks for. Default: nothing. In normal form. */
  readonly capabilities: Capabilities
  /** The form of its configuration (`checkConfig`). Default: there is none. */
  readonly configSchema?: JsonSchema
  /** What it asks for beyond the usual (`resolveLimits`). */
  readonly limits?: Partial<Limits>
}

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/
const NUMBER = '(?:0|[1-9]\\d{0,8})'
const IDENTIFIER = '(?:0|[1-9]\\d*|\\d*[A-Za-z-][0-9A-Za-z-]*)'
const VERSION = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-${IDENTIFIER}(?:\\.${IDENTIFIER})*)?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
)
const ENTRY = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\.(?:ts|mts|js|mjs)$/

const FORMATS = {
  'plugin-name': (text: string) => NAME.test(text),
  'semantic-version': (text: string) => VERSION.test(text),
  'source-path': (text: string) => ENTRY.test(text),
}

const limited = (maxLength: number, format: string, description: string) => ({
  type: 'string',
  maxLength,
  format,
  description,
})

/** JSON schema of a manifest; `configSchema` is checked on its own (`checkConfigSchema`). */
export const manifestSchema: JsonSchema = {
  type: 'object',
  description: 'a manifest',
  additionalProperties: false,
  required: ['name', 'version', 'apiVersion', 'entry'],
  properties: {
    name: limited(64, 'plugin-name', 'a name of lower-case letters, digits and hyphens'),
    version: limited(64, 'semantic-version', 'a semantic version such as 1.0.0'),
    apiVersion: { type: 'integer', minimum: 1, maximum: 1_000, description: 'a version of the plugin API' },
    entry: limited(200, 'source-path', 'a path to a TypeScript file below the manifest, such as plugin.ts'),
    capabilities: capabilitiesSchema,
    configSchema: { type: 'object', description: 'a JSON schema' },
    limits: limitsSchema,
  },
}

const checkManifest = checkOf(manifestSchema, FORMATS)

/**
 * The manifest of a text.
 * @param source attacker-controlled
 * @throws ContractError with every problem found; `unsupported` for an API version of another router
 */
export function parseManifest(source: Uint8Array | string): Manifest {
  const value = parseJson(source, MANIFEST_LIMITS)
  const problems = problemsOf(value)
  if (problems.length > 0) throw new ContractError(problems)
  const manifest = value as unknown as Omit<Manifest, 'capabilities'> & { capabilities?: Capabilities }
  return { ...manifest, capabilities: normalise(manifest.capabilities ?? {}) }
}

function problemsOf(value: JsonValue): readonly ContractProblem[] {
  const wrongVersion = checkApiVersion(value)
  if (wrongVersion !== undefined) return [wrongVersion]
  const problems = checkManifest(value)
  if (problems.some((each) => each.place === '' || each.place === 'configSchema')) return problems
  const { configSchema } = value as { configSchema?: JsonValue }
  if (configSchema === undefined) return problems
  const nested = checkConfigSchema(configSchema).map((each) => ({
    ...each,
    place: each.place === '' ? 'configSchema' : `configSchema.${each.place}`,
  }))
  return [...problems, ...nested]
}

/** Another version has another schema: saying only that is more help than a list of its unknown keys. */
function checkApiVersion(value: JsonValue): ContractProblem | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { apiVersion } = value as { apiVersion?: JsonValue }
  if (!Number.isInteger(apiVersion) || API_VERSIONS.includes(apiVersion as number)) return undefined
  const reason = `version ${apiVersion} of the plugin API, this router speaks ${API_VERSIONS.join(', ')}`
  return { code: 'unsupported', place: 'apiVersion', reason }
}

/** The one text of a manifest: normal capabilities, sorted keys. `parseManifest` reads it back to the same manifest. */
export function formatManifest(manifest: Manifest): string {
  return formatJson({ ...manifest, capabilities: normalise(manifest.capabilities) } as unknown as JsonValue)
}
