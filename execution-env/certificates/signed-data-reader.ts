/**
 * Reading a detached signature (signed-data.ts): from attacker-controlled bytes to its parts. The one idea: exactly
 * one signer, named by issuer and serial number, and no part that is not read: nothing can be added unnoticed.
 */
import { Certificate } from './certificate.ts'
import {
  childrenOf,
  contentOf,
  context,
  type Element,
  Fields,
  malformed,
  readDer,
  TAG,
  writeDer,
} from './der.ts'
import { readInteger, readObjectIdentifier, readSerial, readTime, setOf } from './der-values.ts'
import { CertificateError } from './errors.ts'
import { OID } from './object-identifiers.ts'
import { cmsAlgorithm, readAlgorithm } from './signature.ts'
import { MAX_SIGNATURE_BYTES, type SignedData, VERSION_1 } from './signed-data.ts'

const MAX_CERTIFICATES = 8
const MAX_ATTRIBUTES = 16

/**
 * The parts of a detached signature, attacker-controlled.
 * @throws CertificateError `malformed`, `unsupported`, `limit`
 */
export function readSignedData(der: Uint8Array): SignedData {
  const outer = new Fields(readDer(der, MAX_SIGNATURE_BYTES), TAG.sequence, 'signature')
  if (readObjectIdentifier(outer.take(TAG.objectIdentifier, 'type')) !== OID.signedData)
    throw malformed('not CMS SignedData')
  const wrapper = outer.enter(context(0, true), 'content')
  outer.end()
  const fields = wrapper.enter(TAG.sequence, 'signed data')
  wrapper.end()

  if (readInteger(fields.take(TAG.integer, 'version')) !== VERSION_1) throw malformed('not of version 1')
  const digestAlgorithms = childrenOf(fields.take(TAG.set, 'digest algorithms')).map(readAlgorithm)
  const content = fields.enter(TAG.sequence, 'content')
  if (readObjectIdentifier(content.take(TAG.objectIdentifier, 'type')) !== OID.data)
    throw malformed('a signature over something else than data')
  content.end()
  const certificates = readCertificateSet(fields.optional(context(0, true)))
  const signers = childrenOf(fields.take(TAG.set, 'signers'))
  fields.end()

  if (signers.length !== 1) throw malformed(`${signers.length} signers, expected one`)
  const signer = readSigner(signers[0]!)
  if (digestAlgorithms.length !== 1 || digestAlgorithms[0] !== signer.digestName)
    throw malformed('digest algorithms that differ')
  return { ...signer, certificates: signerFirst(certificates, signer) }
}

function readCertificateSet(set: Element | undefined): readonly Certificate[] {
  const parts = set === undefined ? [] : childrenOf(set)
  if (parts.length === 0) throw malformed('without the certificate of its signer')
  if (parts.length > MAX_CERTIFICATES) throw new CertificateError('limit', `${parts.length} certificates`)
  return parts.map((each) => new Certificate(writeDer(each)))
}

interface Signer extends Omit<SignedData, 'certificates'> {
  readonly issuerDer: string
  readonly serial: string
}

function readSigner(signer: Element): Signer {
  const fields = new Fields(signer, TAG.sequence, 'signer')
  if (readInteger(fields.take(TAG.integer, 'version')) !== VERSION_1)
    throw malformed('a signer that is not named by issuer and serial number')
  const name = fields.enter(TAG.sequence, 'name')
  const issuerDer = Buffer.from(writeDer(name.take(TAG.sequence, 'issuer'))).toString('hex')
  const serial = readSerial(name.take(TAG.integer, 'serial number'))
  name.end()
  const digestName = readAlgorithm(fields.take(TAG.sequence, 'digest algorithm'))
  const attributes = childrenOf(fields.take(context(0, true), 'signed attributes'))
  const named = readAlgorithm(fields.take(TAG.sequence, 'signature algorithm'))
  const signature = contentOf(fields.take(TAG.octetString, 'signature'))
  fields.end()
  const algorithm = cmsAlgorithm(named, digestName)
  const { digest, claimedMs } = readAttributes(attributes)
  return {
    issuerDer,
    serial,
    digest,
    digestName,
    claimedMs,
    attributes: writeDer(setOf(...attributes)),
    signature,
    algorithm,
  }
}

function readAttributes(attributes: readonly Element[]): {
  digest: Uint8Array
  claimedMs: number | undefined
} {
  if (attributes.length > MAX_ATTRIBUTES)
    throw new CertificateError('limit', `${attributes.length} attributes`)
  const values = new Map<string, Element>()
  for (const each of attributes) {
    const fields = new Fields(each, TAG.sequence, 'attribute')
    const name = readObjectIdentifier(fields.take(TAG.objectIdentifier, 'name'))
    const list = childrenOf(fields.take(TAG.set, 'values'))
    fields.end()
    if (values.has(name) || list.length !== 1) throw malformed('an attribute that is not given once')
    values.set(name, list[0]!)
  }
  const [type, digest, claimed] = [OID.contentType, OID.messageDigest, OID.signingTime].map((name) =>
    values.get(name),
  )
  if (type === undefined || digest === undefined) throw malformed('without content type or digest')
  if (readObjectIdentifier(type) !== OID.data) throw malformed('a signature over something else than data')
  return { digest: contentOf(digest), claimedMs: claimed === undefined ? undefined : readTime(claimed) }
}

function signerFirst(certificates: readonly Certificate[], signer: Signer): readonly Certificate[] {
  const isSigner = (each: Certificate) => each.issuerDer === signer.issuerDer && each.serial === signer.serial
  const own = certificates.filter(isSigner)
  if (own.length !== 1) throw malformed('without exactly one certificate of its signer')
  return [...own, ...certificates.filter((each) => !isSigner(each))]
}
