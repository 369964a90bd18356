/**
 * Capture files: writes pcapng block by block, reads pcapng and the classic format. The one idea: pure functions
 * between plain data and bytes, so that a file can be appended to packet by packet and the same packets always give
 * the same bytes (little-endian, nanoseconds, no clock, no machine names).
 *
 * Times are nanoseconds of the engine's clock, which a double holds exactly; the calendar time of their zero stands
 * once, in the interface description (if_tsoffset), in whole seconds. Format: draft-ietf-opsawg-pcapng.
 */
import type { Nanoseconds } from '../clock.ts'
import { type Capture, captureFault, type Direction, LINK_TYPE_ETHERNET } from './capture.ts'
import { isPcap, readPcap } from './pcap.ts'
import {
  BLOCK_OVERHEAD_BYTES,
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET_BLOCK,
  FLAGS_INBOUND,
  FLAGS_OUTBOUND,
  INTERFACE_BLOCK,
  OPTION_APPLICATION,
  OPTION_COMMENT,
  OPTION_END,
  OPTION_INTERFACE_NAME,
  OPTION_PACKET_FLAGS,
  OPTION_TIME_OFFSET,
  OPTION_TIME_RESOLUTION,
  SECTION_HEADER_BLOCK,
} from './pcapng-format.ts'
import { isPcapng, readPcapng } from './pcapng-reader.ts'

export * from './capture.ts'

const NANOSECOND_RESOLUTION = 9

/** An interface to be described. */
export interface InterfaceDescription {
  readonly name: string
  /** Default LINK_TYPE_ETHERNET. */
  readonly linkType?: number
  /** Longest captured length in bytes; default 0, no limit. */
  readonly snapLength?: number
  /** Seconds since 1970 at the clock's zero, an integer; default 0. */
  readonly epochSeconds?: number
}

/** A packet to be written. */
export interface PacketRecord {
  /** Index of the interface among those described since the section's beginning. */
  readonly interfaceIndex: number
  readonly timeNs: Nanoseconds
  readonly bytes: Uint8Array
  /** Length on the wire; default `bytes.length`. */
  readonly originalLength?: number
  readonly direction?: Direction
  /** Up to 65,535 bytes of UTF-8: a drop reason, a flow. */
  readonly comment?: string
}

/** An option's code and value. */
type Option = readonly [code: number, value: Uint8Array]

function padded(length: number): number {
  return (length + 3) & ~3
}

function utf8(value: string): Uint8Array {
  const encoded = new TextEncoder().encode(value)
  if (encoded.length > 0xffff) throw new RangeError('more than 65,535 bytes of text in a capture option')
  return encoded
}

/** A block with `bodyBytes` of zeros behind its header and the options behind them, and a view of the body. */
function makeBlock(
  type: number,
  bodyBytes: number,
  options: readonly Option[],
): { block: Uint8Array; body: DataView } {
  let length = BLOCK_OVERHEAD_BYTES + padded(bodyBytes)
  if (options.length > 0) length += 4
  for (const [, value] of options) length += 4 + padded(value.length)
  const block = new Uint8Array(length)
  const view = new DataView(block.buffer)
  view.setUint32(0, type, true)
  view.setUint32(4, length, true)
  let at = 8 + padded(bodyBytes)
  for (const [code, value] of options) {
    view.setUint16(at, code, true)
    view.setUint16(at + 2, value.length, true)
    block.set(value, at + 4)
    at += 4 + padded(value.length)
  }
  if (options.length > 0) view.setUint32(at, OPTION_END, true)
  view.setUint32(length - 4, length, true)
  return { block, body: new DataView(block.buffer, 8) }
}

/** The block that begins a file; interface indexes start from 0 behind it. */
export function emitSection(application = 'pronto'): Uint8Array {
  const { block, body } = makeBlock(SECTION_HEADER_BLOCK, 16, [[OPTION_APPLICATION, utf8(application)]])
  body.setUint32(0, BYTE_ORDER_MAGIC, true)
  body.setUint16(4, 1, true)
  body.setBigInt64(8, -1n, true)
  return block
}

/** The block that describes the next interface. */
export function emitInterface(description: InterfaceDescription): Uint8Array {
  const options: Option[] = [
    [OPTION_INTERFACE_NAME, utf8(description.name)],
    [OPTION_TIME_RESOLUTION, Uint8Array.of(NANOSECOND_RESOLUTION)],
  ]
  if (description.epochSeconds !== undefined && description.epochSeconds !== 0) {
    const offset = new DataView(new ArrayBuffer(8))
    offset.setBigInt64(0, BigInt(description.epochSeconds), true)
    options.push([OPTION_TIME_OFFSET, new Uint8Array(offset.buffer)])
  }
  const { block, body } = makeBlock(INTERFACE_BLOCK, 8, options)
  body.setUint16(0, description.linkType ?? LINK_TYPE_ETHERNET, true)
  body.setUint32(4, description.snapLength ?? 0, true)
  return block
}

/**
 * The block of one packet.
 * @throws RangeError for a time that is not an integer 0..2^53 or a comment that is too long
 */
export function emitPacket(record: PacketRecord): Uint8Array {
  const { timeNs, bytes, direction, comment } = record
  if (!Number.isSafeInteger(timeNs) || timeNs < 0) throw new RangeError(`${timeNs} is not a time in ns`)
  const options: Option[] = []
  if (comment !== undefined) options.push([OPTION_COMMENT, utf8(comment)])
  if (direction !== undefined) {
    const flags = direction === 'inbound' ? FLAGS_INBOUND : FLAGS_OUTBOUND
    options.push([OPTION_PACKET_FLAGS, Uint8Array.of(flags, 0, 0, 0)])
  }
  const { block, body } = makeBlock(ENHANCED_PACKET_BLOCK, 20 + bytes.length, options)
  body.setUint32(0, record.interfaceIndex, true)
  body.setUint32(4, Math.floor(timeNs / 2 ** 32), true)
  body.setUint32(8, timeNs % 2 ** 32, true)
  body.setUint32(12, bytes.length, true)
  body.setUint32(16, record.originalLength ?? bytes.length, true)
  block.set(bytes, 28)
  return block
}

/** A whole file. */
export function writeCapture(
  interfaces: readonly InterfaceDescription[],
  packets: readonly PacketRecord[],
  application?: string,
): Uint8Array {
  const blocks = [emitSection(application), ...interfaces.map(emitInterface), ...packets.map(emitPacket)]
  const file = new Uint8Array(blocks.reduce((total, block) => total + block.length, 0))
  let at = 0
  for (const block of blocks) {
    file.set(block, at)
    at += block.length
  }
  return file
}

/**
 * Reads a capture file of either format. Packets are views into `bytes`.
 * @throws EngineError `invalid` when it is neither, or naming the byte at which it is cut short or contradicts itself
 */
export function readCapture(bytes: Uint8Array): Capture {
  if (isPcapng(bytes)) return readPcapng(bytes)
  if (isPcap(bytes)) return readPcap(bytes)
  throw captureFault(0, 'neither a pcapng nor a classic capture file')
}
