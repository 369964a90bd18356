/**
 * Reads classic capture files (the format of tcpdump -w): both byte orders, microseconds and nanoseconds. The one
 * idea: a pure function from bytes; every length is checked before it is used, and a lie is a clear error.
 */
import { type Capture, type CapturePacket, captureFault } from './capture.ts'

const MICROSECONDS = 0xa1b2c3d4
const NANOSECONDS = 0xa1b23c4d
const FILE_HEADER_BYTES = 24
const RECORD_HEADER_BYTES = 16

/** Whether the file begins like a classic capture. */
export function isPcap(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, 4)
  for (const little of [true, false]) {
    const magic = view.getUint32(0, little)
    if (magic === MICROSECONDS || magic === NANOSECONDS) return true
  }
  return false
}

/**
 * Reads a classic capture file.
 * @throws EngineError `invalid` naming the byte at which the file is cut short or contradicts itself
 */
export function readPcap(bytes: Uint8Array): Capture {
  if (!isPcap(bytes)) throw captureFault(0, 'not a classic capture file')
  if (bytes.length < FILE_HEADER_BYTES) throw captureFault(bytes.length, 'the file header is cut short')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const first = view.getUint32(0, true)
  const little = first === MICROSECONDS || first === NANOSECONDS
  const unitNs = view.getUint32(0, little) === MICROSECONDS ? 1000 : 1
  if (view.getUint16(4, little) !== 2) throw captureFault(4, 'expected version 2 of the classic format')
  const snapLength = view.getUint32(16, little)
  // The upper bits may tell the length of a frame check sequence.
  const linkType = view.getUint32(20, little) & 0xffff
  const packets: CapturePacket[] = []
  let at = FILE_HEADER_BYTES
  while (at < bytes.length) {
    if (bytes.length - at < RECORD_HEADER_BYTES) throw captureFault(at, 'a record header is cut short')
    const fractionNs = view.getUint32(at + 4, little) * unitNs
    const length = view.getUint32(at + 8, little)
    const from = at + RECORD_HEADER_BYTES
    if (length > bytes.length - from)
      throw captureFault(at, `a record claims ${length} bytes, ${bytes.length - from} are left`)
    packets.push({
      interfaceIndex: 0,
      seconds: view.getUint32(at, little) + Math.floor(fractionNs / 1e9),
      nanoseconds: fractionNs % 1e9,
      bytes: bytes.subarray(from, from + length),
      originalLength: view.getUint32(at + 12, little),
    })
    at = from + length
  }
  return { interfaces: [{ name: '', linkType, snapLength }], packets }
}
