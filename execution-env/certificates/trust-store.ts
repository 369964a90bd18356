/**
 * What is trusted: roots, and the authorities and revocation lists that help to judge. The one idea: only a root is
 * believed for being here; authorities and lists are merely at hand, and count once a root's signature reaches them.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Certificate } from './certificate.ts'
import { CertificateError } from './errors.ts'
import { atFile } from './file-access.ts'
import { readPem } from './pem.ts'
import { RevocationList } from './revocation-list.ts'

const MAX_FILES = 1_000
const MAX_FILE_BYTES = 4_194_304
const MAX_ENTRIES = 2_000
const TRUST_FILE = /\.(?:crt|cer|pem|der|crl)$/

/** A set of roots, authorities and lists; immutable. */
export class TrustStore {
  readonly roots: readonly Certificate[]
  readonly authorities: readonly Certificate[]
  readonly lists: readonly RevocationList[]
  readonly #believed = new WeakMap<Certificate, readonly RevocationList[]>()

  /**
   * Certificates of authorities that signed themselves become roots, other authorities are kept at hand, and
   * certificates of anyone else are passed over.
   */
  constructor(certificates: readonly Certificate[], lists: readonly RevocationList[] = []) {
    if (certificates.length + lists.length > MAX_ENTRIES)
      throw new CertificateError('limit', `more than ${MAX_ENTRIES} certificates and lists`)
    const authorities = certificates.filter((each) => each.extensions.isAuthority)
    this.roots = authorities.filter((each) => each.isSelfIssued && each.isSignedBy(each))
    this.authorities = authorities.filter((each) => !this.roots.includes(each))
    this.lists = lists
  }

  /** Whether this very certificate is a root. */
  isRoot(certificate: Certificate): boolean {
    return this.roots.some((each) => each.fingerprint === certificate.fingerprint)
  }

  /** The lists that `authority` really issued and may issue, newest first. */
  listsOf(authority: Certificate): readonly RevocationList[] {
    const known = this.#believed.get(authority)
    if (known !== undefined) return known
    const usages = authority.extensions.keyUsages
    const mayIssue = usages === undefined || usages.has('cRLSign')
    const lists = this.lists
      .filter((list) => mayIssue && list.names(authority) && list.isSignedBy(authority))
      .sort((one, other) => other.thisUpdateMs - one.thisUpdateMs || other.number - one.number)
    this.#believed.set(authority, lists)
    return lists
  }

  /** The same store with further lists, e.g. newly fetched ones. */
  withLists(lists: readonly RevocationList[]): TrustStore {
    return new TrustStore([...this.roots, ...this.authorities], [...this.lists, ...lists])
  }
}

/**
 * The trust store of a folder or of one file, e.g. the folder of `pronto ca init`. In a folder all `*.crt`, `*.cer`,
 * `*.pem`, `*.der` and `*.crl` are read, each with any number of certificates and lists in PEM or one in DER; other
 * files and folders are left alone.
 * @throws CertificateError `unreadable`, `malformed`, `limit`, naming the file; `untrusted` without any root
 */
export function loadTrustStore(path: string): TrustStore {
  const certificates: Certificate[] = []
  const lists: RevocationList[] = []
  for (const file of filesOf(path))
    for (const item of readTrustFile(file))
      if (item instanceof Certificate) certificates.push(item)
      else lists.push(item)
  const store = new TrustStore(certificates, lists)
  if (store.roots.length === 0)
    throw new CertificateError('untrusted', 'no root: expected an authority that signed itself', path)
  return store
}

/**
 * The certificates that are published in a trust folder, in its folder `certificates`: each file `*.crt` is one chain,
 * the certificate first. Being there proves nothing. Empty where there is no such folder.
 * @throws CertificateError `unreadable`, `malformed`, `limit`, naming the file
 */
export function loadPublished(path: string): readonly (readonly Certificate[])[] {
  const folder = join(path, 'certificates')
  if (!existsSync(folder)) return []
  return filesOf(folder)
    .filter((file) => file.endsWith('.crt'))
    .map((file) => readTrustFile(file).filter((each) => each instanceof Certificate))
}

function filesOf(path: string): readonly string[] {
  return atFile(path, () => {
    if (!statSync(path).isDirectory()) return [path]
    const names = readdirSync(path, { withFileTypes: true })
      .filter((each) => !each.isDirectory() && !each.name.startsWith('.') && TRUST_FILE.test(each.name))
      .map((each) => each.name)
      .sort()
    if (names.length > MAX_FILES) throw new CertificateError('limit', `more than ${MAX_FILES} files`)
    return names.map((name) => join(path, name))
  })
}

function readTrustFile(file: string): readonly (Certificate | RevocationList)[] {
  return atFile(file, () => {
    if (statSync(file).size > MAX_FILE_BYTES)
      throw new CertificateError('limit', `longer than ${MAX_FILE_BYTES} bytes`)
    const bytes = readFileSync(file)
    const blocks = readPem(bytes.toString('latin1'))
    if (blocks.length === 0)
      return [file.endsWith('.crl') ? new RevocationList(bytes) : new Certificate(bytes)]
    return blocks.flatMap(({ label, der }): (Certificate | RevocationList)[] => {
      if (label === 'CERTIFICATE') return [new Certificate(der)]
      return label === 'X509 CRL' ? [new RevocationList(der)] : []
    })
  })
}
