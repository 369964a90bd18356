/**
 * Grants: what the holder of a certificate may do. The one idea: a grant travels in the certificate (a non-critical
 * extension holding the JSON text below as a UTF8String) and may only shrink from issuer to subject; what is not
 * written is not granted. A root without a grant is bounded only by the operator who trusts it.
 */
import {
  BOUND_FORMATS,
  type BoundedWords,
  type Capabilities,
  ContractError,
  capabilitiesSchema,
  checkOf,
  describeCapabilities,
  describeWords,
  excessOfWords,
  formatJsonLine,
  formatProblem,
  type JsonValue,
  multicastPrefixes,
  namesOf,
  normalise,
  normaliseWords,
  parseJson,
  prefixes,
  type Violation,
  type WordTable,
  within,
} from '../contract/index.ts'
import { CertificateError } from './errors.ts'

/** What a remote operator may ask of a router. */
export type Role = 'read' | 'operate' | 'install'

/** What a certificate grants. An absent key grants nothing. */
export interface Grant {
  /** Signer: the most that its plugins may be given. */
  readonly capabilities?: Capabilities
  /** Operator. */
  readonly roles?: readonly Role[]
  /** Host, router: prefixes of virtual hosts for which it may speak (hello, load, flow advertisements). */
  readonly virtualHosts?: readonly string[]
  /** Host, router: multicast prefixes which it may join or send to. */
  readonly groups?: readonly string[]
}

/** Everything beside the capabilities, as one word of bounds. */
const OWN: WordTable = {
  grant: {
    roles: namesOf(['read', 'operate', 'install']),
    virtualHosts: prefixes,
    groups: multicastPrefixes,
  },
}

const GRANT_LIMITS = { maxBytes: 16_384, maxDepth: 8, maxValues: 4_096 }

const schema = {
  type: 'object',
  additionalProperties: false,
  description: 'a grant',
  properties: {
    capabilities: capabilitiesSchema,
    ...Object.fromEntries(Object.entries(OWN['grant']!).map(([name, kind]) => [name, kind.schema])),
  },
}

const check = checkOf(schema, BOUND_FORMATS)

function ownWords(grant: Grant): BoundedWords {
  const { roles, virtualHosts, groups } = grant
  return { grant: { roles, virtualHosts, groups } }
}

/** The one form of a grant. */
export function normaliseGrant(grant: Grant): Grant {
  const own = normaliseWords(OWN, ownWords(grant))['grant'] as Omit<Grant, 'capabilities'> | undefined
  const capabilities = normalise(grant.capabilities ?? {})
  return { ...(Object.keys(capabilities).length === 0 ? {} : { capabilities }), ...own }
}

/**
 * The grant of a JSON text.
 * @param source attacker-controlled
 * @throws CertificateError `malformed` with every problem found
 */
export function parseGrant(source: Uint8Array | string): Grant {
  let value: JsonValue
  try {
    value = parseJson(source, GRANT_LIMITS)
  } catch (error) {
    if (error instanceof ContractError) throw new CertificateError('malformed', error.message, 'grant')
    throw error
  }
  const problems = check(value)
  if (problems.length > 0)
    throw new CertificateError('malformed', problems.map(formatProblem).join('\n'), 'grant')
  return normaliseGrant(value as Grant)
}

/** The one text of a grant. @throws CertificateError `limit` when no certificate can hold it */
export function formatGrant(grant: Grant): string {
  const text = formatJsonLine(normaliseGrant(grant) as JsonValue)
  if (Buffer.byteLength(text) > GRANT_LIMITS.maxBytes)
    throw new CertificateError('limit', `longer than ${GRANT_LIMITS.maxBytes} bytes`, 'grant')
  return text
}

/** What `requested` grants beyond `granted`; empty when it is within. */
export function excessOfGrant(requested: Grant, granted: Grant): readonly Violation[] {
  const capabilities = within(requested.capabilities ?? {}, granted.capabilities ?? {})
  return [
    ...capabilities.map((each) => ({ ...each, place: `capabilities.${each.place}` })),
    ...excessOfWords(OWN, ownWords(requested), ownWords(granted)).map((each) => ({
      ...each,
      place: each.place.replace(/^grant\./, ''),
    })),
  ]
}

/** A line per part for people. Empty when nothing is granted. */
export function describeGrant(grant: Grant): readonly string[] {
  return [
    ...describeCapabilities(grant.capabilities ?? {}),
    ...describeWords(OWN, ownWords(grant)).map((line) => line.replace(/^grant: /, '')),
  ]
}
