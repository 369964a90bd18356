/**
 * What frames hold: fixed heads of little-endian numbers, then names and texts. The one idea: offsets stand here
 * once, for both processes; every reader checks that the head is whole before it looks inside.
 */

import type { Moment } from './effects.ts'
import { CALL, FrameError, type FrameView, LOAD, readText, textFrame, UNLOAD } from './frame.ts'
import type { IsolateSpec } from './isolate-spec.ts'

/** How a request ended: with the kernel's answer, or with a failure as JSON `{ code, message }`. */
export const ANSWERED = 0
export const FAILED = 1

/** LOAD: JSON. */
export interface LoadMessage {
  readonly instance: number
  readonly spec: IsolateSpec
}

export function loadFrame(sequence: number, message: LoadMessage): Uint8Array {
  return textFrame(LOAD, sequence, JSON.stringify(message))
}

/** CALL: now, clock, instance, length of the entry's name; the name, the argument. */
export const CALL_HEAD_BYTES = 24

export function callFrame(
  sequence: number,
  instance: number,
  entry: string,
  argument: string,
  at: Moment,
): Uint8Array {
  const name = Buffer.from(entry)
  const head = new Uint8Array(CALL_HEAD_BYTES + name.length)
  const view = new DataView(head.buffer)
  view.setFloat64(0, at.now, true)
  view.setFloat64(8, at.clock, true)
  view.setUint32(16, instance, true)
  view.setUint32(20, name.length, true)
  head.set(name, CALL_HEAD_BYTES)
  return textFrame(CALL, sequence, argument, head)
}

/** UNLOAD: instance. */
export function unloadFrame(sequence: number, instance: number): Uint8Array {
  const head = new Uint8Array(4)
  new DataView(head.buffer).setUint32(0, instance, true)
  return textFrame(UNLOAD, sequence, '', head)
}

/**
 * BATCH: now, clock, instance, entry, records, words of a record in and (times 65536) out; the records. All of it is
 * copied to the beginning of the isolate's shared memory as it is.
 */
export const BATCH_HEAD_BYTES = 32

/** DONE: status, unused, time spent, heap; the text. */
export const DONE_HEAD_BYTES = 24

export function doneHead(status: number, spentNs: number, heapBytes: number): Uint8Array {
  const head = new Uint8Array(DONE_HEAD_BYTES)
  const view = new DataView(head.buffer)
  view.setUint32(0, status, true)
  view.setFloat64(8, spentNs, true)
  view.setFloat64(16, heapBytes, true)
  return head
}

export interface DoneMessage {
  readonly failed: boolean
  readonly spentNs: number
  readonly heapBytes: number
  readonly text: string
}

/** A measure from the other side: a number that is at least 0, or 0. */
export const measure = (value: number): number => (value >= 0 && Number.isFinite(value) ? value : 0)

/** @throws FrameError */
export function readDone(frame: FrameView): DoneMessage {
  const { view, start, length, bytes } = frame
  if (length < DONE_HEAD_BYTES) throw new FrameError('an answer without its head')
  return {
    failed: view.getUint32(start, true) !== ANSWERED,
    spentNs: measure(view.getFloat64(start + 8, true)),
    heapBytes: measure(view.getFloat64(start + 16, true)),
    text: readText(bytes, start + DONE_HEAD_BYTES, length - DONE_HEAD_BYTES),
  }
}

/** BATCH_DONE: status, bytes of the records, time spent; the records, the text. */
export const BATCH_DONE_HEAD_BYTES = 16

/** ASK: instance, length of the function's name; the name, the argument. */
const ASK_HEAD_BYTES = 8

export function askHead(instance: number, name: string): Uint8Array {
  const bytes = Buffer.from(name)
  const head = new Uint8Array(ASK_HEAD_BYTES + bytes.length)
  const view = new DataView(head.buffer)
  view.setUint32(0, instance, true)
  view.setUint32(4, bytes.length, true)
  head.set(bytes, ASK_HEAD_BYTES)
  return head
}

export interface AskMessage {
  readonly instance: number
  readonly name: string
  readonly argument: string
}

/** @throws FrameError */
export function readAsk(frame: FrameView): AskMessage {
  const { view, start, length, bytes } = frame
  if (length < ASK_HEAD_BYTES) throw new FrameError('a question without its head')
  const nameBytes = view.getUint32(start + 4, true)
  const rest = length - ASK_HEAD_BYTES - nameBytes
  if (rest < 0) throw new FrameError('a question shorter than its name')
  return {
    instance: view.getUint32(start, true),
    name: readText(bytes, start + ASK_HEAD_BYTES, nameBytes),
    argument: readText(bytes, start + ASK_HEAD_BYTES + nameBytes, rest),
  }
}
