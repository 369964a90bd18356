/**
 * Values in DER: identifiers, numbers, times, bits. The one idea: a writer and a reader beside each other for every
 * type that certificates use; a reader accepts only what the writer of a conforming program may have written.
 */
import forge from 'node-forge'
import { contentOf, type Element, element, fromBinary, malformed, TAG, tagOf, toBinary } from './der.ts'

const { asn1 } = forge

export const sequence = (...parts: readonly Element[]): Element => element(TAG.sequence, parts)
export const setOf = (...parts: readonly Element[]): Element => element(TAG.set, parts)
export const octetString = (bytes: Uint8Array): Element => element(TAG.octetString, bytes)
export const nothing = (): Element => element(TAG.null, new Uint8Array())
export const yes = (): Element => element(TAG.boolean, Uint8Array.of(0xff))
export const text = (tag: number, value: string): Element => element(tag, new TextEncoder().encode(value))

export function objectIdentifier(dotted: string): Element {
  return element(TAG.objectIdentifier, fromBinary(asn1.oidToDer(dotted).getBytes()))
}

/** A whole number, 0..2^31-1. */
export function integer(value: number): Element {
  return element(TAG.integer, fromBinary(asn1.integerToDer(value).getBytes()))
}

/** A positive integer of any length from even hexadecimal digits. */
export function integerFromHex(hex: string): Element {
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'))
  return element(TAG.integer, bytes[0]! >= 0x80 ? Uint8Array.of(0, ...bytes) : bytes)
}

/** A bit string; `unusedBits` of the last byte do not count. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Element {
  return element(TAG.bitString, Uint8Array.of(unusedBits, ...bytes))
}

/** YYYYMMDDHHMMSSZ. */
const digitsOf = (atMs: number): string => new Date(atMs).toISOString().replace(/[-:T]|\.\d+/g, '')

/** UTCTime to 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5). Milliseconds are cut off. */
export function time(atMs: number): Element {
  const digits = digitsOf(atMs)
  const year = Number(digits.slice(0, 4))
  if (year >= 1950 && year < 2050) return text(TAG.utcTime, digits.slice(2))
  return text(TAG.generalizedTime, digits)
}

/** Dotted text; identifiers beyond what the library can write come as `unknown:HEX` and equal no known one. */
export function readObjectIdentifier(part: Element): string {
  const content = toBinary(contentOf(part))
  const unknown = `unknown:${Buffer.from(content, 'latin1').toString('hex')}`
  try {
    const dotted = asn1.derToOid(content)
    return asn1.oidToDer(dotted).getBytes() === content ? dotted : unknown
  } catch {
    return unknown
  }
}

/** A whole number, 0..2^31-1. */
export function readInteger(part: Element): number {
  const bytes = contentOf(part)
  if (bytes.length === 0 || bytes.length > 4 || bytes[0]! >= 0x80) throw malformed('a number out of bounds')
  return bytes.reduce((value, byte) => value * 256 + byte, 0)
}

/** Lower-case hexadecimal digits of a positive integer of at most 20 bytes, without a leading zero byte. */
export function readSerial(part: Element): string {
  const bytes = contentOf(part)
  if (bytes.length === 0 || bytes.length > 20 || bytes[0]! >= 0x80)
    throw malformed('a serial number out of bounds')
  const digits = Buffer.from(bytes[0] === 0 && bytes.length > 1 ? bytes.subarray(1) : bytes).toString('hex')
  if (/^0+$/.test(digits)) throw malformed('a serial number of zero')
  return digits
}

export function readBoolean(part: Element): boolean {
  const bytes = contentOf(part)
  if (bytes.length !== 1 || (bytes[0] !== 0 && bytes[0] !== 0xff))
    throw malformed('a boolean of neither value')
  return bytes[0] === 0xff
}

/** Bytes of a bit string of whole bytes. */
export function readBytes(part: Element): Uint8Array {
  const bytes = contentOf(part)
  if (bytes[0] !== 0) throw malformed('a bit string that does not end with a byte')
  return bytes.subarray(1)
}

/** Named bits of a bit string, bit 0 first, at most 16 of them. */
export function readNamedBits(part: Element): readonly boolean[] {
  const [unused, ...bytes] = contentOf(part)
  if (unused === undefined || unused > 7 || bytes.length === 0 || bytes.length > 2)
    throw malformed('a bit string out of bounds')
  return bytes
    .flatMap((byte) => Array.from({ length: 8 }, (_, bit) => (byte & (0x80 >> bit)) !== 0))
    .slice(0, bytes.length * 8 - unused)
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/

/** Milliseconds since 1970 of a time of either form, with seconds and in UTC. */
export function readTime(part: Element): number {
  const tag = tagOf(part)
  const pattern = tag === TAG.utcTime ? UTC_TIME : tag === TAG.generalizedTime ? GENERALIZED_TIME : undefined
  const digits = pattern?.exec(toBinary(contentOf(part)))?.slice(1)
  if (digits === undefined) throw malformed('a time that is not in the form of RFC 5280')
  const [first, month, day, hour, minute, second] = digits.map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const year = tag === TAG.generalizedTime ? first : first + (first >= 50 ? 1900 : 2000)
  const atMs = Date.UTC(year, month - 1, day, hour, minute, second)
  if (digitsOf(atMs) !== `${String(year).padStart(4, '0')}${digits.slice(1).join('')}Z`)
    throw malformed('a time that does not exist')
  return atMs
}
