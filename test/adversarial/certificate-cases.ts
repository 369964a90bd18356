/**
 * Certificates that must be accepted or refused, each with our answer and that of `openssl verify` where openssl has
 * an opinion. The one idea: a case is data, so that both are asked the same questions.
 */
import type { Credential } from '../../execution-env/certificates/authority.ts'
import { Certificate } from '../../execution-env/certificates/certificate.ts'
import { TAG } from '../../execution-env/certificates/der.ts'
import {
  bitString,
  objectIdentifier,
  octetString,
  sequence,
  text,
  yes,
} from '../../execution-env/certificates/der-values.ts'
import type { CertificateErrorCode } from '../../execution-env/certificates/errors.ts'
import { writeExtension } from '../../execution-env/certificates/extensions.ts'
import { formatGrant, type Grant } from '../../execution-env/certificates/grant.ts'
import {
  GRANT_EXTENSION,
  OID,
  PURPOSE,
  type Usage,
} from '../../execution-env/certificates/object-identifiers.ts'
import type { RevocationList } from '../../execution-env/certificates/revocation-list.ts'
import {
  authority,
  BROAD,
  DAY,
  edKey,
  forge,
  leaf,
  list,
  NOW,
  root,
  rsaKey,
} from '../execution-env/certificates/kit.ts'

export interface CertificateCase {
  readonly name: string
  /** The certificate and what came with it. */
  readonly presented: readonly Certificate[]
  readonly roots: readonly Certificate[]
  readonly lists: readonly RevocationList[]
  readonly usage?: Usage
  readonly atMs?: number
  readonly expected: 'accepted' | CertificateErrorCode
  /** `accepted`, openssl's error number, or `none` where it cannot know. */
  readonly openssl: 'accepted' | number | 'none'
}

const REVOKED = { atMs: NOW - 2 * DAY, reason: 'keyCompromise' } as const

/** `der` with the byte at `offset` from the end changed. */
function altered(certificate: Certificate, change: (der: Uint8Array) => void): Certificate {
  const der = Uint8Array.from(certificate.der)
  change(der)
  return new Certificate(der)
}

function replaceText(certificate: Certificate, from: string, to: string): Certificate {
  return altered(certificate, (der) => {
    const at = Buffer.from(der).indexOf(from)
    der.set(Buffer.from(to), at)
  })
}

const presentedOf = (credential: Credential): readonly Certificate[] => [
  credential.certificate,
  ...credential.chain,
]

/** Both RSA and Ed25519 authorities are asked the plain questions. */
function plainCases(kind: string, top: Credential): readonly CertificateCase[] {
  const roots = [top.certificate]
  const lists = [list(top)]
  const alice = leaf(top)
  const plain = { roots, lists }
  const times: readonly [string, number, CertificateCase['expected'], CertificateCase['openssl']][] = [
    ['a second before it begins', -1_000, 'not-yet-valid', 9],
    ['when it begins', 0, 'accepted', 'accepted'],
  ]
  const day = leaf(top, { notBeforeMs: NOW, notAfterMs: NOW + DAY })
  const began = [list(top, {}, { thisUpdateMs: NOW - 2 * DAY })]
  return [
    {
      name: `${kind}: a signer`,
      presented: presentedOf(alice),
      ...plain,
      expected: 'accepted',
      openssl: 'accepted',
    },
    ...(['router', 'host', 'operator'] as const).map((type): CertificateCase => {
      const presented = presentedOf(leaf(top, { type, serial: '11' }))
      return {
        name: `${kind}: a ${type}`,
        presented,
        ...plain,
        usage: type,
        expected: 'accepted',
        openssl: 'accepted',
      }
    }),
    ...times.map(([when, shift, expected, openssl]): CertificateCase => {
      return {
        name: `${kind}: ${when}`,
        presented: presentedOf(day),
        roots,
        lists: began,
        atMs: NOW + shift,
        expected,
        openssl,
      }
    }),
    {
      name: `${kind}: the moment it ends`,
      presented: presentedOf(day),
      ...plain,
      atMs: NOW + DAY - 1_000,
      expected: 'accepted',
      openssl: 'accepted',
    },
    {
      name: `${kind}: a second after it ended`,
      presented: presentedOf(day),
      ...plain,
      atMs: NOW + DAY + 1_000,
      expected: 'expired',
      openssl: 10,
    },
    {
      name: `${kind}: revoked`,
      presented: presentedOf(alice),
      roots,
      lists: [list(top, { '10': REVOKED })],
      expected: 'revoked',
      openssl: 23,
    },
    {
      name: `${kind}: another one revoked`,
      presented: presentedOf(alice),
      roots,
      lists: [list(top, { '11': REVOKED, '1000': REVOKED })],
      expected: 'accepted',
      openssl: 'accepted',
    },
    {
      name: `${kind}: no list`,
      presented: presentedOf(alice),
      roots,
      lists: [],
      expected: 'list-missing',
      openssl: 3,
    },
    {
      name: `${kind}: a stale list`,
      presented: presentedOf(alice),
      roots,
      lists: [list(top, {}, { nextUpdateMs: NOW - 1_000 })],
      expected: 'list-stale',
      openssl: 12,
    },
    {
      name: `${kind}: a list from the future`,
      presented: presentedOf(alice),
      roots,
      lists: [list(top, {}, { thisUpdateMs: NOW + DAY })],
      expected: 'list-stale',
      openssl: 11,
    },
    {
      name: `${kind}: altered content`,
      presented: [replaceText(alice.certificate, 'alice', 'malic')],
      ...plain,
      expected: 'altered',
      openssl: 7,
    },
    {
      name: `${kind}: altered signature`,
      presented: [altered(alice.certificate, (der) => void (der[der.length - 9]! ^= 1))],
      ...plain,
      expected: 'altered',
      openssl: 7,
    },
  ]
}

function impostorCases(top: Credential): readonly CertificateCase[] {
  const roots = [top.certificate]
  const lists = [list(top)]
  const lookAlike = root({ key: rsaKey('look-alike') })
  const mallory = leaf(lookAlike, { name: 'mallory' })
  const self = root({ name: 'alice', key: rsaKey('signer') })
  const foreign = root({ name: 'Other root', key: rsaKey('look-alike') })
  return [
    {
      name: 'a root of the same name with another key, not presented',
      presented: [mallory.certificate],
      roots,
      lists,
      expected: 'untrusted',
      openssl: 20,
    },
    {
      name: 'a root of the same name with another key, presented',
      presented: [mallory.certificate, lookAlike.certificate],
      roots,
      lists: [...lists, list(lookAlike)],
      expected: 'untrusted',
      openssl: 19,
    },
    {
      name: 'signed by itself',
      presented: [leaf(self).certificate],
      roots,
      lists,
      expected: 'untrusted',
      openssl: 18,
    },
    {
      name: 'an unknown issuer',
      presented: [leaf(foreign).certificate],
      roots,
      lists,
      expected: 'untrusted',
      openssl: 20,
    },
    {
      name: 'a list of a root of the same name with another key',
      presented: presentedOf(leaf(top)),
      roots,
      lists: [list(lookAlike)],
      expected: 'list-missing',
      openssl: 3,
    },
    {
      name: 'the same serial revoked by another authority',
      presented: presentedOf(leaf(top)),
      roots,
      lists: [...lists, list(foreign, { '10': REVOKED })],
      expected: 'accepted',
      openssl: 'accepted',
    },
  ]
}

function chainCases(top: Credential): readonly CertificateCase[] {
  const roots = [top.certificate]
  const middle = authority(top)
  const both = [list(top), list(middle)]
  const alice = leaf(middle)

  const shortRoot = root({ pathLength: 0 })
  const shortened = authority(root())
  const zero = authority(top, { pathLength: 0 })
  // Signs as the authority of path length 0 would, had it no limit.
  const zeroUnbound = { ...zero, certificate: authority(top).certificate }
  const below = authority(zeroUnbound, { name: 'Below', serial: '03', key: rsaKey('below') })

  const alicesOwn = root({ name: 'alice', key: rsaKey('signer') })
  const bob = leaf(alicesOwn, { name: 'bob', key: rsaKey('bob'), serial: '20' })
  const alicesList = list(alicesOwn)

  return [
    {
      name: 'below an authority',
      presented: presentedOf(alice),
      roots,
      lists: both,
      expected: 'accepted',
      openssl: 'accepted',
    },
    {
      name: 'below an authority that was not presented',
      presented: [alice.certificate],
      roots,
      lists: both,
      expected: 'untrusted',
      openssl: 20,
    },
    {
      name: 'below a revoked authority',
      presented: presentedOf(alice),
      roots,
      lists: [list(top, { '02': REVOKED }), list(middle)],
      expected: 'revoked',
      openssl: 23,
    },
    {
      name: 'below an authority without a list',
      presented: presentedOf(alice),
      roots,
      lists: [list(top)],
      expected: 'list-missing',
      openssl: 3,
    },
    {
      name: 'below an expired authority',
      presented: presentedOf(leaf(authority(top, { notAfterMs: NOW - DAY }))),
      roots,
      lists: both,
      expected: 'expired',
      openssl: 10,
    },
    {
      name: 'an authority below a root that allows none',
      presented: presentedOf(leaf(shortened)),
      roots: [shortRoot.certificate],
      lists: both,
      expected: 'path-length',
      openssl: 25,
    },
    {
      name: 'an authority below an authority that allows none',
      presented: [leaf(below).certificate, below.certificate, zero.certificate],
      roots,
      lists: [list(top), list(zero), list(below)],
      expected: 'path-length',
      openssl: 25,
    },
    {
      name: 'issued by a signer',
      presented: [bob.certificate, leaf(top).certificate],
      roots,
      lists: [list(top), alicesList],
      expected: 'not-authority',
      openssl: 79,
    },
  ]
}

const basic = (isAuthority: boolean) =>
  writeExtension(OID.basicConstraints, true, isAuthority ? sequence(yes()) : sequence())
const usage = (...bytes: readonly [number, number]) =>
  writeExtension(OID.keyUsage, true, bitString(Uint8Array.of(bytes[1]), bytes[0]))
const purposes = (...names: readonly string[]) =>
  writeExtension(OID.extendedKeyUsage, false, sequence(...names.map(objectIdentifier)))
const grantOf = (grant: Grant) =>
  writeExtension(GRANT_EXTENSION, false, text(TAG.utf8String, formatGrant(grant)))
const DIGITAL_SIGNATURE = [7, 0x80] as const
const CERT_AND_LIST_SIGN = [1, 0x06] as const
const LIST_SIGN = [1, 0x02] as const
const KEY_ENCIPHERMENT = [5, 0x20] as const

function oddCases(top: Credential): readonly CertificateCase[] {
  const roots = [top.certificate]
  const key = rsaKey('forged')
  const signer = [usage(...DIGITAL_SIGNATURE), purposes(PURPOSE.codeSigning), grantOf(BROAD)]
  const unknown = writeExtension('1.3.6.1.4.1.32473.9.9', true, octetString(Uint8Array.of(1)))
  const single = (
    name: string,
    extensions: Parameters<typeof forge>[0]['extensions'],
    rest: Pick<CertificateCase, 'expected' | 'openssl'>,
  ) => ({
    name,
    presented: [forge({ issuer: top, name: 'odd', key, extensions }).certificate],
    roots,
    lists: [list(top)],
    ...rest,
  })
  const under = (
    name: string,
    extensions: Parameters<typeof forge>[0]['extensions'],
    rest: Pick<CertificateCase, 'expected' | 'openssl'>,
  ) => {
    const odd = forge({ issuer: top, name: 'odd', key, extensions })
    const shadow = root({ name: 'odd', key })
    const presented = [leaf(shadow).certificate, odd.certificate]
    return { name, presented, roots, lists: [list(top), list(shadow)], ...rest }
  }
  return [
    single('forged well', [basic(false), ...signer], { expected: 'accepted', openssl: 'accepted' }),
    single('an unknown critical extension', [basic(false), ...signer, unknown], {
      expected: 'unsupported',
      openssl: 34,
    }),
    single('no key usage', [basic(false), ...signer.slice(1)], { expected: 'accepted', openssl: 'accepted' }),
    single('no purpose', [basic(false), signer[0]!, signer[2]!], {
      expected: 'wrong-usage',
      openssl: 'none',
    }),
    single('a key for encipherment', [basic(false), usage(...KEY_ENCIPHERMENT), ...signer.slice(1)], {
      expected: 'wrong-usage',
      openssl: 'none',
    }),
    single('an authority that signs plugins itself', [basic(true), ...signer], {
      expected: 'wrong-usage',
      openssl: 'none',
    }),
    under('below a well forged authority', [basic(true), usage(...CERT_AND_LIST_SIGN), grantOf(BROAD)], {
      expected: 'accepted',
      openssl: 'accepted',
    }),
    under(
      'below one without the right to issue',
      [basic(false), usage(...CERT_AND_LIST_SIGN), grantOf(BROAD)],
      {
        expected: 'not-authority',
        openssl: 79,
      },
    ),
    under(
      'below one whose key may not sign certificates',
      [basic(true), usage(...LIST_SIGN), grantOf(BROAD)],
      {
        expected: 'not-authority',
        openssl: 79,
      },
    ),
    under(
      'below one for other purposes',
      [basic(true), usage(...CERT_AND_LIST_SIGN), purposes(PURPOSE.serverAuthentication), grantOf(BROAD)],
      {
        expected: 'wrong-usage',
        openssl: 'none',
      },
    ),
    under(
      'below one for any purpose',
      [basic(true), usage(...CERT_AND_LIST_SIGN), purposes(PURPOSE.any), grantOf(BROAD)],
      {
        expected: 'accepted',
        openssl: 'accepted',
      },
    ),
    under(
      'below one with an unknown critical extension',
      [basic(true), usage(...CERT_AND_LIST_SIGN), grantOf(BROAD), unknown],
      {
        expected: 'unsupported',
        openssl: 34,
      },
    ),
    under('below one that grants nothing', [basic(true), usage(...CERT_AND_LIST_SIGN)], {
      expected: 'beyond-grant',
      openssl: 'none',
    }),
    under(
      'below one that grants less',
      [basic(true), usage(...CERT_AND_LIST_SIGN), grantOf({ ...BROAD, virtualHosts: ['198.18.0.0/16'] })],
      { expected: 'beyond-grant', openssl: 'none' },
    ),
  ]
}

function usageCases(top: Credential): readonly CertificateCase[] {
  const roots = [top.certificate]
  const lists = [list(top)]
  const types: readonly Usage[] = ['signer', 'router', 'host', 'operator']
  const crossed = types.flatMap((type) =>
    types
      .filter((usage) => usage !== type)
      .map((usage): CertificateCase => {
        const presented = presentedOf(leaf(top, { type, key: edKey('any') }))
        return {
          name: `a ${type} as a ${usage}`,
          presented,
          roots,
          lists,
          usage,
          expected: 'wrong-usage',
          openssl: 'none',
        }
      }),
  )
  const rsaHost = forge({
    issuer: top,
    name: 'host',
    key: rsaKey('forged'),
    extensions: [basic(false), usage(...DIGITAL_SIGNATURE), purposes(PURPOSE.host)],
  })
  const boundRoot = root({
    name: 'Bound root',
    key: rsaKey('bound'),
    grant: { virtualHosts: ['198.18.0.0/16'] },
  })
  const free = root({ name: 'Bound root', key: rsaKey('bound') })
  return [
    ...crossed,
    {
      name: 'a host with an RSA key',
      presented: [rsaHost.certificate],
      roots,
      lists,
      usage: 'host',
      expected: 'unsupported',
      openssl: 'none',
    },
    {
      name: 'the root itself as a signer',
      presented: [top.certificate],
      roots,
      lists,
      expected: 'wrong-usage',
      openssl: 'none',
    },
    {
      name: 'more than a bound root was granted',
      presented: [leaf(free).certificate],
      roots: [boundRoot.certificate],
      lists: [list(boundRoot)],
      expected: 'beyond-grant',
      openssl: 'none',
    },
    {
      name: 'as much as a bound root was granted',
      presented: [leaf(free, { grant: { virtualHosts: ['198.18.7.0/24'] } }).certificate],
      roots: [boundRoot.certificate],
      lists: [list(boundRoot)],
      expected: 'accepted',
      openssl: 'accepted',
    },
  ]
}

/** All cases; made anew at each call, keys are shared. */
export function certificateCases(): readonly CertificateCase[] {
  const rsa = root()
  const ed25519 = root({ name: 'Ed25519 root', key: edKey('root') })
  return [
    ...plainCases('RSA', rsa),
    ...plainCases('Ed25519', ed25519),
    ...impostorCases(rsa),
    ...chainCases(rsa),
    ...oddCases(rsa),
    ...usageCases(rsa),
  ]
}
