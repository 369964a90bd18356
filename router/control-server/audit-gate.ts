/**
 * The audit log's door for refusals. The one idea: whoever is refused a thousand times must not push what others did
 * out of the log: of refusals that are alike one a minute is written, with the number of those left out before it.
 */
import type { AuditEvent, AuditLog } from '../state/audit-log.ts'

const QUIET_MS = 60_000
const MAX_KINDS = 512

interface Seen {
  writtenMs: number
  suppressed: number
}

export class AuditGate {
  readonly #log: AuditLog
  readonly #clock: () => number
  readonly #seen = new Map<string, Seen>()

  /** @param clock monotonic milliseconds */
  constructor(log: AuditLog, clock: () => number) {
    this.#log = log
    this.#clock = clock
  }

  write(event: AuditEvent): void {
    if (event.outcome === 'done') return this.#log.write(event)
    const { actor, what, code = '' } = event
    const key = `${actor.via} ${actor.name} ${actor.serial ?? ''} ${what} ${code}`
    const now = this.#clock()
    const seen = this.#seen.get(key)
    if (seen !== undefined && now - seen.writtenMs < QUIET_MS) {
      seen.suppressed++
      return
    }
    this.#log.write(seen === undefined ? event : { ...event, suppressed: seen.suppressed })
    this.#seen.delete(key)
    this.#seen.set(key, { writtenMs: now, suppressed: 0 })
    if (this.#seen.size > MAX_KINDS) this.#seen.delete(this.#seen.keys().next().value!)
  }
}
