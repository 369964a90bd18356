/**
 * The fields of signaling messages and their codecs. The one idea: every field has one number, one size or bound and
 * one form in memory, so that parsing and emitting are the same table read in two directions.
 *
 * A field is: number (16 bits), length of its value (16), value; all in network byte order.
 */
import type { Ipv4Prefix } from '../wire/address.ts'
import { read16, read32, write16, write32 } from '../wire/byte-order.ts'

/** Number and length in front of every value. */
export const FIELD_HEADER_BYTES = 4
/** Fields from this number on are passed over by those who do not know them; lower ones must be known. */
export const OPTIONAL_FIELDS = 0x8000

export const NONCE_BYTES = 8
export const COOKIE_BYTES = 16
export const SESSION_BYTES = 16
export const SIGNATURE_BYTES = 64
/** Most virtual host prefixes and most services of a host. */
export const MAX_PREFIXES = 64
/** Most certificates of a chain, the host's own included. */
export const MAX_CERTIFICATES = 4
/** Loads are carried in thousandths. */
export const LOAD_PARTS = 1000
export const MAX_LOAD = 1_000_000

/** What a host says of itself. */
export const HOST_STATES = ['active', 'draining', 'maintenance'] as const
export type HostState = (typeof HOST_STATES)[number]

/** Why a router does not take a host in. Closed; new ones go to the end. */
export const REFUSALS = [
  'certificate', // not a host's certificate of a trusted authority, expired or revoked
  'beyond-grant', // virtual hosts that the certificate does not grant
  'address', // the host's own address is not the one it speaks from, or another router was meant
  'busy', // too many hosts
] as const
export type Refusal = (typeof REFUSALS)[number]

/** The load of one prefix of virtual hosts: 0 idle, 1 fully loaded, more is overload. */
export interface ServiceLoad {
  readonly prefix: Ipv4Prefix
  /** 0..MAX_LOAD, to a thousandth. */
  readonly load: number
}

/** How one kind of value is read and written. */
export interface Codec<Value> {
  /** Length of every value in bytes, or the longest where it varies. */
  readonly bytes: number
  readonly varies?: boolean
  /** Undefined for bytes that are no such value. `length` was checked. */
  read(bytes: Uint8Array, at: number, length: number): Value | undefined
  write(bytes: Uint8Array, at: number, value: Value): void
}

const fixed = (size: number): Codec<Uint8Array> => ({
  bytes: size,
  read: (bytes, at, length) => bytes.slice(at, at + length),
  write: (bytes, at, value) => {
    if (value.length !== size) throw new RangeError(`expected ${size} bytes, got ${value.length}`)
    bytes.set(value, at)
  },
})

const number32: Codec<number> = { bytes: 4, read: read32, write: write32 }

const prefix: Codec<Ipv4Prefix> = {
  bytes: 5,
  read(bytes, at) {
    const address = read32(bytes, at)
    const length = bytes[at + 4]!
    if (length > 32) return undefined
    const host = length === 32 ? 0 : 0xffffffff >>> length
    return (address & host) === 0 ? { address, length } : undefined
  },
  write(bytes, at, { address, length }) {
    write32(bytes, at, address)
    bytes[at + 4] = length
  },
}

const service: Codec<ServiceLoad> = {
  bytes: 9,
  read(bytes, at) {
    const parts = read32(bytes, at + 5)
    const which = prefix.read(bytes, at, 5)
    return which === undefined || parts > MAX_LOAD * LOAD_PARTS
      ? undefined
      : { prefix: which, load: parts / LOAD_PARTS }
  },
  write(bytes, at, value) {
    prefix.write(bytes, at, value.prefix)
    const load = Math.min(Math.max(value.load, 0), MAX_LOAD)
    write32(bytes, at + 5, Math.round(load * LOAD_PARTS))
  },
}

function word<Word extends string>(words: readonly Word[]): Codec<Word> {
  return {
    bytes: 1,
    read: (bytes, at) => words[bytes[at]!],
    write: (bytes, at, value) => {
      bytes[at] = words.indexOf(value)
    },
  }
}

const certificate: Codec<Uint8Array> = {
  bytes: 1500,
  varies: true,
  read: (bytes, at, length) => (length === 0 ? undefined : bytes.slice(at, at + length)),
  write: (bytes, at, value) => bytes.set(value, at),
}

/** A field: its number, its codec, and how many of it there may be (absent: exactly one). */
export interface Field {
  readonly number: number
  // A table of codecs of different values: which one belongs to which field is what FieldValues says.
  readonly codec: Codec<never>
  readonly most?: number
}

/** Every field by its name in memory. */
export interface FieldValues {
  readonly nonce: Uint8Array
  readonly cookie: Uint8Array
  readonly address: number
  readonly router: number
  readonly virtualHosts: readonly Ipv4Prefix[]
  readonly certificates: readonly Uint8Array[]
  readonly intervalMs: number
  readonly session: Uint8Array
  readonly sequence: number
  readonly state: HostState
  readonly services: readonly ServiceLoad[]
  readonly connections: number
  readonly refusal: Refusal
}

export type FieldName = keyof FieldValues

const field = <Value>(number: number, codec: Codec<Value>, most?: number): Field => ({
  number,
  codec: codec as unknown as Codec<never>,
  ...(most === undefined ? {} : { most }),
})

export const FIELDS: Readonly<Record<FieldName, Field>> = {
  nonce: field(1, fixed(NONCE_BYTES)),
  cookie: field(2, fixed(COOKIE_BYTES)),
  address: field(3, number32),
  router: field(4, number32),
  virtualHosts: field(5, prefix, MAX_PREFIXES),
  certificates: field(6, certificate, MAX_CERTIFICATES),
  intervalMs: field(7, number32),
  session: field(8, fixed(SESSION_BYTES)),
  sequence: field(9, number32),
  state: field(10, word(HOST_STATES)),
  services: field(11, service, MAX_PREFIXES),
  connections: field(12, number32),
  refusal: field(13, word(REFUSALS)),
}

/** The last field of a signed message: over all bytes before it. */
export const SIGNATURE_FIELD = 15

/** The length of the value that `at` announces, or -1 when it does not end before `end`. */
export function valueBytes(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < FIELD_HEADER_BYTES) return -1
  const length = read16(bytes, at + 2)
  return length <= end - at - FIELD_HEADER_BYTES ? length : -1
}

/** Writes a field's header. Returns where the value goes. */
export function emitFieldHeader(bytes: Uint8Array, at: number, number: number, length: number): number {
  write16(bytes, at, number)
  write16(bytes, at + 2, length)
  return at + FIELD_HEADER_BYTES
}
