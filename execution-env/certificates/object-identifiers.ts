/**
 * Object identifiers: the names of algorithms, extensions and purposes. This project's own stand below the
 * enterprise number reserved for documentation, 32473 (RFC 5612).
 */

/** Below it: 1 the grant extension, 2.N the purposes. */
const OWN = '1.3.6.1.4.1.32473.1'

/** Extension: what the certificate's holder may do (grant.ts). Never critical: openssl refuses critical unknowns. */
export const GRANT_EXTENSION = `${OWN}.1`

export const OID = {
  rsaEncryption: '1.2.840.113549.1.1.1',
  rsaSha256: '1.2.840.113549.1.1.11',
  rsaSha384: '1.2.840.113549.1.1.12',
  rsaSha512: '1.2.840.113549.1.1.13',
  ed25519: '1.3.101.112',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  listNumber: '2.5.29.20',
  reasonCode: '2.5.29.21',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
} as const

/** Purposes for the extended key usage. */
export const PURPOSE = {
  any: '2.5.29.37.0',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
  clientAuthentication: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  signer: `${OWN}.2.1`,
  router: `${OWN}.2.2`,
  host: `${OWN}.2.3`,
  operator: `${OWN}.2.4`,
} as const

/** What a certificate at the end of a chain is for. */
export type Usage = 'signer' | 'router' | 'host' | 'operator'

export const USAGES: readonly Usage[] = ['signer', 'router', 'host', 'operator']

/** The purposes that a certificate of each usage is issued with; the first is the one that is asked for. */
export const PURPOSES_OF: Readonly<Record<Usage, readonly string[]>> = {
  signer: [PURPOSE.codeSigning, PURPOSE.signer],
  router: [PURPOSE.router, PURPOSE.serverAuthentication, PURPOSE.clientAuthentication],
  host: [PURPOSE.host],
  operator: [PURPOSE.operator, PURPOSE.clientAuthentication],
}
