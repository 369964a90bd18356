/**
 * Where a command writes. The one idea: results go to stdout, everything else to stderr; colour only where a person
 * looks (a terminal, and NO_COLOR unset), and one kind of JSON.
 */
import { type Paint, PLAIN } from '../lab/index.ts'

/** What a stream must be able to do; process.stdout and tests both can. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
}

const COLOURS: Paint = {
  bold: (text) => `\u001b[1m${text}\u001b[22m`,
  dim: (text) => `\u001b[2m${text}\u001b[22m`,
  good: (text) => `\u001b[32m${text}\u001b[39m`,
  bad: (text) => `\u001b[31m${text}\u001b[39m`,
}

export class Terminal {
  readonly #stdout: Output
  readonly #stderr: Output
  readonly #environment: Readonly<Record<string, string | undefined>>

  constructor(stdout: Output, stderr: Output, environment: Readonly<Record<string, string | undefined>>) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.#environment = environment
  }

  /** Lines of the result. */
  print(...lines: readonly string[]): void {
    this.#stdout.write(`${lines.join('\n')}\n`)
  }

  /** A result as one JSON document, indented. */
  printJson(value: unknown): void {
    this.print(JSON.stringify(value, null, 2))
  }

  /** A text of the result that brings its own newlines. */
  printText(text: string): void {
    this.#stdout.write(text)
  }

  /** Lines for people, beside the result. */
  tell(...lines: readonly string[]): void {
    this.#stderr.write(`${lines.join('\n')}\n`)
  }

  /** Raw text to stderr: progress. */
  tellRaw(text: string): void {
    this.#stderr.write(text)
  }

  /** Whether a person sees stderr as it is written. */
  get interactive(): boolean {
    return this.#stderr.isTTY === true && this.#environment['TERM'] !== 'dumb'
  }

  /** Colours for stdout. */
  get paint(): Paint {
    return this.#coloured(this.#stdout) ? COLOURS : PLAIN
  }

  /** Colours for stderr. */
  get errorPaint(): Paint {
    return this.#coloured(this.#stderr) ? COLOURS : PLAIN
  }

  #coloured(output: Output): boolean {
    const { NO_COLOR, FORCE_COLOR, TERM } = this.#environment
    if (NO_COLOR !== undefined && NO_COLOR !== '') return false
    if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0'
    return output.isTTY === true && TERM !== 'dumb'
  }
}
