/** Commands to the proxies, and the form of what comes back. Each is answered once, by an event `service`. */
import { URL_LENGTH_MAX } from '../http-url.ts'
import type { JsonSchema } from '../schema.ts'
import { SERVICE_ERRORS } from './services.ts'

/** Most characters of a text to be signed. */
export const SIGNED_TEXT_MAX = 16_384
/** Most redirects that are followed. */
export const REDIRECTS_MAX = 5

export type ServiceCommand =
  | {
      readonly do: 'fetch'
      readonly subscription: number
      readonly url: string
      readonly redirects?: number
    }
  | { readonly do: 'lookup-certificate'; readonly subscription: number; readonly name: string }
  | { readonly do: 'sign'; readonly subscription: number; readonly key: string; readonly text: string }
  /** By one of `key` (a name) and `publicKey`. */
  | {
      readonly do: 'verify'
      readonly subscription: number
      readonly key?: string
      readonly publicKey?: string
      readonly text: string
      readonly signature: string
    }

const subscription: JsonSchema = {
  type: 'integer',
  minimum: 1,
  maximum: 2 ** 31 - 1,
  description: 'a whole number above 0',
}
const text = (maxLength: number, description: string): JsonSchema => ({
  type: 'string',
  maxLength,
  description,
})
const name: JsonSchema = { ...text(128, 'a name such as servers/s1'), format: 'topic' }
const signed = text(SIGNED_TEXT_MAX, `a text of at most ${SIGNED_TEXT_MAX} characters`)

export const serviceSchemas = {
  fetch: {
    subscription,
    url: {
      ...text(URL_LENGTH_MAX, 'an address such as https://example.net/prices, without a user'),
      format: 'http-url',
    },
    'redirects?': { type: 'integer', minimum: 0, maximum: REDIRECTS_MAX, description: `0..${REDIRECTS_MAX}` },
  },
  'lookup-certificate': { subscription, name },
  sign: { subscription, key: name, text: signed },
  verify: {
    subscription,
    'key?': name,
    'publicKey?': text(4_096, 'a public key in base64'),
    text: signed,
    signature: text(256, 'a signature in base64'),
  },
} as const

const anyText: JsonSchema = { type: 'string', description: 'a text' }

/** What an event `service` brings. */
export const serviceAnswerSchema: JsonSchema = {
  type: 'object',
  properties: {
    ok: { type: 'boolean', description: 'true or false' },
    code: { enum: SERVICE_ERRORS, description: SERVICE_ERRORS.join(', ') },
    reason: anyText,
    status: { type: 'integer', description: 'a status of HTTP' },
    contentType: anyText,
    body: anyText,
    name: anyText,
    publicKey: anyText,
    notAfterMs: { type: 'number', description: 'milliseconds since 1970' },
    serial: anyText,
    signature: anyText,
    valid: { type: 'boolean', description: 'true or false' },
  },
  required: ['ok'],
  additionalProperties: false,
  description: 'an answer of a service',
}
