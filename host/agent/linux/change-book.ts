/**
 * Changes made one after the other and undone in the opposite order. The one idea: ledger and machine are only touched
 * together, here: write down, make; undo, strike out. What was not made is not undone.
 */
import { LinuxError } from '../../../engine/ports/linux/index.ts'
import { type Change, describeChange, deviceOf } from './change.ts'
import { HostError } from './errors.ts'
import type { Ledger } from './ledger.ts'
import type { Machine } from './machine.ts'

export class ChangeBook {
  readonly #ledger: Ledger
  readonly #machine: Machine

  constructor(ledger: Ledger, machine: Machine) {
    this.#ledger = ledger
    this.#machine = machine
  }

  /** @throws HostError; then this change is not made, and those before it stand */
  make(change: Change): void {
    this.#ledger.add(change)
    try {
      if (!this.#machine.make(change)) this.#ledger.remove(change)
    } catch (error) {
      this.#ledger.remove(change)
      throw asHostError(error, advice(change))
    }
  }

  /**
   * Makes what the ledger says of a device once more: it is another one of the same name.
   * @throws HostError, LinuxError of the last that failed, all others made
   */
  makeAgain(device: string): void {
    let failure: unknown
    for (const change of this.#ledger.changes)
      if (deviceOf(change) === device)
        try {
          this.#machine.make(change)
        } catch (error) {
          failure = error
        }
    if (failure !== undefined) throw failure
  }

  /** Undoes all, the last first. What cannot be undone stays in the ledger and is answered. */
  undoAll(): HostError[] {
    const failures: HostError[] = []
    for (const change of [...this.#ledger.changes].reverse()) {
      try {
        this.#machine.undo(change)
        this.#ledger.remove(change)
      } catch (error) {
        const { message } = error as Error
        const code = error instanceof LinuxError || error instanceof HostError ? error.code : 'failed'
        failures.push(new HostError(code, `${describeChange(change)} could not be undone: ${message}`))
      }
    }
    return failures
  }
}

/** What a person can do where something of the kind is there already. */
function advice(change: Change): string {
  switch (change.kind) {
    case 'local-route':
      return '; another agent or somebody else has taken them: see `ip route show table local`'
    case 'exit':
      return '; another agent has an exit there: see `tc filter show dev DEVICE ingress`'
    case 'rule':
    case 'late-local-rule':
      return '; somebody else has such a rule: see `ip rule`'
    default:
      return ''
  }
}

/** A refusal of the system as one of the agent. */
export function asHostError(error: unknown, whenBusy = ''): unknown {
  if (!(error instanceof LinuxError)) return error
  return new HostError(error.code, `${error.message}${error.code === 'busy' ? whenBusy : ''}`)
}
