/**
 * An authority kept in a folder: `ca.crt`, `ca.key`, `serial`, `index.json`, `crl.pem`, and `N.crt`, `N.key` for every
 * certificate it issued. The one idea: offline and unhurried; nothing is ever overwritten but index, serial and list,
 * and a crash between two writes leaves a folder that goes on working.
 *
 * Private keys are unencrypted PEM of mode 0600: the folder belongs on a machine that is not a router.
 */
import { type Credential, chainBelow, createRoot, issueAuthority, issueCertificate } from './authority.ts'
import { AuthorityFolder, PUBLIC, SECRET } from './authority-folder.ts'
import { type AuthorityIndex, formatIndex, type IssuedRecord, parseIndex } from './authority-index.ts'
import type { Certificate } from './certificate.ts'
import { loadCredential, pemOf } from './credential-file.ts'
import { CertificateError } from './errors.ts'
import type { Grant } from './grant.ts'
import { createKey, type KeyObject, type KeyRequest, writePrivateKey } from './keys.ts'
import type { Usage } from './object-identifiers.ts'
import { type RevocationList, type RevocationReason, writeRevocationList } from './revocation-list.ts'

/** A new authority. Times are calendar time in milliseconds. */
export interface DirectoryRequest {
  /** Common name. */
  readonly name: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** Default: RSA of 3072 bits. */
  readonly key?: KeyRequest
  readonly grant?: Grant
  readonly pathLength?: number
}

/** A new certificate with a new key. */
export interface DirectoryIssueRequest {
  /** Common name, and name of its files: letters, digits, `.`, `_`, `-`. */
  readonly name: string
  readonly type: Usage | 'authority'
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly grant?: Grant
  /** Default: RSA of 3072 bits for signers and authorities, Ed25519 for all others. */
  readonly key?: KeyRequest
  /** Of an authority; default 0. */
  readonly pathLength?: number
}

/** What was issued and where it was written. */
export interface Issued {
  readonly credential: Credential
  readonly certificateFile: string
  readonly keyFile: string
}

const RSA: KeyRequest = { algorithm: 'rsa', bits: 3072 }
const ED25519: KeyRequest = { algorithm: 'ed25519' }
const DAY_MS = 86_400_000
/** How long a revocation list may be relied on. */
const LIST_DAYS = 30
const ROOT_SERIAL = '01'
const FIRST_SERIAL = 2
const MAX_SERIAL = 0x7fff_ffff
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
/** Names whose files would be the authority's own. */
const RESERVED: ReadonlySet<string> = new Set(['ca', 'crl'])

/** Even hexadecimal digits. */
function serialText(digits: string): string {
  return digits.length % 2 === 0 ? digits.toLowerCase() : `0${digits.toLowerCase()}`
}

/** A folder with an authority in it. A second process at the same time is refused (`busy`). */
export class AuthorityDirectory {
  readonly path: string
  readonly #folder: AuthorityFolder
  readonly #credential: Credential

  private constructor(folder: AuthorityFolder, credential: Credential) {
    this.path = folder.path
    this.#folder = folder
    this.#credential = credential
  }

  get certificate(): Certificate {
    return this.#credential.certificate
  }

  /**
   * A new root in a folder, made if need be, with an empty revocation list.
   * @throws CertificateError `exists` when there is an authority, or the beginning of one
   */
  static create(path: string, request: DirectoryRequest): AuthorityDirectory {
    const { key, ...rest } = request
    const root = createRoot({ ...rest, key: createKey(key ?? RSA), serial: ROOT_SERIAL })
    return AuthorityDirectory.adopt(path, root, request.notBeforeMs)
  }

  /** A folder for an authority that exists already, such as one issued by another. @throws as `create` does */
  static adopt(path: string, credential: Credential, atMs: number): AuthorityDirectory {
    const folder = new AuthorityFolder(path)
    const directory = new AuthorityDirectory(folder, credential)
    folder.make()
    folder.locked(() => {
      folder.refuseExisting('ca.crt')
      folder.create('ca.key', writePrivateKey(credential.key), SECRET)
      folder.create('serial', `${serialText(FIRST_SERIAL.toString(16))}\n`, PUBLIC)
      folder.create('index.json', formatIndex({ version: 1, listNumber: 0, certificates: [] }), PUBLIC)
      directory.#publish(directory.#readIndex(), atMs, LIST_DAYS)
      // The last one: only with it the folder is an authority.
      folder.create('ca.crt', pemOf(credential), PUBLIC)
    })
    return directory
  }

  /** The authority of a folder. @throws CertificateError `unreadable`, `malformed` */
  static open(path: string): AuthorityDirectory {
    const folder = new AuthorityFolder(path)
    return new AuthorityDirectory(folder, loadCredential(folder.file('ca.crt'), folder.file('ca.key')))
  }

  /**
   * Issues a certificate with a new key, in two new files.
   * @throws CertificateError `exists`, `invalid`, `beyond-grant`, `path-length`, `unsupported`, `busy`
   */
  issue(request: DirectoryIssueRequest): Issued {
    const { name, type } = request
    if (!FILE_NAME.test(name) || RESERVED.has(name.toLowerCase()))
      throw new CertificateError(
        'invalid',
        'expected letters, digits, ".", "_", "-", neither ca nor crl',
        name,
      )
    return this.#folder.locked(() => {
      this.#folder.refuseExisting(`${name}.crt`)
      this.#folder.refuseExisting(`${name}.key`)
      const index = this.#readIndex()
      const key = createKey(request.key ?? (type === 'signer' || type === 'authority' ? RSA : ED25519))
      const credential = this.#sign(request, key, this.#takeSerial())
      const { serial, notAfterMs, fingerprint } = credential.certificate
      const record: IssuedRecord = { serial, name, type, notAfterMs, fingerprint }
      this.#folder.replace(
        'index.json',
        formatIndex({ ...index, certificates: [...index.certificates, record] }),
      )
      this.#folder.create(`${name}.key`, writePrivateKey(key), SECRET)
      this.#folder.create(`${name}.crt`, pemOf(credential), PUBLIC)
      const [certificateFile, keyFile] = [this.#folder.file(`${name}.crt`), this.#folder.file(`${name}.key`)]
      return { credential, certificateFile, keyFile }
    })
  }

  /** All certificates issued here, in order. */
  list(): readonly IssuedRecord[] {
    return this.#readIndex().certificates
  }

  /**
   * Takes a certificate back and publishes the list. A second time it only publishes.
   * @param serial hexadecimal
   * @throws CertificateError `unknown`
   */
  revoke(serial: string, reason: RevocationReason, atMs: number, listDays = LIST_DAYS): RevocationList {
    return this.#folder.locked(() => {
      const index = this.#readIndex()
      const found = index.certificates.find((each) => each.serial === serialText(serial))
      if (found === undefined)
        throw new CertificateError('unknown', 'no certificate of this serial number was issued here', serial)
      const revoked: IssuedRecord = { ...found, revoked: found.revoked ?? { atMs, reason } }
      const certificates = index.certificates.map((each) => (each === found ? revoked : each))
      return this.#publish({ ...index, certificates }, atMs, listDays)
    })
  }

  /** Publishes the list of all that was taken back; it is due for renewal after `listDays`. */
  publishList(atMs: number, listDays = LIST_DAYS): RevocationList {
    return this.#folder.locked(() => this.#publish(this.#readIndex(), atMs, listDays))
  }

  #sign(request: DirectoryIssueRequest, key: KeyObject, serial: string): Credential {
    const { type, pathLength, ...common } = request
    if (type === 'authority')
      return issueAuthority(this.#credential, { ...common, key, serial, pathLength: pathLength ?? 0 })
    const certificate = issueCertificate(this.#credential, { ...common, type, key, serial })
    return { certificate, key, chain: chainBelow(this.#credential) }
  }

  #publish(index: AuthorityIndex, atMs: number, listDays: number): RevocationList {
    const revoked = index.certificates.flatMap((each) =>
      each.revoked === undefined ? [] : [[each.serial, each.revoked] as const],
    )
    const number = index.listNumber + 1
    const list = writeRevocationList(this.#credential, {
      number,
      thisUpdateMs: atMs,
      nextUpdateMs: atMs + listDays * DAY_MS,
      revoked: new Map(revoked),
    })
    // The index first: should the list be lost, the next one tells all, under a number of its own.
    this.#folder.replace('index.json', formatIndex({ ...index, listNumber: number }))
    this.#folder.replace('crl.pem', list.toPem())
    return list
  }

  #takeSerial(): string {
    const serial = this.#folder.read('serial', (text) => {
      const number = /^[0-9a-f]{2,8}\n?$/.test(text) ? Number.parseInt(text, 16) : 0
      if (number >= FIRST_SERIAL && number < MAX_SERIAL) return number
      throw new CertificateError('malformed', 'expected the next serial number in hexadecimal')
    })
    // Taken before it is used: a crash skips a number, no number is used twice.
    this.#folder.replace('serial', `${serialText((serial + 1).toString(16))}\n`)
    return serialText(serial.toString(16))
  }

  #readIndex(): AuthorityIndex {
    return this.#folder.read('index.json', parseIndex)
  }
}
