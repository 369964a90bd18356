/**
 * IGMP messages: version 3 queries and reports (RFC 3376), the messages of versions 1 and 2 (RFC 1112, 2236), and
 * message extensions (RFC 9279). The one idea: records and extensions are plain data; what an unknown record type
 * means is for whoever registered it (its sources may be value and mask alternately).
 *
 * Control messages, not the data path: parsing copies what it keeps into fresh arrays, so that it outlives the
 * packet. Their number is bounded by the packet's length.
 */
import { type DropCode, dropCode } from '../drop-reason.ts'
import { read16, read32, requireRoom, write16, write32 } from './byte-order.ts'
import { checksum } from './checksum.ts'

export const IGMP_QUERY = 0x11
export const IGMP_V1_REPORT = 0x12
export const IGMP_V2_REPORT = 0x16
export const IGMP_V2_LEAVE = 0x17
export const IGMP_V3_REPORT = 0x22

export const RECORD_IS_INCLUDE = 1
export const RECORD_IS_EXCLUDE = 2
export const RECORD_TO_INCLUDE = 3
export const RECORD_TO_EXCLUDE = 4
export const RECORD_ALLOW = 5
export const RECORD_BLOCK = 6

/** 224.0.0.1, to which general queries go. */
export const ALL_SYSTEMS_GROUP = 0xe0000001
/** 224.0.0.2, to which leaves of version 2 go. */
export const ALL_ROUTERS_GROUP = 0xe0000002
/** 224.0.0.22, to which reports of version 3 go. */
export const IGMP_V3_GROUP = 0xe0000016

const SHORT_BYTES = 8
const QUERY_BYTES = 12
const RECORD_BYTES = 8
const EXTENSION_BYTES = 4
/** The E bit in the first reserved bits of a query and a report. */
const QUERY_EXTENDED = 0x80
const REPORT_EXTENDED = 0x8000

const MALFORMED = dropCode('igmp-malformed')
const NO_SOURCES = new Uint32Array(0)

/** What a report says of one group. */
export interface IgmpRecord {
  /** RECORD_* or any other of 0..255. */
  readonly type: number
  readonly group: number
  readonly sources: Uint32Array
  /** Auxiliary data, a multiple of four bytes up to 1020; RFC 3376 defines none. */
  readonly aux: Uint8Array
}

/** A type-length-value of RFC 9279; 65534 and 65535 are for experiments. */
export interface IgmpExtension {
  readonly type: number
  readonly value: Uint8Array
}

export interface Igmp {
  /** First byte: IGMP_QUERY and so on. */
  type: number
  /** 1, 2 or 3; a query's follows from its length (RFC 3376 7.1). */
  version: number
  /** Group of a query or of a version 1 or 2 message; 0 in a general query and a version 3 report. */
  group: number
  /** Second byte: a version 3 query's coded maximum response time, in tenths of a second when decoded. */
  maxResponseCode: number
  /** Version 3 query: S flag. */
  suppressRouter: boolean
  /** Version 3 query: querier's robustness variable, 0..7. */
  robustness: number
  /** Version 3 query: coded querier's query interval, in seconds when decoded. */
  intervalCode: number
  /** Version 3 query: sources asked for. */
  sources: Uint32Array
  /** Version 3 report. */
  records: readonly IgmpRecord[]
  /** Version 3: empty without the E bit or when the list is not valid (RFC 9279 4). */
  extensions: readonly IgmpExtension[]
}

export function createIgmp(): Igmp {
  return {
    type: IGMP_V3_REPORT,
    version: 3,
    group: 0,
    maxResponseCode: 0,
    suppressRouter: false,
    robustness: 0,
    intervalCode: 0,
    sources: NO_SOURCES,
    records: [],
    extensions: [],
  }
}

/** The value of a maximum response or query interval code: 0..127 as is, then four bits and an exponent. */
export function decodeIntervalCode(code: number): number {
  return code < 128 ? code : ((code & 15) | 16) << (((code >>> 4) & 7) + 3)
}

/** The code of the largest codable value not above `value`, 0..31744. */
export function encodeIntervalCode(value: number): number {
  if (value < 128) return value
  if (value >= 31_744) return 255
  const exponent = 31 - Math.clz32(value) - 7
  return 0x80 | (exponent << 4) | ((value >>> (exponent + 3)) & 15)
}

function readSources(bytes: Uint8Array, offset: number, count: number): Uint32Array {
  const sources = new Uint32Array(count)
  for (let i = 0; i < count; i++) sources[i] = read32(bytes, offset + i * 4)
  return sources
}

/** The extensions that fill [offset, end); none unless they fill it exactly (RFC 9279 4). */
function readExtensions(bytes: Uint8Array, offset: number, end: number): IgmpExtension[] {
  const extensions: IgmpExtension[] = []
  let at = offset
  while (end - at >= EXTENSION_BYTES) {
    const length = read16(bytes, at + 2)
    if (length > end - at - EXTENSION_BYTES) return []
    const value = bytes.slice(at + EXTENSION_BYTES, at + EXTENSION_BYTES + length)
    extensions.push({ type: read16(bytes, at), value })
    at += EXTENSION_BYTES + length
  }
  return at === end ? extensions : []
}

function parseQuery(bytes: Uint8Array, offset: number, end: number, into: Igmp): DropCode {
  into.group = read32(bytes, offset + 4)
  const length = end - offset
  if (length === SHORT_BYTES) {
    into.version = into.maxResponseCode === 0 ? 1 : 2
    return 0
  }
  if (length < QUERY_BYTES) return MALFORMED
  const count = read16(bytes, offset + 10)
  if (length < QUERY_BYTES + count * 4) return MALFORMED
  const bits = bytes[offset + 8]
  into.suppressRouter = (bits & 8) !== 0
  into.robustness = bits & 7
  into.intervalCode = bytes[offset + 9]
  into.sources = readSources(bytes, offset + QUERY_BYTES, count)
  if ((bits & QUERY_EXTENDED) !== 0)
    into.extensions = readExtensions(bytes, offset + QUERY_BYTES + count * 4, end)
  return 0
}

function parseReport(bytes: Uint8Array, offset: number, end: number, into: Igmp): DropCode {
  const count = read16(bytes, offset + 6)
  const records: IgmpRecord[] = []
  let at = offset + SHORT_BYTES
  for (let i = 0; i < count; i++) {
    if (end - at < RECORD_BYTES) return MALFORMED
    const auxBytes = bytes[at + 1] * 4
    const sourceCount = read16(bytes, at + 2)
    const aux = at + RECORD_BYTES + sourceCount * 4
    if (aux + auxBytes > end) return MALFORMED
    records.push({
      type: bytes[at],
      group: read32(bytes, at + 4),
      sources: readSources(bytes, at + RECORD_BYTES, sourceCount),
      aux: bytes.slice(aux, aux + auxBytes),
    })
    at = aux + auxBytes
  }
  into.records = records
  if ((read16(bytes, offset + 4) & REPORT_EXTENDED) !== 0) into.extensions = readExtensions(bytes, at, end)
  return 0
}

/**
 * Reads the message that fills [offset, end) and verifies its checksum. Returns 0, or `igmp-malformed` also for
 * unknown types. Bytes behind the last record or source are ignored unless the E bit makes them extensions.
 */
export function parseIgmp(bytes: Uint8Array, offset: number, end: number, into: Igmp): DropCode {
  if (end - offset < SHORT_BYTES || checksum(bytes, offset, end) !== 0) return MALFORMED
  const type = bytes[offset]
  into.type = type
  into.version = 3
  into.group = 0
  into.maxResponseCode = bytes[offset + 1]
  into.suppressRouter = false
  into.robustness = 0
  into.intervalCode = 0
  into.sources = NO_SOURCES
  into.records = []
  into.extensions = []
  if (type === IGMP_QUERY) return parseQuery(bytes, offset, end, into)
  if (type === IGMP_V3_REPORT) return parseReport(bytes, offset, end, into)
  if (type !== IGMP_V1_REPORT && type !== IGMP_V2_REPORT && type !== IGMP_V2_LEAVE) return MALFORMED
  into.version = type === IGMP_V1_REPORT ? 1 : 2
  into.group = read32(bytes, offset + 4)
  return 0
}

/** Length in bytes that `emitIgmp` writes. */
export function igmpBytes(message: Readonly<Igmp>): number {
  if (message.version < 3) return SHORT_BYTES
  let length = message.type === IGMP_QUERY ? QUERY_BYTES + message.sources.length * 4 : SHORT_BYTES
  if (message.type !== IGMP_QUERY)
    for (const record of message.records)
      length += RECORD_BYTES + record.sources.length * 4 + record.aux.length
  for (const extension of message.extensions) length += EXTENSION_BYTES + extension.value.length
  return length
}

function writeSources(bytes: Uint8Array, offset: number, sources: Uint32Array): number {
  for (let i = 0; i < sources.length; i++) write32(bytes, offset + i * 4, sources[i])
  return offset + sources.length * 4
}

function writeRecord(bytes: Uint8Array, offset: number, record: IgmpRecord): number {
  const auxBytes = record.aux.length
  if (auxBytes % 4 !== 0 || auxBytes > 1020) throw new RangeError(`${auxBytes} bytes of auxiliary data`)
  bytes[offset] = record.type
  bytes[offset + 1] = auxBytes / 4
  write16(bytes, offset + 2, record.sources.length)
  write32(bytes, offset + 4, record.group)
  const aux = writeSources(bytes, offset + RECORD_BYTES, record.sources)
  bytes.set(record.aux, aux)
  return aux + auxBytes
}

/**
 * Writes a message of the given type and version with its checksum. Returns the offset after it.
 * @throws RangeError when there is no room, or auxiliary data that is not a multiple of four up to 1020 bytes
 */
export function emitIgmp(bytes: Uint8Array, offset: number, message: Readonly<Igmp>): number {
  const end = offset + igmpBytes(message)
  requireRoom(bytes, offset, end - offset)
  const extended = message.extensions.length > 0
  bytes[offset] = message.type
  bytes[offset + 1] = message.type === IGMP_V3_REPORT ? 0 : message.maxResponseCode
  write16(bytes, offset + 2, 0)
  let at = offset + SHORT_BYTES
  if (message.version === 3 && message.type === IGMP_V3_REPORT) {
    write16(bytes, offset + 4, extended ? REPORT_EXTENDED : 0)
    write16(bytes, offset + 6, message.records.length)
    for (const record of message.records) at = writeRecord(bytes, at, record)
  } else write32(bytes, offset + 4, message.group)
  if (message.version === 3 && message.type === IGMP_QUERY) {
    bytes[at] = (extended ? QUERY_EXTENDED : 0) | (message.suppressRouter ? 8 : 0) | (message.robustness & 7)
    bytes[at + 1] = message.intervalCode
    write16(bytes, at + 2, message.sources.length)
    at = writeSources(bytes, at + 4, message.sources)
  }
  if (message.version === 3)
    for (const extension of message.extensions) {
      write16(bytes, at, extension.type)
      write16(bytes, at + 2, extension.value.length)
      bytes.set(extension.value, at + EXTENSION_BYTES)
      at += EXTENSION_BYTES + extension.value.length
    }
  write16(bytes, offset + 2, checksum(bytes, offset, end))
  return end
}
