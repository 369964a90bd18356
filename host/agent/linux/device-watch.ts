/**
 * Devices that go and come back: a cable that is pulled takes nothing away, but a device that is removed takes along
 * all that was on it, and the next one of its name has nothing. The one idea: a device is known by its index; under
 * another one what the ledger says of its name is made again.
 */
import { LinuxError } from '../../../engine/ports/linux/index.ts'
import type { ChangeBook } from './change-book.ts'
import type { Machine } from './machine.ts'

const GONE = -1

export class DeviceWatch {
  readonly #machine: Machine
  readonly #book: ChangeBook
  readonly #indices: Map<string, number>

  /** @throws LinuxError `not-found` */
  constructor(machine: Machine, book: ChangeBook, devices: readonly string[]) {
    this.#machine = machine
    this.#book = book
    this.#indices = new Map(devices.map((name) => [name, machine.device(name).index]))
  }

  /** Looks at every device; answers with what there is to tell. @throws LinuxError, HostError */
  look(): string[] {
    return [...this.#indices].flatMap(([name, known]) => {
      const index = this.#indexOf(name)
      if (index === known) return []
      this.#indices.set(name, index)
      if (index === GONE) return [`${name} is gone`]
      this.#book.makeAgain(name)
      return [`${name} is another device now, and was prepared anew`]
    })
  }

  #indexOf(name: string): number {
    try {
      return this.#machine.device(name).index
    } catch (error) {
      if (error instanceof LinuxError && error.code === 'not-found') return GONE
      throw error
    }
  }
}
