/**
 * Authorities and certificates for tests. The one idea: RSA keys take long and are made once for the whole run; all
 * other keys, names, serials and times are fixed, so that a failing case can be looked at again.
 */
import {
  type AuthorityRequest,
  type Credential,
  createRoot,
  type IssueRequest,
  issueAuthority,
  issueCertificate,
} from '../../../execution-env/certificates/authority.ts'
import { Certificate } from '../../../execution-env/certificates/certificate.ts'
import { context, type Element, element, readDer } from '../../../execution-env/certificates/der.ts'
import { integer, integerFromHex, sequence, time } from '../../../execution-env/certificates/der-values.ts'
import { writeName } from '../../../execution-env/certificates/distinguished-name.ts'
import type { Grant } from '../../../execution-env/certificates/grant.ts'
import {
  createKey,
  deriveSeed,
  type KeyObject,
  writePublicKey,
} from '../../../execution-env/certificates/keys.ts'
import { type Revocation, writeRevocationList } from '../../../execution-env/certificates/revocation-list.ts'
import { algorithmOf, writeSigned } from '../../../execution-env/certificates/signature.ts'

export const DAY = 86_400_000
/** When everything happens, unless a test says otherwise. */
export const NOW = Date.parse('2026-06-01T00:00:00Z')
export const VALID = { notBeforeMs: NOW - 30 * DAY, notAfterMs: NOW + 300 * DAY }

/** A grant that everything in these tests fits into. */
export const BROAD: Grant = {
  capabilities: {
    flows: { to: ['198.18.0.0/15'], actions: ['drop', 'forward', 'tunnel'], payloadBytes: 64 },
    tunnels: { open: ['10.0.0.0/8'] },
    messages: { on: ['host/*'] },
    timers: { perSecond: 10 },
  },
  roles: ['read', 'operate', 'install'],
  virtualHosts: ['198.18.0.0/15'],
  groups: ['239.192.0.0/14'],
}

const rsaKeys = new Map<string, KeyObject>()

/** An RSA key of 2048 bits, the same for the same name within a run. */
export function rsaKey(name: string): KeyObject {
  let key = rsaKeys.get(name)
  if (key === undefined) rsaKeys.set(name, (key = createKey({ algorithm: 'rsa', bits: 2048 })))
  return key
}

/** An Ed25519 key, always the same for the same name. */
export function edKey(name: string): KeyObject {
  return createKey({ algorithm: 'ed25519', seed: deriveSeed('tests', name) })
}

/** A root; by default RSA, unbounded. */
export function root(over: Partial<AuthorityRequest> = {}): Credential {
  return createRoot({ name: 'Test root', serial: '01', key: rsaKey('root'), ...VALID, ...over })
}

/** An authority below another. */
export function authority(issuer: Credential, over: Partial<AuthorityRequest> = {}): Credential {
  const request = { name: 'Test authority', serial: '02', key: rsaKey('authority'), grant: BROAD, ...VALID }
  return issueAuthority(issuer, { ...request, ...over })
}

/** A certificate with its key; by default a signer with everything granted. */
export function leaf(issuer: Credential, over: Partial<IssueRequest> = {}): Credential {
  const type = over.type ?? 'signer'
  const key = over.key ?? (type === 'signer' ? rsaKey('signer') : edKey(type))
  const request: IssueRequest = { name: 'alice', serial: '10', grant: BROAD, ...VALID, ...over, type, key }
  const chain = issuer.certificate.isSelfIssued ? [] : [issuer.certificate, ...issuer.chain]
  return { certificate: issueCertificate(issuer, request), key, chain }
}

/** A revocation list, current at `NOW` unless said otherwise. */
export function list(
  issuer: Credential,
  revoked: Readonly<Record<string, Revocation>> = {},
  over: { thisUpdateMs?: number; nextUpdateMs?: number; number?: number } = {},
) {
  const times = { thisUpdateMs: NOW - DAY, nextUpdateMs: NOW + 29 * DAY, number: 1 }
  return writeRevocationList(issuer, { ...times, ...over, revoked: new Map(Object.entries(revoked)) })
}

/** A certificate of any content that no authority of ours would issue. */
export function forge(request: {
  readonly issuer: Credential
  readonly name: string
  readonly key: KeyObject
  readonly extensions: readonly Element[]
  readonly serial?: string
}): Credential {
  const { issuer, name, key, extensions, serial = '66' } = request
  const content = sequence(
    element(context(0, true), [integer(2)]),
    integerFromHex(serial),
    algorithmOf(issuer.key),
    readDer(Uint8Array.from(Buffer.from(issuer.certificate.subjectDer, 'hex')), 1 << 16),
    sequence(time(VALID.notBeforeMs), time(VALID.notAfterMs)),
    writeName(name),
    readDer(writePublicKey(key), 1 << 16),
    element(context(3, true), [sequence(...extensions)]),
  )
  return { certificate: new Certificate(writeSigned(content, issuer.key)), key, chain: [] }
}
