/**
 * Where frames are shown to someone who only watches: a capture, a test, a log. The one idea: bytes by reference,
 * valid only during the call, so that watching costs nothing until the watcher copies.
 */
import type { Nanoseconds } from '../clock.ts'

/** Seen from the port: received from its medium, or transmitted to it. */
export type FrameDirection = 'receive' | 'transmit'

/**
 * Is told of one frame: bytes[start, start + length). `comment` is empty, or says what became of the frame
 * (`dropped: lost`). The sink copies what it wants to keep, changes nothing and does not throw.
 */
export type FrameSink = (
  direction: FrameDirection,
  bytes: Uint8Array,
  start: number,
  length: number,
  now: Nanoseconds,
  comment: string,
) => void

/** The comment of a frame that went no further: `dropped: ` and the reason. */
export function dropComment(reason: string): string {
  return `dropped: ${reason}`
}
