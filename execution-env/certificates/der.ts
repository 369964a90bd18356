/**
 * DER (X.690): the encoding of certificates, lists and signatures. The one idea: node-forge's ASN.1 reader is taken
 * at its word only if writing the tree again gives the same bytes, so that every accepted text has one reading and
 * a part's bytes can be taken from the tree. `Fields` walks a sequence in order and refuses what it did not expect.
 *
 * Input is attacker-controlled: bounded in size and depth, every failure is a CertificateError `malformed`.
 */
import forge from 'node-forge'
import { CertificateError } from './errors.ts'

const { asn1 } = forge

/** One element of a tree. */
export type Element = forge.asn1.Asn1

/** The byte that begins an element: class, constructed bit and number. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** Tag of a context-specific element, e.g. `[0]` constructed. */
export const context = (number: number, constructed: boolean): number => (constructed ? 0xa0 : 0x80) | number

const MAX_DEPTH = 24
const CLASS_MASK = 0xc0
const CONSTRUCTED = 0x20
const NUMBER_MASK = 0x1f

/** forge's reader with its options, which its types leave out. */
const fromDer = asn1.fromDer as unknown as (
  bytes: string,
  options: { strict: boolean; parseAllBytes: boolean; decodeBitStrings: boolean; maxDepth: number },
) => Element

/** Bytes as forge has them: a text of one character per byte. */
export const toBinary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
export const fromBinary = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'))

export function malformed(reason: string): CertificateError {
  return new CertificateError('malformed', reason)
}

/** The tree of `bytes`. @throws CertificateError `malformed` unless they are DER, and `limit` beyond `maxBytes` */
export function readDer(bytes: Uint8Array, maxBytes: number): Element {
  if (bytes.length > maxBytes)
    throw new CertificateError('limit', `${bytes.length} bytes, expected at most ${maxBytes}`)
  const text = toBinary(bytes)
  let element: Element
  let again: string
  try {
    element = fromDer(text, {
      strict: true,
      parseAllBytes: true,
      decodeBitStrings: false,
      maxDepth: MAX_DEPTH,
    })
    again = asn1.toDer(element).getBytes()
  } catch {
    throw malformed('not DER')
  }
  if (again !== text) throw malformed('not DER: another encoding of the same values exists')
  return element
}

/** The bytes of an element with its tag and length. */
export function writeDer(element: Element): Uint8Array {
  return fromBinary(asn1.toDer(element).getBytes())
}

export function tagOf(element: Element): number {
  return element.tagClass | (element.constructed ? CONSTRUCTED : 0) | element.type
}

/** An element of a tag with content: bytes, or elements for a constructed one. */
export function element(tag: number, content: Uint8Array | readonly Element[]): Element {
  const constructed = (tag & CONSTRUCTED) !== 0
  const value = content instanceof Uint8Array ? toBinary(content) : [...content]
  return asn1.create(tag & CLASS_MASK, tag & NUMBER_MASK, constructed, value)
}

/** The children of a constructed element. */
export function childrenOf(parent: Element): readonly Element[] {
  return typeof parent.value === 'string' ? [] : parent.value
}

/** The content of a primitive element. */
export function contentOf(part: Element): Uint8Array {
  if (typeof part.value !== 'string') throw malformed('a primitive value was expected')
  return fromBinary(part.value)
}

/** A constructed element taken apart from the front. */
export class Fields {
  readonly #parts: readonly Element[]
  readonly #what: string
  #next = 0

  /** @param what name of the whole, for messages */
  constructor(parent: Element, tag: number, what: string) {
    if (tagOf(parent) !== tag) throw malformed(`${what}: not of the expected type`)
    this.#parts = childrenOf(parent)
    this.#what = what
  }

  get done(): boolean {
    return this.#next >= this.#parts.length
  }

  /** The next part, whatever it is. */
  any(name: string): Element {
    const part = this.#parts[this.#next++]
    if (part === undefined) throw malformed(`${this.#what}: ${name} is missing`)
    return part
  }

  /** The next part, which must have this tag. */
  take(tag: number, name: string): Element {
    const part = this.any(name)
    if (tagOf(part) !== tag) throw malformed(`${this.#what}: ${name} is not of the expected type`)
    return part
  }

  /** The next part, which must be constructed and have this tag, to be taken apart itself. */
  enter(tag: number, name: string): Fields {
    return new Fields(this.take(tag, name), tag, `${this.#what}: ${name}`)
  }

  /** The next part if it has this tag. */
  optional(tag: number): Element | undefined {
    const part = this.#parts[this.#next]
    if (part === undefined || tagOf(part) !== tag) return undefined
    this.#next++
    return part
  }

  /** Nothing may follow. */
  end(): void {
    if (!this.done) throw malformed(`${this.#what}: something unexpected follows`)
  }
}
