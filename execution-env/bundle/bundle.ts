/**
 * A bundle, `NAME-VERSION.pronto`: a built plugin in one file. The one idea: a canonical ustar of exactly pronto.json,
 * plugin.js, plugin.js.map and, once signed, signature.p7s; same sources, same bytes; whatever is not byte for byte
 * what we would have written is no bundle.
 *
 * Signed are the bytes of the archive before the header of signature.p7s (the `payload`); docs/bundle.md shows how
 * to check that by hand with tar and openssl.
 */
import { createHash } from 'node:crypto'
import {
  ContractError,
  formatManifest,
  MANIFEST_LIMITS,
  type Manifest,
  parseManifest,
} from '../contract/index.ts'
import { BundleError } from './errors.ts'
import { type ExpectedEntry, type FoundEntry, readArchive, writeArchive, writeEntries } from './ustar.ts'

/** What a bundle is made of. */
export interface BundleSource {
  readonly manifest: Manifest
  /** The whole plugin as one script. */
  readonly code: string
  /** Source map version 3 of `code`, as JSON. Read by nothing but error messages and tools. */
  readonly sourceMap: string
}

/** A bundle that was read; well-formed, and not believed yet (verify.ts). */
export interface Bundle extends BundleSource {
  /** The bytes that a signature covers. */
  readonly payload: Uint8Array
  /** SHA-256 of the payload, hexadecimal: the same for the same sources, whoever signed. */
  readonly digest: string
  /** Content of signature.p7s; absent while unsigned. */
  readonly signature?: Uint8Array
}

const MANIFEST = 'pronto.json'
const CODE = 'plugin.js'
const SOURCE_MAP = 'plugin.js.map'
const SIGNATURE = 'signature.p7s'

const ENTRIES: readonly ExpectedEntry[] = [
  { name: MANIFEST, maxBytes: MANIFEST_LIMITS.maxBytes, optional: false },
  { name: CODE, maxBytes: 2_097_152, optional: false },
  { name: SOURCE_MAP, maxBytes: 8_388_608, optional: false },
  { name: SIGNATURE, maxBytes: 65_536, optional: true },
]

/** No bundle is longer. */
export const MAX_BUNDLE_BYTES = ENTRIES.reduce((sum, each) => sum + each.maxBytes + 1_024, 1_024)

/** The file name of a bundle. */
export function bundleFileName(manifest: Manifest): string {
  return `${manifest.name}-${manifest.version}.pronto`
}

/**
 * The unsigned bundle of a built plugin.
 * @throws BundleError `limit` when a part is too large, `encoding` for text that is not well-formed
 */
export function buildBundle(source: BundleSource): Uint8Array {
  const parts = [
    { name: MANIFEST, text: formatManifest(source.manifest) },
    { name: CODE, text: source.code },
    { name: SOURCE_MAP, text: source.sourceMap },
  ]
  const entries = parts.map(({ name, text }) => {
    if (!text.isWellFormed()) throw new BundleError('encoding', 'holds half of a surrogate pair', name)
    const content = new TextEncoder().encode(text)
    const { maxBytes } = ENTRIES.find((each) => each.name === name)!
    if (content.length > maxBytes)
      throw new BundleError('limit', `${content.length} bytes, expected at most ${maxBytes}`, name)
    return { name, content }
  })
  return writeArchive(entries)
}

/**
 * The bundle in a file's bytes. Nothing that it returns shares memory with `bytes`.
 * @param bytes attacker-controlled
 * @throws BundleError
 */
export function readBundle(bytes: Uint8Array): Bundle {
  if (bytes.length > MAX_BUNDLE_BYTES)
    throw new BundleError('limit', `${bytes.length} bytes, expected at most ${MAX_BUNDLE_BYTES}`, 'bundle')
  const own = Uint8Array.from(bytes)
  const found = new Map(readArchive(own, ENTRIES).map((each) => [each.name, each]))
  const signature = found.get(SIGNATURE)
  const payload = own.subarray(0, signature?.offset ?? own.length - 1_024)
  return {
    manifest: readManifest(found.get(MANIFEST)!),
    code: readText(found.get(CODE)!),
    sourceMap: readText(found.get(SOURCE_MAP)!),
    payload,
    digest: createHash('sha256').update(payload).digest('hex'),
    ...(signature === undefined ? {} : { signature: signature.content }),
  }
}

/** The bundle of a payload with a signature made elsewhere. It may be any bytes; `readBundle` does not judge them. */
export function attachSignature(bundle: Bundle, signature: Uint8Array): Uint8Array {
  const end = new Uint8Array(1_024)
  return Buffer.concat([bundle.payload, writeEntries([{ name: SIGNATURE, content: signature }]), end])
}

function readManifest(entry: FoundEntry): Manifest {
  let manifest: Manifest
  try {
    manifest = parseManifest(entry.content)
  } catch (error) {
    if (error instanceof ContractError)
      throw new BundleError('manifest', error.message, entry.name, { cause: error })
    throw error
  }
  if (formatManifest(manifest) !== readText(entry))
    throw new BundleError('not-canonical', 'not the one text of this manifest', entry.name)
  return manifest
}

function readText(entry: FoundEntry): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(entry.content)
  } catch {
    throw new BundleError('encoding', 'not UTF-8 text', entry.name)
  }
}
