/** All that was logged, gathered from a log that keeps only its last lines, and what in it are faults. */
import type { TestLogLine } from './test-router.ts'

export class LogWatch {
  readonly lines: TestLogLine[] = []
  #last: TestLogLine | undefined
  #told = 0

  /** @param entries the last lines, the same objects each time */
  take(entries: readonly TestLogLine[]): void {
    const last = entries.at(-1)
    if (last === undefined || last === this.#last) return
    const from = this.#last === undefined ? 0 : entries.indexOf(this.#last) + 1
    this.lines.push(...entries.slice(from))
    this.#last = last
  }

  /** What the router has noted about the plugin's failures since the last call. */
  takeFaults(): string[] {
    const fresh = this.lines.slice(this.#told)
    this.#told = this.lines.length
    return fresh.filter((each) => each.by === 'router' && each.level === 'error').map((each) => each.text)
  }
}
