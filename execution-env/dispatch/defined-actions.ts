/**
 * The actions that a program has given numbers. The one idea: an action is judged and compiled when it is defined;
 * after that a decision is a number that is looked up in an array.
 */
import type { DecisionControl } from '../../engine/index.ts'
import { EngineError } from '../../engine/index.ts'

/** Numbers are 1..DEFINED_LIMIT: what the guest keeps before it starts anew, and a batch more. */
export const DEFINED_LIMIT = 4_096

const UNDEFINED = -1
const REFUSED = -2

export class DefinedActions {
  readonly #decisions: DecisionControl
  /** By number: prepared action, UNDEFINED or REFUSED. */
  readonly #prepared = new Int32Array(DEFINED_LIMIT + 1).fill(UNDEFINED)
  readonly #isFallback = new Uint8Array(DEFINED_LIMIT + 1)
  #highest = 0

  constructor(decisions: DecisionControl) {
    this.#decisions = decisions
  }

  /**
   * Gives a number to an action that `prepare` makes; what it throws is thrown on, and decisions of that number are
   * refused from then on. @throws EngineError `limit`, `exists`
   */
  define(number: number, isFallback: boolean, prepare: () => number, place: string): void {
    if (number > DEFINED_LIMIT) throw new EngineError('limit', `more than ${DEFINED_LIMIT} actions`, place)
    if (this.#prepared[number] !== UNDEFINED)
      throw new EngineError('exists', `action ${number} is defined`, place)
    this.#highest = Math.max(this.#highest, number)
    this.#prepared[number] = REFUSED
    this.#isFallback[number] = isFallback ? 1 : 0
    this.#prepared[number] = prepare()
  }

  /** The prepared action of a number in a decision, negative when there is none. Any number may be asked for. */
  lookup(number: number): number {
    return number > 0 && number <= this.#highest && this.#isFallback[number] === 0
      ? this.#prepared[number]!
      : -1
  }

  /** The same for what happens when parking ends; plain actions will do, too. */
  lookupFallback(number: number): number {
    return number > 0 && number <= this.#highest ? this.#prepared[number]! : -1
  }

  /** Releases all. */
  clear(): void {
    for (let number = 1; number <= this.#highest; number++) {
      const prepared = this.#prepared[number]!
      if (prepared >= 0) this.#decisions.release(prepared)
      this.#prepared[number] = UNDEFINED
    }
    this.#highest = 0
  }
}
