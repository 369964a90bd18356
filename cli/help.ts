/** Help texts, made from the command table alone. */
import type { Command } from './command.ts'
import { COMMON_OPTIONS } from './parse.ts'

/** `pronto lab run FILE [options]` */
export function usageLine({ words, parameters }: Command): string {
  const names = parameters.map(({ name, optional }) => (optional === true ? `[${name}]` : name))
  return ['pronto', ...words, ...names, '[options]'].join(' ')
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

/** The help of several commands: all, or those that begin with some words. */
export function tableHelp(commands: readonly Command[]): string[] {
  const rows = commands.map((command) => {
    const names = command.parameters.map(({ name, optional }) => (optional === true ? `[${name}]` : name))
    return [['pronto', ...command.words, ...names].join(' '), command.summary] as const
  })
  return [...columns(rows), '', 'pronto COMMAND --help tells more about a command; every command has --json.']
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}

/** A command as data, for `help --json`. */
export function describeCommand({ words, summary, parameters, options }: Command): object {
  return { command: words.join(' '), summary, parameters, options: { ...options, ...COMMON_OPTIONS } }
}
