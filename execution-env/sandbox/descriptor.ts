/**
 * Reading and writing the pipes' file descriptors. The one idea: an empty pipe, a full one and one whose other end is
 * gone are results, not exceptions.
 */
import { closeSync, readSync, writeSync } from 'node:fs'

/** Nothing to read or no room to write now; and: nobody holds the other end. */
export const NOTHING = 0
export const CLOSED = -1

/** One side of a pair of pipes. */
export interface FifoEnds {
  readonly readFd: number
  readonly writeFd: number
  /** Whether these ends do not block. */
  readonly polled?: boolean
}

export function closeEnds(ends: FifoEnds): void {
  closeSync(ends.readFd)
  closeSync(ends.writeFd)
}

/** What a refused read or write means: an empty or full pipe, or one that nobody holds the other end of. */
function outcomeOf(error: unknown): number {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EAGAIN' || code === 'EINTR') return NOTHING
  if (code === 'EPIPE') return CLOSED
  throw error
}

/** Reads what is there, waiting for it where the end blocks. @returns bytes, NOTHING or CLOSED */
export function readEnd(fd: number, into: Uint8Array, at: number): number {
  try {
    return readSync(fd, into, at, into.length - at, null) || CLOSED
  } catch (error) {
    return outcomeOf(error)
  }
}

/** The same for an end that does not block and is empty again and again. */
export function pollEnd(fd: number, into: Uint8Array, at: number): number {
  const { stackTraceLimit } = Error
  // An empty pipe is an exception here; without a stack it costs half.
  Error.stackTraceLimit = 0
  try {
    return readEnd(fd, into, at)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Writes what there is room for, waiting for it where the end blocks. @returns bytes, NOTHING or CLOSED */
export function writeEnd(fd: number, from: Uint8Array, at: number, length: number): number {
  try {
    return writeSync(fd, from, at, length, null)
  } catch (error) {
    return outcomeOf(error)
  }
}
