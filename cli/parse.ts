/**
 * From the words that were typed to a command and its call. The one idea: whatever is not understood is named, with
 * the nearest thing that would be.
 */
import { parseArgs } from 'node:util'
import { hint } from '../lab/index.ts'
import { type Command, type OptionSpec, UsageError } from './command.ts'

/** Options of every command. */
export const COMMON_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  json: { describes: 'print one JSON document' },
  help: { describes: 'tell how the command is used' },
}

/** The words of a call, taken apart. */
export interface ParsedCall {
  readonly command: Command
  readonly arguments: readonly string[]
  readonly values: ReadonlyMap<string, string | true>
}

/**
 * The command that the words begin with, and the words after it.
 * @throws UsageError naming the word that is no command
 */
export function findCommand(
  words: readonly string[],
  commands: readonly Command[],
): { command: Command; rest: string[] } {
  const matches = commands.filter(({ words: own }) => own.every((word, index) => words[index] === word))
  const command = matches.sort((a, b) => b.words.length - a.words.length)[0]
  if (command !== undefined) return { command, rest: words.slice(command.words.length) }
  for (let depth = 0; ; depth++) {
    const before = words.slice(0, depth)
    const known = nextWords(before, commands)
    const word = words[depth]
    if (word !== undefined && !word.startsWith('-') && known.includes(word)) continue
    const where = ['pronto', ...before].join(' ')
    if (word === undefined || word.startsWith('-'))
      throw new UsageError(`expected a command after ${where}: ${known.join(', ')}`)
    throw new UsageError(`${where} has no command ${word}${hint(word, known)}`)
  }
}

/** The words that may follow some words of a command. */
export function nextWords(words: readonly string[], commands: readonly Command[]): string[] {
  const next = commands.flatMap(({ words: own }) =>
    own.length > words.length && words.every((word, index) => own[index] === word)
      ? [own[words.length]!]
      : [],
  )
  return [...new Set(next)]
}

/**
 * The options and arguments of a command. Without checks when help is asked for.
 * @throws UsageError
 */
export function parseCall(command: Command, rest: readonly string[]): ParsedCall {
  const known = { ...command.options, ...COMMON_OPTIONS }
  const types = Object.entries(known).map(([name, { value }]) => {
    const type = value === undefined ? ('boolean' as const) : ('string' as const)
    return [name, name === 'help' ? { type, short: 'h' } : { type }] as const
  })
  const options = Object.fromEntries(types)
  const { tokens } = parseArgs({
    args: [...rest],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values = new Map<string, string | true>()
  const given: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') given.push(token.value)
    else if (token.kind === 'option') {
      const spec = Object.hasOwn(known, token.name) ? known[token.name] : undefined
      values.set(token.name, optionValue(token.rawName, token.name, token.value, spec, known, values))
    }
  }
  if (!values.has('help')) checkArguments(command, given)
  return { command, arguments: given, values }
}

function optionValue(
  raw: string,
  name: string,
  value: string | undefined,
  spec: OptionSpec | undefined,
  known: Readonly<Record<string, OptionSpec>>,
  values: ReadonlyMap<string, unknown>,
): string | true {
  if (spec === undefined) {
    const near = hint(name, Object.keys(known)).replace('mean ', 'mean --')
    throw new UsageError(`there is no option ${raw}${near}`)
  }
  if (values.has(name)) throw new UsageError(`${raw} is given twice`)
  if (spec.value === undefined) {
    if (value !== undefined) throw new UsageError(`${raw} takes no value, got ${value}`)
    return true
  }
  if (value === undefined || value === '') throw new UsageError(`${raw} needs a value: ${raw} ${spec.value}`)
  return value
}

function checkArguments({ parameters }: Command, given: readonly string[]): void {
  const missing = parameters[given.length]
  if (missing !== undefined && missing.optional !== true)
    throw new UsageError(`expected ${missing.name}: ${missing.describes}`)
  if (parameters.at(-1)?.many === true) return
  const extra = given[parameters.length]
  if (extra !== undefined) throw new UsageError(`unexpected argument ${extra}`)
}
