/**
 * What waits to be told to a plugin: messages, timers, answers. The one idea: a bounded queue of things that know how
 * to become an event when their turn comes, so that a new version of the plugin takes over what can be taken over, and
 * what nobody waits for any more is no event.
 */
import type { GuestEvent } from '../contract/api/index.ts'
import type { JsonValue } from '../contract/index.ts'
import type { Program } from './program.ts'

/** How a call ended for whoever waits for its answer. */
export type CallResult =
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly code: string; readonly reason: string }

export interface Letter {
  /** The event for a program, or undefined when it does not wait for it. */
  toEvent(program: Program): GuestEvent | undefined
  /** Called once, when somebody waits for the answer. */
  readonly done?: (result: CallResult) => void
}

/** Most letters that wait. */
export const MAILBOX_LIMIT = 1_024

export class Mailbox {
  #letters: Letter[] = []
  /** Letters that found the box full. */
  refused = 0

  get size(): number {
    return this.#letters.length
  }

  /** False when the box is full. */
  put(letter: Letter): boolean {
    if (this.#letters.length >= MAILBOX_LIMIT) {
      this.refused++
      letter.done?.({ ok: false, code: 'limit', reason: 'too much waits for this plugin already' })
      return false
    }
    this.#letters.push(letter)
    return true
  }

  take(): Letter | undefined {
    return this.#letters.shift()
  }

  /** Tells everyone who waits that there will be no answer. */
  clear(reason: string): void {
    const letters = this.#letters
    this.#letters = []
    for (const { done } of letters) done?.({ ok: false, code: 'unavailable', reason })
  }
}
