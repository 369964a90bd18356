/**
 * What an authority remembers: the certificates it issued and took back, and the number of its last list. The one
 * idea: one JSON file, replaced as a whole, written before the certificate it tells of, so that whatever was issued
 * can be revoked.
 */
import { parseJson } from '../contract/index.ts'
import { CertificateError } from './errors.ts'
import { USAGES } from './object-identifiers.ts'
import { REVOCATION_REASONS, type Revocation } from './revocation-list.ts'

/** One certificate that was issued. */
export interface IssuedRecord {
  /** Lower-case hexadecimal, even digits. */
  readonly serial: string
  readonly name: string
  readonly type: string
  /** Calendar time. */
  readonly notAfterMs: number
  readonly fingerprint: string
  readonly revoked?: Revocation
}

/** The content of `index.json`. */
export interface AuthorityIndex {
  readonly version: 1
  /** Number of the last revocation list. */
  readonly listNumber: number
  readonly certificates: readonly IssuedRecord[]
}

const LIMITS = { maxBytes: 64_000_000, maxDepth: 6, maxValues: 2_000_000 }
const TYPES: readonly unknown[] = [...USAGES, 'authority']
const REASONS: readonly unknown[] = REVOCATION_REASONS

/** @throws CertificateError `malformed` when it is not an index; the file is the operator's own */
export function parseIndex(text: string): AuthorityIndex {
  const index = parseJson(text, LIMITS) as unknown as AuthorityIndex | null
  const isIndex =
    index?.version === 1 &&
    Number.isSafeInteger(index.listNumber) &&
    Array.isArray(index.certificates) &&
    index.certificates.every(isRecord)
  if (!isIndex) throw new CertificateError('malformed', 'not an index of this version')
  return index
}

function isRecord(record: IssuedRecord | null): boolean {
  if (record === null || typeof record !== 'object') return false
  const { serial, name, type, notAfterMs, fingerprint, revoked } = record
  const isRevocation =
    revoked === undefined || (Number.isFinite(revoked?.atMs) && REASONS.includes(revoked?.reason))
  return (
    /^(?:[0-9a-f]{2}){1,20}$/.test(serial) &&
    typeof name === 'string' &&
    TYPES.includes(type) &&
    Number.isFinite(notAfterMs) &&
    /^[0-9a-f]{64}$/.test(fingerprint) &&
    isRevocation
  )
}

export function formatIndex(index: AuthorityIndex): string {
  return `${JSON.stringify(index, undefined, 2)}\n`
}
