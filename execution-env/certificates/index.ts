/** The door of the certificates: an offline authority, trust, verification, signatures and protocol identities. */
export type { AuthorityRequest, Credential, IssueRequest } from './authority.ts'
export { createRoot, issueAuthority, issueCertificate } from './authority.ts'
export type { DirectoryIssueRequest, DirectoryRequest, Issued } from './authority-directory.ts'
export { AuthorityDirectory } from './authority-directory.ts'
export type { IssuedRecord } from './authority-index.ts'
export { Certificate, readCertificates } from './certificate.ts'
export { loadCredential } from './credential-file.ts'
export type { CertificateErrorCode } from './errors.ts'
export { CertificateError } from './errors.ts'
export type { Grant, Role } from './grant.ts'
export { describeGrant, excessOfGrant, formatGrant, parseGrant } from './grant.ts'
export { SIGNATURE_BYTES, signMessage, verifyMessage } from './identity.ts'
export type { KeyObject, KeyRequest } from './keys.ts'
export { createKey, deriveSeed, readPrivateKey, writePrivateKey } from './keys.ts'
export type { Usage } from './object-identifiers.ts'
export { USAGES } from './object-identifiers.ts'
export type { Revocation, RevocationListRequest, RevocationReason } from './revocation-list.ts'
export {
  REVOCATION_REASONS,
  RevocationList,
  readRevocationLists,
  writeRevocationList,
} from './revocation-list.ts'
export type { SignedData } from './signed-data.ts'
export { checkSignedData, MAX_SIGNATURE_BYTES, signDetached } from './signed-data.ts'
export { readSignedData } from './signed-data-reader.ts'
export { loadPublished, loadTrustStore, TrustStore } from './trust-store.ts'
export type { CertificateWarning, VerifiedCertificate, VerifyRequest } from './verifier.ts'
export { verifyCertificate } from './verifier.ts'
