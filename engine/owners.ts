/**
 * Who owns what. The one idea: outside, an owner is a name (`router`, a plugin instance's id); inside, tables tag
 * their entries with a small integer. Numbers are given once and never reused within an engine's life.
 */
import { EngineError } from './errors.ts'

/** Most owners that one engine will number; beyond that a request is refused. */
export const OWNER_LIMIT = 65_536

/** The owner of what the operator's own configuration creates. */
export const ROUTER_OWNER = 'router'

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

export class Owners {
  readonly #numbers = new Map<string, number>()
  readonly #names: string[] = []

  constructor() {
    this.numberOf(ROUTER_OWNER)
  }

  /** The owner's number, giving it one at first sight. @throws EngineError `invalid` or `limit` */
  numberOf(name: string): number {
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    if (!NAME.test(name)) throw new EngineError('invalid', `${JSON.stringify(name)} is not an owner's name`)
    if (this.#names.length >= OWNER_LIMIT) throw new EngineError('limit', `more than ${OWNER_LIMIT} owners`)
    const number = this.#names.length
    this.#numbers.set(name, number)
    this.#names.push(name)
    return number
  }

  /** Owners numbered so far. */
  get size(): number {
    return this.#names.length
  }

  /** The number of a name that has one, or undefined. */
  find(name: string): number | undefined {
    return this.#numbers.get(name)
  }

  nameOf(number: number): string {
    return this.#names[number]
  }
}
