/**
 * PEM (RFC 7468): DER between two lines of text. The one idea: a file may hold several blocks and words between
 * them; only blocks of the labels asked for are taken, in their order.
 */
import { CertificateError } from './errors.ts'

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n([A-Za-z0-9+/=\s]*?)-----END \1-----/g

/** One block. */
export interface PemBlock {
  readonly label: string
  readonly der: Uint8Array
}

/** At most this many blocks in a file. */
const MAX_BLOCKS = 1_000

/** The blocks of a text, attacker-controlled but of bounded size. @throws CertificateError `malformed` or `limit` */
export function readPem(source: string): readonly PemBlock[] {
  const blocks: PemBlock[] = []
  for (const [, label, body] of source.matchAll(BLOCK)) {
    if (blocks.length === MAX_BLOCKS)
      throw new CertificateError('limit', `more than ${MAX_BLOCKS} PEM blocks`)
    const base64 = body!.replace(/\s+/g, '')
    const der = Buffer.from(base64, 'base64')
    if (der.toString('base64') !== base64)
      throw new CertificateError('malformed', 'a PEM block is not base64')
    blocks.push({ label: label!, der: Uint8Array.from(der) })
  }
  return blocks
}

/** One block with a line feed at its end. */
export function writePem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
