/**
 * TCP options: MSS, window scale, SACK, timestamps (RFC 9293, 7323, 2018) and experimental options (RFC 6994).
 * The one idea: one preallocated object that is cleared and filled again. Unknown options are skipped by their
 * length, a malformed length ends the list, and the walk always advances.
 */
import { read16, read32, requireRoom, write16, write32 } from './byte-order.ts'

export const TCP_MAX_OPTION_BYTES = 40
export const TCP_OPTION_END = 0
export const TCP_OPTION_NO_OPERATION = 1
export const TCP_OPTION_MSS = 2
export const TCP_OPTION_WINDOW_SCALE = 3
export const TCP_OPTION_SACK_PERMITTED = 4
export const TCP_OPTION_SACK = 5
export const TCP_OPTION_TIMESTAMP = 8
export const TCP_OPTION_EXPERIMENT_1 = 253
export const TCP_OPTION_EXPERIMENT_2 = 254

/** Largest shift of the window scale option; larger ones count as this (RFC 7323 2.3). */
export const TCP_MAX_WINDOW_SCALE = 14
/** How many experimental options are kept of one segment. */
export const TCP_MAX_EXPERIMENTAL = 4

/** An option of kind 253 or 254. A 32-bit ExID shows as `exid` (its first half) and the first two bytes of `data`. */
export interface TcpExperimental {
  kind: number
  /** 16 bits. */
  exid: number
  /** Only the first `dataBytes` count. */
  data: Uint8Array
  /** 0..36. */
  dataBytes: number
}

export interface TcpOptions {
  /** 0..65535, -1 when absent. */
  mss: number
  /** 0..14, -1 when absent. */
  windowScale: number
  sackPermitted: boolean
  hasTimestamp: boolean
  /** Unsigned 32-bit; only with `hasTimestamp`. */
  timestampValue: number
  timestampEcho: number
  /** Left and right edges of up to four blocks. */
  sackBlocks: Uint32Array
  /** Blocks in use, 0..4. */
  sackCount: number
  /** Preallocated; only the first `experimentalCount` count. */
  experimental: TcpExperimental[]
  experimentalCount: number
}

export function createTcpOptions(): TcpOptions {
  return {
    mss: -1,
    windowScale: -1,
    sackPermitted: false,
    hasTimestamp: false,
    timestampValue: 0,
    timestampEcho: 0,
    sackBlocks: new Uint32Array(8),
    sackCount: 0,
    experimental: Array.from({ length: TCP_MAX_EXPERIMENTAL }, () => ({
      kind: TCP_OPTION_EXPERIMENT_2,
      exid: 0,
      data: new Uint8Array(TCP_MAX_OPTION_BYTES - 4),
      dataBytes: 0,
    })),
    experimentalCount: 0,
  }
}

/** Makes `options` empty for its next use. */
export function clearTcpOptions(options: TcpOptions): void {
  options.mss = -1
  options.windowScale = -1
  options.sackPermitted = false
  options.hasTimestamp = false
  options.timestampValue = 0
  options.timestampEcho = 0
  options.sackCount = 0
  options.experimentalCount = 0
}

/**
 * Adds an experimental option to be emitted.
 * @throws RangeError when there are TCP_MAX_EXPERIMENTAL already or `data` has more than 36 bytes
 */
export function addExperimental(options: TcpOptions, kind: number, exid: number, data: Uint8Array): void {
  const slot = options.experimental[options.experimentalCount]
  if (slot === undefined || data.length > slot.data.length)
    throw new RangeError('no room for another experimental TCP option')
  slot.kind = kind
  slot.exid = exid
  slot.data.set(data)
  slot.dataBytes = data.length
  options.experimentalCount++
}

/** Reads one option of known length; wrong lengths and surplus are ignored, as if the option were unknown. */
function parseOption(bytes: Uint8Array, at: number, length: number, into: TcpOptions): void {
  const kind = bytes[at]
  if (kind === TCP_OPTION_MSS && length === 4) into.mss = read16(bytes, at + 2)
  else if (kind === TCP_OPTION_WINDOW_SCALE && length === 3)
    into.windowScale = Math.min(bytes[at + 2], TCP_MAX_WINDOW_SCALE)
  else if (kind === TCP_OPTION_SACK_PERMITTED && length === 2) into.sackPermitted = true
  else if (kind === TCP_OPTION_TIMESTAMP && length === 10) {
    into.hasTimestamp = true
    into.timestampValue = read32(bytes, at + 2)
    into.timestampEcho = read32(bytes, at + 6)
  } else if (kind === TCP_OPTION_SACK && length >= 10 && (length & 7) === 2) {
    const count = (length - 2) >>> 3
    const edges = Math.min(count, 4) * 2
    for (let i = 0; i < edges; i++) into.sackBlocks[i] = read32(bytes, at + 2 + i * 4)
    into.sackCount = edges >>> 1
  } else if ((kind === TCP_OPTION_EXPERIMENT_1 || kind === TCP_OPTION_EXPERIMENT_2) && length >= 4) {
    if (into.experimentalCount >= TCP_MAX_EXPERIMENTAL) return
    const slot = into.experimental[into.experimentalCount++]
    slot.kind = kind
    slot.exid = read16(bytes, at + 2)
    const dataBytes = Math.min(length - 4, slot.data.length)
    for (let i = 0; i < dataBytes; i++) slot.data[i] = bytes[at + 4 + i]
    slot.dataBytes = dataBytes
  }
}

/**
 * Reads the options in [from, to) into `into`, which is cleared first. Returns false when a malformed length ended
 * the list early; what came before it stands.
 */
export function parseTcpOptions(bytes: Uint8Array, from: number, to: number, into: TcpOptions): boolean {
  clearTcpOptions(into)
  let at = from
  while (at < to) {
    const kind = bytes[at]
    if (kind === TCP_OPTION_END) return true
    if (kind === TCP_OPTION_NO_OPERATION) {
      at++
      continue
    }
    const length = at + 1 < to ? bytes[at + 1] : 0
    if (length < 2 || length > to - at) return false
    parseOption(bytes, at, length, into)
    at += length
  }
  return true
}

/** Bytes that `emitTcpOptions` writes: a multiple of four, above 40 when the options do not fit. */
export function tcpOptionsBytes(options: TcpOptions): number {
  let length = 0
  if (options.mss >= 0) length += 4
  if (options.hasTimestamp) length += 12
  else if (options.sackPermitted) length += 4
  if (options.windowScale >= 0) length += 4
  if (options.sackCount > 0) length += 4 + options.sackCount * 8
  for (let i = 0; i < options.experimentalCount; i++) length += 4 + options.experimental[i].dataBytes
  return (length + 3) & ~3
}

/**
 * Writes the options in the order MSS, SACK permitted, timestamps, window scale, SACK, experimental; the first
 * five aligned by leading no-operations, the end padded with zeros. Returns the offset after them.
 * @throws RangeError when they need more than 40 bytes or there is no room
 */
export function emitTcpOptions(bytes: Uint8Array, offset: number, options: TcpOptions): number {
  const length = tcpOptionsBytes(options)
  if (length > TCP_MAX_OPTION_BYTES) throw new RangeError(`${length} bytes of TCP options, at most 40 fit`)
  requireRoom(bytes, offset, length)
  let at = offset
  if (options.mss >= 0) {
    write16(bytes, at, (TCP_OPTION_MSS << 8) | 4)
    write16(bytes, at + 2, options.mss)
    at += 4
  }
  const permitted = options.sackPermitted ? (TCP_OPTION_SACK_PERMITTED << 8) | 2 : 0x0101
  if (options.hasTimestamp) {
    write16(bytes, at, permitted)
    write16(bytes, at + 2, (TCP_OPTION_TIMESTAMP << 8) | 10)
    write32(bytes, at + 4, options.timestampValue)
    write32(bytes, at + 8, options.timestampEcho)
    at += 12
  } else if (options.sackPermitted) {
    write16(bytes, at, 0x0101)
    write16(bytes, at + 2, permitted)
    at += 4
  }
  if (options.windowScale >= 0) {
    write16(bytes, at, 0x0100 | TCP_OPTION_WINDOW_SCALE)
    write16(bytes, at + 2, 0x0300 | options.windowScale)
    at += 4
  }
  if (options.sackCount > 0) at = emitSack(bytes, at, options)
  for (let i = 0; i < options.experimentalCount; i++)
    at = emitExperimental(bytes, at, options.experimental[i])
  const end = offset + length
  while (at < end) bytes[at++] = TCP_OPTION_END
  return end
}

function emitSack(bytes: Uint8Array, at: number, options: TcpOptions): number {
  const edges = options.sackCount * 2
  write16(bytes, at, 0x0101)
  write16(bytes, at + 2, (TCP_OPTION_SACK << 8) | (2 + edges * 4))
  at += 4
  for (let i = 0; i < edges; i++, at += 4) write32(bytes, at, options.sackBlocks[i])
  return at
}

function emitExperimental(bytes: Uint8Array, at: number, option: TcpExperimental): number {
  bytes[at] = option.kind
  bytes[at + 1] = 4 + option.dataBytes
  write16(bytes, at + 2, option.exid)
  for (let i = 0; i < option.dataBytes; i++) bytes[at + 4 + i] = option.data[i]
  return at + 4 + option.dataBytes
}
