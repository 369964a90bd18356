/** Help texts, made from the command table alone. */
import type { Command, CommandGroup, Parameter } from './command.ts'
import { COMMON_OPTIONS } from './parse.ts'

/** `pronto lab run FILE [options]` */
export function usageLine({ words, parameters }: Command): string {
  const names = parameters.map(namesOf)
  const last = parameters.at(-1)?.many === true ? [`-- ${names.pop()}`] : []
  return ['pronto', ...words, ...names, '[options]', ...last].join(' ')
}

function namesOf({ name, optional, many }: Parameter): string {
  if (many === true) return `${name}...`
  return optional === true ? `[${name}]` : name
}

/** The help of one command. */
export function commandHelp(command: Command): string[] {
  const options = Object.entries({ ...command.options, ...COMMON_OPTIONS })
  const rows = [
    ...command.parameters.map(({ name, describes }) => [name, describes] as const),
    ...options.map(
      ([name, { value, describes }]) =>
        [`--${name}${value === undefined ? '' : ` ${value}`}`, describes] as const,
    ),
  ]
  return [`${command.summary}.`, '', `usage: ${usageLine(command)}`, '', ...columns(rows)]
}

/** The help of several commands: all, or those that begin with some words. Headings stand above more than one group. */
export function tableHelp(groups: readonly CommandGroup[]): string[] {
  const shown = groups.filter(({ commands }) => commands.length > 0)
  const width = Math.max(...shown.flatMap(({ commands }) => commands.map((each) => wordsOf(each).length)))
  const lines = shown.flatMap(({ heading, commands }) => {
    const rows = columns(
      commands.map((each) => [wordsOf(each), each.summary] as const),
      width,
    )
    return shown.length > 1 ? [heading, ...rows, ''] : [...rows, '']
  })
  return [...lines, 'pronto COMMAND --help tells more about a command; every command has --json.']
}

function wordsOf({ words, parameters }: Command): string {
  const names = parameters.map(({ name, optional }) => (optional === true ? `[${name}]` : name))
  return ['pronto', ...words, ...names].join(' ')
}

function columns(
  rows: readonly (readonly [string, string])[],
  width = Math.max(...rows.map(([left]) => left.length)),
): string[] {
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}

/** A command as data, for `help --json`. */
export function describeCommand({ words, summary, parameters, options }: Command): object {
  return { command: words.join(' '), summary, parameters, options: { ...options, ...COMMON_OPTIONS } }
}
