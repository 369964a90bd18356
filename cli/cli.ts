/**
 * From typed words to an exit code. The one idea: every command ends here, with its errors told in one way: on
 * stderr for people, and with --json as one document on stdout.
 */
import { BackendUnavailableError, LabFileError } from '../lab/index.ts'
import {
  type Call,
  type Command,
  CommandError,
  DONE,
  type ExitCode,
  FAILED,
  UsageError,
  type World,
  WRONG_USAGE,
} from './command.ts'
import { commandHelp, describeCommand, tableHelp, usageLine } from './help.ts'
import { findCommand, nextWords, type ParsedCall, parseCall } from './parse.ts'
import { StopRequest } from './stop.ts'

/** Words that stand for others. */
const SYNONYMS: Readonly<Record<string, string>> = { '--version': 'version', '--help': 'help', '-h': 'help' }

/** Carries out the words that were typed after `pronto`. Throws nothing. */
export async function runCli(
  words: readonly string[],
  commands: readonly Command[],
  world: World,
): Promise<ExitCode> {
  const [first, ...others] = words
  const synonym = first === undefined ? 'help' : SYNONYMS[first]
  const typed = synonym === undefined ? words : [synonym, ...others]
  let command: Command | undefined
  try {
    if (isGroup(typed, commands)) return groupHelp(typed, commands, world)
    const found = findCommand(typed, commands)
    command = found.command
    return await runCall(parseCall(command, found.rest), world)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    const usage = command === undefined ? 'pronto help' : usageLine(command)
    world.terminal.tell(`pronto: ${error.message}`, `usage: ${usage}`)
    return WRONG_USAGE
  }
}

/** `pronto lab --help`: words that begin commands but are none. */
function isGroup(words: readonly string[], commands: readonly Command[]): boolean {
  const last = words.at(-1)
  return (last === '--help' || last === '-h') && nextWords(words.slice(0, -1), commands).length > 0
}

function groupHelp(words: readonly string[], commands: readonly Command[], { terminal }: World): ExitCode {
  const begin = words.slice(0, -1)
  const meant = commands.filter((each) => begin.every((word, index) => each.words[index] === word))
  terminal.print(...tableHelp([{ heading: '', commands: meant }]))
  return DONE
}

async function runCall(parsed: ParsedCall, world: World): Promise<ExitCode> {
  const { command, values } = parsed
  const json = values.has('json')
  const { terminal } = world
  if (values.has('help')) {
    if (json) terminal.printJson(describeCommand(command))
    else terminal.print(...commandHelp(command))
    return DONE
  }
  const call: Call = {
    ...world,
    arguments: parsed.arguments,
    json,
    option(name) {
      const value = values.get(name)
      return typeof value === 'string' ? value : undefined
    },
    flag: (name) => values.has(name),
  }
  try {
    return await command.run(call)
  } catch (error) {
    if (error instanceof UsageError) throw error
    return tellFailure(error, json, world)
  }
}

/** Tells why a command failed. Faults of a request are told in words, faults of this program with their stack. */
function tellFailure(error: unknown, json: boolean, { terminal }: World): ExitCode {
  if (error instanceof StopRequest) {
    terminal.tell(`pronto: ${error.message}`)
    return error.exitCode
  }
  const failure = describeFailure(error)
  const { message, problems } = failure
  terminal.tell(problems === undefined ? `pronto: ${message}` : message)
  if (failure.code === 'internal' && error instanceof Error) terminal.tell(String(error.stack))
  if (json) terminal.printJson({ error: failure })
  return FAILED
}

interface Failure {
  readonly code: string
  readonly message: string
  /** Places in files, each with its own line of the message. */
  readonly problems?: readonly object[]
}

function describeFailure(error: unknown): Failure {
  if (error instanceof LabFileError)
    return { code: error.code, message: error.message, problems: error.problems }
  if (error instanceof CommandError && error.problems !== undefined)
    return { code: error.code, message: error.message, problems: error.problems }
  if (error instanceof CommandError || error instanceof BackendUnavailableError)
    return { code: error.code, message: error.message }
  return { code: 'internal', message: `this is a fault of pronto itself: ${String(error)}` }
}
