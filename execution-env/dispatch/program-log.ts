/**
 * The log of one plugin instance, over all its versions. The one idea: the last lines are kept, each with its time and
 * who wrote it (the plugin, or the router about it); too many a second are counted, not kept.
 */
import type { LogLevel, LogLine } from '../sandbox/index.ts'
import { Rate } from './rate.ts'

export interface LogEntry {
  /** Monotonic nanoseconds. */
  readonly atNs: number
  readonly by: 'plugin' | 'router'
  readonly level: LogLevel
  /** Of a plugin: untrusted, bounded, one line. */
  readonly text: string
}

/** Lines that are kept. */
const KEPT = 256
/** Lines of the router's about one plugin that are kept a second; a plugin can bring them about. */
const NOTES_PER_SECOND = 50
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is replaced
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g

export class ProgramLog {
  readonly #entries: LogEntry[] = []
  readonly #sink: (entry: LogEntry) => void
  readonly #notes = new Rate(NOTES_PER_SECOND)
  #rate: Rate
  /** Lines that were over the limit. */
  dropped = 0
  /** Lines written, without those dropped. */
  written = 0

  constructor(linesPerSecond: number, sink: (entry: LogEntry) => void = () => {}) {
    this.#rate = new Rate(linesPerSecond)
    this.#sink = sink
  }

  /** Another version may log at another rate. */
  setRate(linesPerSecond: number): void {
    this.#rate = new Rate(linesPerSecond)
  }

  /** The last lines, oldest first. */
  get entries(): readonly LogEntry[] {
    return this.#entries
  }

  /** Takes what a call of the plugin has logged. */
  take(lines: readonly LogLine[], dropped: number, now: number): void {
    this.dropped += dropped
    for (const { level, text } of lines)
      if (this.#rate.take(now))
        this.#write({ atNs: now, by: 'plugin', level, text: text.replace(CONTROL, ' ') })
      else this.dropped++
  }

  /** A line of the router's about the plugin. What it quotes of the plugin must be bounded. */
  note(level: LogLevel, text: string, now: number): void {
    if (this.#notes.take(now))
      this.#write({ atNs: now, by: 'router', level, text: text.replace(CONTROL, ' ') })
    else this.dropped++
  }

  #write(entry: LogEntry): void {
    this.written++
    this.#entries.push(entry)
    if (this.#entries.length > KEPT) this.#entries.shift()
    this.#sink(entry)
  }
}
