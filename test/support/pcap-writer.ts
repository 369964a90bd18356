/** Captures for tshark: the classic pcap format with nanosecond timestamps, Ethernet frames. */
import { writeFileSync } from 'node:fs'

export interface CapturedFrame {
  /** Nanoseconds. */
  readonly at: number
  readonly frame: Uint8Array
}

/** Writes frames in the given order. */
export function writePcap(path: string, frames: readonly CapturedFrame[]): void {
  const total = frames.reduce((bytes, { frame }) => bytes + 16 + frame.length, 24)
  const file = Buffer.alloc(total)
  file.writeUInt32LE(0xa1b23c4d, 0)
  file.writeUInt16LE(2, 4)
  file.writeUInt16LE(4, 6)
  file.writeUInt32LE(65_535, 16)
  file.writeUInt32LE(1, 20)
  let offset = 24
  for (const { at, frame } of frames) {
    file.writeUInt32LE(Math.floor(at / 1e9), offset)
    file.writeUInt32LE(Math.floor(at % 1e9), offset + 4)
    file.writeUInt32LE(frame.length, offset + 8)
    file.writeUInt32LE(frame.length, offset + 12)
    file.set(frame, offset + 16)
    offset += 16 + frame.length
  }
  writeFileSync(path, file)
}
