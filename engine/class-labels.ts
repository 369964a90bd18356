/**
 * Labels of traffic classes: small integers by which packets know a class, the same on every port. The one idea:
 * any name may be used before, while and after a class of that name exists, so a label lives as long as an action or
 * a class uses it; labels that nobody uses are taken back when no new one is left.
 */
import { EngineError } from './errors.ts'

/** Most labels in use. */
export const LABEL_LIMIT = 1 << 16
const LONGEST_NAME = 128

export class ClassLabels {
  readonly #limit: number
  readonly #labels = new Map<string, number>()
  readonly #names: string[] = []
  readonly #users: number[] = []
  readonly #free: number[] = []
  #used = 0

  constructor(limit = LABEL_LIMIT) {
    this.#limit = limit
  }

  /** Labels in use. */
  get size(): number {
    return this.#used
  }

  /** The label of a name, given at first sight; it stays only if someone retains it. @throws EngineError */
  labelOf(name: string, place: string): number {
    const known = this.#labels.get(name)
    if (known !== undefined) return known
    if (typeof name !== 'string' || name === '' || name.length > LONGEST_NAME)
      throw new EngineError('invalid', `expected a name of 1..${LONGEST_NAME} characters`, place)
    if (this.#labels.size >= this.#limit) this.#reclaim()
    if (this.#labels.size >= this.#limit)
      throw new EngineError('limit', `more than ${this.#limit} names of traffic classes`, place)
    const label = this.#free.pop() ?? this.#names.length
    this.#labels.set(name, label)
    this.#names[label] = name
    this.#users[label] = 0
    return label
  }

  nameOf(label: number): string {
    return this.#names[label]
  }

  retain(label: number): void {
    if (this.#users[label]++ === 0) this.#used++
  }

  release(label: number): void {
    if (--this.#users[label] === 0) this.#used--
  }

  #reclaim(): void {
    for (const [name, label] of this.#labels)
      if (this.#users[label] === 0) {
        this.#labels.delete(name)
        this.#free.push(label)
      }
  }
}
