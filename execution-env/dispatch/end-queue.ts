/**
 * Flows that are over and wait to be told. The one idea: records of words as they will cross, but for the numbers that
 * only the program which takes them knows; bounded, and what is too much is counted.
 */
import type { OwnedFlow } from '../../engine/index.ts'
import { END_RECORD, END_WORDS } from '../contract/api/index.ts'

/** Most records that wait. */
export const ENDS_LIMIT = 16_384

const INITIAL = 64

export class EndQueue {
  #words = new Int32Array(INITIAL * END_WORDS)
  #head = 0
  #size = 0
  /** Ends that found the queue full. */
  refused = 0

  get size(): number {
    return this.#size
  }

  /** Adds a flow, whose subscription is left open. @param tunnel the guest's number of where it was sent, or 0 */
  push(flow: Readonly<OwnedFlow>, reason: number, tunnel: number): void {
    if (this.#size >= ENDS_LIMIT) {
      this.refused++
      return
    }
    const room = this.#words.length / END_WORDS
    if (this.#size === room) this.#grow()
    const words = this.#words
    const at = ((this.#head + this.#size) % (words.length / END_WORDS)) * END_WORDS
    words[at + END_RECORD.subscription] = 0
    words[at + END_RECORD.source] = flow.source
    words[at + END_RECORD.destination] = flow.destination
    words[at + END_RECORD.ports] = (flow.sourcePort << 16) | flow.destinationPort
    words[at + END_RECORD.protocol] = flow.protocol | (reason << 8)
    words[at + END_RECORD.tunnel] = tunnel
    writeDouble(words, at + END_RECORD.packets, flow.packets)
    writeDouble(words, at + END_RECORD.bytes, flow.bytes)
    this.#size++
  }

  /** Moves the oldest record to `into[at]`; false when there is none. */
  shift(into: Int32Array, at: number): boolean {
    if (this.#size === 0) return false
    const from = this.#head * END_WORDS
    for (let word = 0; word < END_WORDS; word++) into[at + word] = this.#words[from + word]!
    this.#head = (this.#head + 1) % (this.#words.length / END_WORDS)
    this.#size--
    return true
  }

  /** Gives tunnels other numbers: another guest takes over. */
  renumber(numberOf: (tunnel: number) => number): void {
    for (let i = 0; i < this.#size; i++) {
      const at = ((this.#head + i) % (this.#words.length / END_WORDS)) * END_WORDS + END_RECORD.tunnel
      this.#words[at] = numberOf(this.#words[at]!)
    }
  }

  clear(): void {
    this.#head = 0
    this.#size = 0
  }

  #grow(): void {
    const size = this.#words.length
    const words = new Int32Array(size * 2)
    const first = this.#head * END_WORDS
    words.set(this.#words.subarray(first))
    words.set(this.#words.subarray(0, first), size - first)
    this.#words = words
    this.#head = 0
  }
}

function writeDouble(words: Int32Array, at: number, value: number): void {
  words[at] = (value % 2 ** 32) | 0
  words[at + 1] = Math.floor(value / 2 ** 32)
}
