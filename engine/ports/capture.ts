/**
 * A capture as read from a file: interfaces and packets as plain data. The one idea: formats differ, what they say
 * does not; times are two exact integers because nanoseconds since 1970 do not fit a double.
 */
import { EngineError } from '../errors.ts'

/** Link type of Ethernet frames; others are kept as they stand (101 raw IP, 113 Linux cooked). */
export const LINK_TYPE_ETHERNET = 1

export type Direction = 'inbound' | 'outbound'

export interface CaptureInterface {
  /** Empty where the file has none. */
  readonly name: string
  readonly linkType: number
  /** Longest captured length in bytes; 0 means no limit. */
  readonly snapLength: number
}

export interface CapturePacket {
  /** Index into `interfaces`. */
  readonly interfaceIndex: number
  /** Seconds since 1970 (or since virtual zero), an integer. */
  readonly seconds: number
  /** 0..999,999,999. */
  readonly nanoseconds: number
  /** The captured bytes: a view into the file. */
  readonly bytes: Uint8Array
  /** Length on the wire, in bytes; more than `bytes.length` when the capture was cut short. */
  readonly originalLength: number
  readonly comment?: string
  readonly direction?: Direction
}

export interface Capture {
  readonly interfaces: readonly CaptureInterface[]
  readonly packets: readonly CapturePacket[]
}

/** The error for a malformed file: EngineError `invalid` whose place is the byte at fault. */
export function captureFault(offset: number, message: string): EngineError {
  return new EngineError('invalid', message, `byte ${offset}`)
}
