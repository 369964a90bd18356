/**
 * Reads pcapng files: sections of either byte order, interfaces, enhanced and simple packets; other blocks are
 * skipped. The one idea: a pure function from bytes; every block and option length is checked before it is used,
 * and a lie is a clear error, never a wild read.
 */
import { type Capture, type CaptureInterface, type CapturePacket, captureFault } from './capture.ts'
import {
  BLOCK_OVERHEAD_BYTES,
  BYTE_ORDER_MAGIC,
  DEFAULT_RESOLUTION,
  ENHANCED_PACKET_BLOCK,
  FLAGS_DIRECTION,
  FLAGS_INBOUND,
  FLAGS_OUTBOUND,
  INTERFACE_BLOCK,
  OPTION_COMMENT,
  OPTION_END,
  OPTION_INTERFACE_NAME,
  OPTION_PACKET_FLAGS,
  OPTION_TIME_OFFSET,
  OPTION_TIME_RESOLUTION,
  SECTION_HEADER_BLOCK,
  SIMPLE_PACKET_BLOCK,
} from './pcapng-format.ts'

/** What a packet needs of its interface to tell its time. */
interface TimeBase {
  readonly unitsPerSecond: bigint
  readonly offsetSeconds: number
}

interface Reader {
  readonly bytes: Uint8Array
  readonly view: DataView
  little: boolean
  /** Index of the section's first interface: ids start anew with each section. */
  sectionStart: number
  readonly interfaces: CaptureInterface[]
  readonly times: TimeBase[]
  readonly packets: CapturePacket[]
}

/** Whether the file begins like a pcapng file. */
export function isPcapng(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 10 && bytes[1] === 13 && bytes[2] === 13 && bytes[3] === 10
}

/**
 * Reads a whole pcapng file. The packets of all sections are in one list, in the file's order.
 * @throws EngineError `invalid` naming the byte at which the file is cut short or contradicts itself
 */
export function readPcapng(bytes: Uint8Array): Capture {
  if (!isPcapng(bytes)) throw captureFault(0, 'not a pcapng file')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const reader: Reader = {
    bytes,
    view,
    little: true,
    sectionStart: 0,
    interfaces: [],
    times: [],
    packets: [],
  }
  for (let at = 0; at < bytes.length; ) at = readBlock(reader, at)
  return { interfaces: reader.interfaces, packets: reader.packets }
}

/** Reads the block at `at`. Returns the offset of the next one. */
function readBlock(reader: Reader, at: number): number {
  const { bytes, view } = reader
  const left = bytes.length - at
  if (left < BLOCK_OVERHEAD_BYTES) throw captureFault(at, 'a block is cut short')
  const type = view.getUint32(at, reader.little)
  if (type === SECTION_HEADER_BLOCK) reader.little = sectionOrder(reader, at)
  const length = view.getUint32(at + 4, reader.little)
  if (length < BLOCK_OVERHEAD_BYTES || length % 4 !== 0)
    throw captureFault(at, `a block claims the impossible length ${length}`)
  if (length > left) throw captureFault(at, `a block claims ${length} bytes, ${left} are left`)
  const next = at + length
  if (view.getUint32(next - 4, reader.little) !== length)
    throw captureFault(next - 4, 'the two lengths of a block differ')
  const from = at + 8
  const to = next - 4
  if (type === SECTION_HEADER_BLOCK) readSection(reader, from, to)
  else if (type === INTERFACE_BLOCK) readInterface(reader, from, to)
  else if (type === ENHANCED_PACKET_BLOCK) readEnhancedPacket(reader, from, to)
  else if (type === SIMPLE_PACKET_BLOCK) readSimplePacket(reader, from, to)
  return next
}

/** Whether the section that begins at `at` is little-endian. The type's value is a palindrome. */
function sectionOrder(reader: Reader, at: number): boolean {
  if (reader.view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC) return true
  if (reader.view.getUint32(at + 8, false) === BYTE_ORDER_MAGIC) return false
  throw captureFault(at + 8, 'a section without its byte order mark')
}

function readSection(reader: Reader, from: number, to: number): void {
  if (to - from < 16) throw captureFault(from, 'a section header is too short')
  const major = reader.view.getUint16(from + 4, reader.little)
  if (major !== 1) throw captureFault(from + 4, `version ${major} of pcapng is not supported`)
  reader.sectionStart = reader.interfaces.length
}

function readInterface(reader: Reader, from: number, to: number): void {
  if (to - from < 8) throw captureFault(from, 'an interface description is too short')
  const { view, little } = reader
  let name = ''
  let resolution = DEFAULT_RESOLUTION
  let offsetSeconds = 0
  eachOption(reader, from + 8, to, (code, at, length) => {
    if (code === OPTION_INTERFACE_NAME) name = text(reader.bytes, at, length)
    else if (code === OPTION_TIME_RESOLUTION && length === 1) resolution = reader.bytes[at]
    else if (code === OPTION_TIME_OFFSET && length === 8) offsetSeconds = Number(view.getBigInt64(at, little))
  })
  const exponent = BigInt(resolution & 0x7f)
  reader.times.push({
    unitsPerSecond: (resolution & 0x80) === 0 ? 10n ** exponent : 2n ** exponent,
    offsetSeconds,
  })
  reader.interfaces.push({
    name,
    linkType: view.getUint16(from, little),
    snapLength: view.getUint32(from + 4, little),
  })
}

function readEnhancedPacket(reader: Reader, from: number, to: number): void {
  if (to - from < 20) throw captureFault(from, 'a packet block is too short')
  const { view, little, bytes } = reader
  const interfaceIndex = reader.sectionStart + view.getUint32(from, little)
  const time = reader.times[interfaceIndex]
  if (time === undefined) throw captureFault(from, 'a packet of an interface that was not described')
  const length = view.getUint32(from + 12, little)
  if (length > to - from - 20)
    throw captureFault(from + 12, `a packet claims ${length} bytes, its block holds ${to - from - 20}`)
  const ticks = (BigInt(view.getUint32(from + 4, little)) << 32n) | BigInt(view.getUint32(from + 8, little))
  let comment: string | undefined
  let flags = 0
  eachOption(reader, from + 20 + ((length + 3) & ~3), to, (code, at, optionLength) => {
    if (code === OPTION_COMMENT) comment ??= text(bytes, at, optionLength)
    else if (code === OPTION_PACKET_FLAGS && optionLength === 4) flags = view.getUint32(at, little)
  })
  const direction = flags & FLAGS_DIRECTION
  reader.packets.push({
    interfaceIndex,
    seconds: Number(ticks / time.unitsPerSecond) + time.offsetSeconds,
    nanoseconds: Number(((ticks % time.unitsPerSecond) * 1_000_000_000n) / time.unitsPerSecond),
    bytes: bytes.subarray(from + 20, from + 20 + length),
    originalLength: view.getUint32(from + 16, little),
    ...(comment === undefined ? {} : { comment }),
    ...(direction === FLAGS_INBOUND ? { direction: 'inbound' as const } : {}),
    ...(direction === FLAGS_OUTBOUND ? { direction: 'outbound' as const } : {}),
  })
}

/** A packet of the section's first interface, without a time. */
function readSimplePacket(reader: Reader, from: number, to: number): void {
  const first = reader.interfaces[reader.sectionStart]
  if (first === undefined) throw captureFault(from, 'a packet of an interface that was not described')
  if (to - from < 4) throw captureFault(from, 'a packet block is too short')
  const originalLength = reader.view.getUint32(from, reader.little)
  const limit = first.snapLength === 0 ? originalLength : Math.min(originalLength, first.snapLength)
  const length = Math.min(limit, to - from - 4)
  reader.packets.push({
    interfaceIndex: reader.sectionStart,
    seconds: 0,
    nanoseconds: 0,
    bytes: reader.bytes.subarray(from + 4, from + 4 + length),
    originalLength,
  })
}

/** Calls `visit` with code, offset and length of each option in [from, to). */
function eachOption(
  reader: Reader,
  from: number,
  to: number,
  visit: (code: number, at: number, length: number) => void,
): void {
  let at = from
  while (to - at >= 4) {
    const code = reader.view.getUint16(at, reader.little)
    const length = reader.view.getUint16(at + 2, reader.little)
    if (code === OPTION_END) return
    if (length > to - at - 4)
      throw captureFault(at, `an option claims ${length} bytes, ${to - at - 4} are left`)
    visit(code, at + 4, length)
    at += 4 + ((length + 3) & ~3)
  }
}

/** UTF-8 text; invalid sequences become replacement characters. */
function text(bytes: Uint8Array, at: number, length: number): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(at, at + length))
}
