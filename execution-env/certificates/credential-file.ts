/**
 * A credential in two files: the certificate, followed by the authorities above it, and its private key.
 */
import { readFileSync } from 'node:fs'
import type { Credential } from './authority.ts'
import { readCertificates } from './certificate.ts'
import { CertificateError } from './errors.ts'
import { atFile } from './file-access.ts'
import { isKeyPair, readPrivateKey } from './keys.ts'

/** The certificate's file: PEM, the certificate first, the root left out. */
export function pemOf(credential: Credential): string {
  return [credential.certificate, ...credential.chain].map((each) => each.toPem()).join('')
}

/**
 * The credential of two files.
 * @throws CertificateError `unreadable`, `malformed`, also when the two do not belong together
 */
export function loadCredential(certificateFile: string, keyFile: string): Credential {
  const read = (file: string) => readFileSync(file, 'utf8')
  const [certificate, ...chain] = atFile(certificateFile, () => readCertificates(read(certificateFile)))
  const key = atFile(keyFile, () => readPrivateKey(read(keyFile)))
  if (!isKeyPair(key, certificate!.publicKey))
    throw new CertificateError('malformed', `not the key of ${certificate!.subject}`, keyFile)
  return { certificate: certificate!, key, chain }
}
