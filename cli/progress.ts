/**
 * One line that says how far a run is. The one idea: nothing in the first second, then at most ten times a second,
 * only to a person, and gone when the result comes.
 */
import { formatCount, type Progress } from '../lab/index.ts'
import type { Terminal } from './terminal.ts'

const QUIET_MS = 1_000
const INTERVAL_MS = 100
const ERASE_LINE = '\r\u001b[2K'

export class ProgressLine {
  readonly #terminal: Terminal
  readonly #clock: () => number
  readonly #startMs: number
  #lastMs = Number.NEGATIVE_INFINITY
  #shown = false

  /** @param clock monotonic milliseconds */
  constructor(terminal: Terminal, clock: () => number) {
    this.#terminal = terminal
    this.#clock = clock
    this.#startMs = clock()
  }

  update({ virtualNs, untilNs, packets, stage }: Progress): void {
    if (!this.#terminal.interactive) return
    const now = this.#clock()
    if (now - this.#startMs < QUIET_MS || now - this.#lastMs < INTERVAL_MS) return
    this.#lastMs = now
    this.#shown = true
    const seconds = (virtualNs / 1e9).toFixed(1)
    const end = untilNs === undefined ? '' : ` of ${(untilNs / 1e9).toFixed(1)}`
    const took = ((now - this.#startMs) / 1000).toFixed(0)
    const text =
      stage === undefined
        ? `${seconds}${end} virtual seconds, ${formatCount(packets)} packets, ${took} s`
        : `${stage}, ${took} s`
    this.#terminal.tellRaw(`${ERASE_LINE}${text}`)
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shown) this.#terminal.tellRaw(ERASE_LINE)
    this.#shown = false
  }
}
