/**
 * Extensions of a certificate (RFC 5280 section 4.2): reading those that decide something, writing those that we
 * issue. The one idea: an extension is known and read strictly, or unknown and then must not be critical.
 */
import {
  childrenOf,
  contentOf,
  context,
  type Element,
  element,
  Fields,
  malformed,
  readDer,
  TAG,
  writeDer,
} from './der.ts'
import {
  bitString,
  integer,
  objectIdentifier,
  octetString,
  readBoolean,
  readInteger,
  readNamedBits,
  readObjectIdentifier,
  sequence,
  text,
  yes,
} from './der-values.ts'
import { formatGrant, type Grant, parseGrant } from './grant.ts'
import { GRANT_EXTENSION, OID } from './object-identifiers.ts'

/** Named bits of the key usage, in the order of their bits. */
const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const

export type KeyUsage = (typeof KEY_USAGES)[number]

/** What a certificate's extensions say. */
export interface Extensions {
  /** Whether it may issue certificates (basicConstraints). */
  readonly isAuthority: boolean
  /** Authorities that may stand below it before the end of the chain; undefined: any number. */
  readonly pathLength?: number
  /** Absent: not restricted. */
  readonly keyUsages?: ReadonlySet<KeyUsage>
  /** Object identifiers; absent: not restricted. */
  readonly purposes?: readonly string[]
  /** Hexadecimal. */
  readonly subjectKeyId?: string
  readonly authorityKeyId?: string
  readonly grant?: Grant
  /** Object identifiers of critical extensions that are not understood here. */
  readonly unknownCritical: readonly string[]
}

/** One extension as it stands in a certificate or list. */
export interface RawExtension {
  readonly name: string
  readonly critical: boolean
  readonly value: Uint8Array
}

const MAX_EXTENSIONS = 32
const MAX_VALUE_BYTES = 24_576

/** The extensions of a SEQUENCE OF Extension. @throws CertificateError `malformed` for one given twice */
export function readExtensionList(list: Element): readonly RawExtension[] {
  const parts = childrenOf(list)
  if (parts.length === 0 || parts.length > MAX_EXTENSIONS) throw malformed(`${parts.length} extensions`)
  const extensions = parts.map((each): RawExtension => {
    const fields = new Fields(each, TAG.sequence, 'extension')
    const name = readObjectIdentifier(fields.take(TAG.objectIdentifier, 'name'))
    const flag = fields.optional(TAG.boolean)
    if (flag !== undefined && !readBoolean(flag)) throw malformed('a default written out')
    const value = contentOf(fields.take(TAG.octetString, 'value'))
    fields.end()
    return { name, critical: flag !== undefined, value }
  })
  const names = extensions.map((each) => each.name)
  if (new Set(names).size < names.length) throw malformed('an extension given twice')
  return extensions
}

type Found = { -readonly [Key in keyof Extensions]?: Extensions[Key] }

const READERS: Readonly<Record<string, (value: Element, found: Found) => void>> = {
  [OID.basicConstraints](value, found) {
    const fields = new Fields(value, TAG.sequence, 'basicConstraints')
    const flag = fields.optional(TAG.boolean)
    const length = fields.optional(TAG.integer)
    fields.end()
    found.isAuthority = flag !== undefined && readBoolean(flag)
    if (length === undefined) return
    if (!found.isAuthority) throw malformed('a path length without the right to issue')
    found.pathLength = readInteger(length)
  },
  [OID.keyUsage](value, found) {
    const bits = readNamedBits(value)
    found.keyUsages = new Set(KEY_USAGES.filter((_, bit) => bits[bit] === true))
  },
  [OID.extendedKeyUsage](value, found) {
    const fields = new Fields(value, TAG.sequence, 'extendedKeyUsage')
    const purposes: string[] = []
    while (!fields.done) purposes.push(readObjectIdentifier(fields.take(TAG.objectIdentifier, 'purpose')))
    found.purposes = purposes
  },
  [OID.subjectKeyIdentifier](value, found) {
    found.subjectKeyId = Buffer.from(contentOf(value)).toString('hex')
  },
  [OID.authorityKeyIdentifier](value, found) {
    const id = readKeyReference(value)
    if (id !== undefined) found.authorityKeyId = id
  },
  [OID.subjectAlternativeName]() {
    // Names for TLS, which checks them itself; known here so that it may be critical.
  },
  [GRANT_EXTENSION](value, found) {
    const fields = new Fields(sequence(value), TAG.sequence, 'grant')
    found.grant = parseGrant(contentOf(fields.take(TAG.utf8String, 'text')))
  },
}

/** The key identifier of an AuthorityKeyIdentifier; undefined where it names the issuer otherwise. */
export function readKeyReference(value: Element): string | undefined {
  const fields = new Fields(value, TAG.sequence, 'authorityKeyIdentifier')
  const id = fields.optional(context(0, false))
  return id === undefined ? undefined : Buffer.from(contentOf(id)).toString('hex')
}

/** What the extensions say; `list` undefined for none. @throws CertificateError `malformed` */
export function readExtensions(list: Element | undefined): Extensions {
  const found: Found = {}
  const unknownCritical: string[] = []
  for (const { name, critical, value } of list === undefined ? [] : readExtensionList(list)) {
    const reader = READERS[name]
    if (reader !== undefined) reader(readDer(value, MAX_VALUE_BYTES), found)
    else if (critical) unknownCritical.push(name)
  }
  return { isAuthority: false, ...found, unknownCritical }
}

/** The extensions that we issue. */
export interface IssuedExtensions {
  readonly isAuthority: boolean
  readonly pathLength?: number
  readonly keyUsages: readonly KeyUsage[]
  readonly purposes: readonly string[]
  readonly subjectKeyId: string
  readonly authorityKeyId: string
  /** DNS names for TLS. */
  readonly dnsNames: readonly string[]
  readonly grant?: Grant
}

/** One Extension. */
export function writeExtension(name: string, critical: boolean, value: Element): Element {
  const flag = critical ? [yes()] : []
  return sequence(objectIdentifier(name), ...flag, octetString(writeDer(value)))
}

/** AuthorityKeyIdentifier with a key identifier alone. */
export function writeKeyReference(keyId: string): Element {
  return sequence(element(context(0, false), Uint8Array.from(Buffer.from(keyId, 'hex'))))
}

/** SEQUENCE OF Extension in a fixed order. */
export function writeExtensions(issued: IssuedExtensions): Element {
  const { isAuthority, pathLength, purposes, dnsNames, grant } = issued
  const length = pathLength === undefined ? [] : [integer(pathLength)]
  const list = [
    writeExtension(OID.basicConstraints, true, isAuthority ? sequence(yes(), ...length) : sequence()),
    writeExtension(OID.keyUsage, true, writeKeyUsages(issued.keyUsages)),
    writeExtension(
      OID.subjectKeyIdentifier,
      false,
      octetString(Uint8Array.from(Buffer.from(issued.subjectKeyId, 'hex'))),
    ),
    writeExtension(OID.authorityKeyIdentifier, false, writeKeyReference(issued.authorityKeyId)),
  ]
  if (purposes.length > 0)
    list.push(writeExtension(OID.extendedKeyUsage, false, sequence(...purposes.map(objectIdentifier))))
  if (dnsNames.length > 0) {
    const names = dnsNames.map((name) => text(context(2, false), name))
    list.push(writeExtension(OID.subjectAlternativeName, false, sequence(...names)))
  }
  if (grant !== undefined)
    list.push(writeExtension(GRANT_EXTENSION, false, text(TAG.utf8String, formatGrant(grant))))
  return sequence(...list)
}

/** Named bits, cut off after the last one that is set (X.690 section 11.2.2). */
function writeKeyUsages(usages: readonly KeyUsage[]): Element {
  const bits = usages.map((usage) => KEY_USAGES.indexOf(usage))
  const last = Math.max(...bits)
  const bytes = new Uint8Array((last >> 3) + 1)
  for (const bit of bits) bytes[bit >> 3]! |= 0x80 >> (bit & 7)
  return bitString(bytes, 7 - (last & 7))
}
