/** The certificates that the other end of a TLS connection has shown, as our own verifier takes them. */
import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls'
import { Certificate } from '../../execution-env/certificates/index.ts'

/** No more are looked at. */
const MAX_SHOWN = 8

/**
 * The other end's own certificate, then those above it.
 * @param shown with details, as Node has it: the root names itself as its issuer
 * @throws CertificateError
 */
export function certificatesOf(shown: PeerCertificate): Certificate[] {
  const found: Certificate[] = []
  let each: Partial<DetailedPeerCertificate> | undefined = shown
  while (each?.raw !== undefined && found.length < MAX_SHOWN) {
    found.push(new Certificate(each.raw))
    const above: DetailedPeerCertificate | undefined = each.issuerCertificate
    each = above === each ? undefined : above
  }
  return found
}
