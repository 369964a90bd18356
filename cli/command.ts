/**
 * What a command is. The one idea: a command is data (words, parameters, options) and one function; parsing, help,
 * suggestions, exit codes and errors are the same for all and stand elsewhere.
 */
import type { BackendRegistry } from '../lab/index.ts'
import type { Stop } from './stop.ts'
import type { Terminal } from './terminal.ts'

/** 0 done, 1 failed or an expectation not met, 2 wrong usage, 128 + n ended by a signal. */
export type ExitCode = number

export const DONE: ExitCode = 0
export const FAILED: ExitCode = 1
export const WRONG_USAGE: ExitCode = 2

/** `--name`, or `--name VALUE` where `value` says what. */
export interface OptionSpec {
  /** Placeholder of the value in capitals; absent for a flag. */
  readonly value?: string
  readonly describes: string
}

export interface Parameter {
  /** In capitals. */
  readonly name: string
  readonly describes: string
  readonly optional?: boolean
  /** The last one: it and all words after it. They stand after `--`, so that none is taken for an option. */
  readonly many?: boolean
}

/** What a command may use of the world. */
export interface World {
  readonly terminal: Terminal
  readonly stop: Stop
  readonly backends: BackendRegistry
  /** Monotonic milliseconds. */
  readonly clock: () => number
}

/** One call of a command, its words already checked. */
export interface Call extends World {
  /** As many as the command's mandatory parameters at least, as all of them at most unless the last one is many. */
  readonly arguments: readonly string[]
  /** Whether to print one JSON document. */
  readonly json: boolean
  /** The value of an option of the command, or undefined where it is not given. */
  option(name: string): string | undefined
  /** Whether a flag of the command is given. */
  flag(name: string): boolean
}

export interface Command {
  /** As typed: `['lab', 'run']`. */
  readonly words: readonly string[]
  /** One line without a full stop. */
  readonly summary: string
  readonly parameters: readonly Parameter[]
  /** Beside --help and --json, which every command has. */
  readonly options: Readonly<Record<string, OptionSpec>>
  /** @throws UsageError, or any error that says what failed */
  run(call: Call): Promise<ExitCode> | ExitCode
}

/** Commands that help shows together. */
export interface CommandGroup {
  readonly heading: string
  readonly commands: readonly Command[]
}

/** Words that make no call. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Something that could not be done, told without a stack. Exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code: string
  /** Where the message is a list of places in files: each of them as data. */
  readonly problems: readonly object[] | undefined

  constructor(code: string, message: string, problems?: readonly object[]) {
    super(message)
    this.code = code
    this.problems = problems
  }
}
