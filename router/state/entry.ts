/** What the registry remembers of a plugin, with the form in which it stands in the file. */
import {
  capabilitiesSchema,
  checkOf,
  type JsonSchema,
  limitsSchema,
} from '../../execution-env/contract/index.ts'
import type { PluginSettings } from '../plugins/plugin-host.ts'

/** One version of a plugin with everything that it takes to run it again. */
export interface InstalledVersion extends PluginSettings {
  /** SHA-256 of the bundle's bytes, hexadecimal: its name in the folder. */
  readonly file: string
  readonly name: string
  readonly version: string
  /** Calendar time, milliseconds since 1970. */
  readonly installedMs: number
  /** Who installed it, as the audit log has it. */
  readonly by: string
}

/** An instance: what runs, and what it can be rolled back to. */
export interface RegistryEntry extends InstalledVersion {
  readonly id: string
  readonly previous?: InstalledVersion
}

/** The version that an entry runs, as another entry remembers it. */
export function versionOf(entry: RegistryEntry): InstalledVersion {
  const { id: _, previous: __, ...version } = entry
  return version
}

/** What stands in the registry. */
export interface RegistryContent {
  readonly form: 1
  readonly entries: readonly RegistryEntry[]
}

/** A configuration that was applied, as its file had it. */
export interface AppliedConfiguration {
  readonly file: string
  /** Folder from which its relative paths start. */
  readonly folder: string
  readonly text: string
  /** Text of each plugin's declaration that was carried out, by id. */
  readonly declarations: Readonly<Record<string, string>>
  /** Whether the router has gone down in order since. */
  readonly stopped: boolean
}

/** Most instances of a router. */
export const MAX_ENTRIES = 1_000

const text = (maxLength: number, description: string): JsonSchema => ({
  type: 'string',
  maxLength,
  description,
})

const share: JsonSchema = { type: 'number', minimum: 0, description: 'a share' }

const VERSION: Readonly<Record<string, JsonSchema>> = {
  file: { type: 'string', pattern: '^[0-9a-f]{64}$', description: 'a SHA-256' },
  name: text(64, 'a name'),
  version: text(64, 'a version'),
  config: {},
  priority: { type: 'integer', minimum: -1_000, maximum: 1_000, description: 'a priority' },
  allow: capabilitiesSchema,
  limits: limitsSchema,
  trusted: { type: 'boolean', description: 'true or false' },
  cpu: {
    type: 'object',
    additionalProperties: false,
    properties: { weight: share, guarantee: share, ceiling: share },
    description: 'shares of the processor',
  },
  installedMs: { type: 'number', minimum: 0, description: 'a time' },
  by: text(200, 'who'),
}
const REQUIRED = ['file', 'name', 'version', 'config', 'priority', 'limits', 'trusted', 'installedMs', 'by']

const version: JsonSchema = {
  type: 'object',
  properties: VERSION,
  required: REQUIRED,
  additionalProperties: false,
  description: 'a version',
}

/** Finds what is wrong with a registry's content. */
export const checkRegistry = checkOf({
  type: 'object',
  additionalProperties: false,
  required: ['form', 'entries'],
  description: 'a registry',
  properties: {
    form: { const: 1, description: '1' },
    entries: {
      type: 'array',
      maxItems: MAX_ENTRIES,
      description: 'a list of entries',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['id', ...REQUIRED],
        description: 'an entry',
        properties: {
          id: text(64, 'an id'),
          ...VERSION,
          previous: version,
        },
      },
    },
  },
})

/** Finds what is wrong with a remembered configuration. */
export const checkConfiguration = checkOf({
  type: 'object',
  additionalProperties: false,
  required: ['file', 'folder', 'text', 'declarations', 'stopped'],
  description: 'a configuration',
  properties: {
    file: text(4_096, 'a path'),
    folder: text(4_096, 'a path'),
    text: text(8 << 20, 'a text'),
    declarations: {
      type: 'object',
      additionalProperties: { type: 'string', description: 'a text' },
      description: 'texts by id',
    },
    stopped: { type: 'boolean', description: 'true or false' },
  },
})
