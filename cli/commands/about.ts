/** `pronto help` and `pronto version`. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Command, type CommandGroup, DONE } from '../command.ts'
import { commandHelp, describeCommand, tableHelp } from '../help.ts'
import { findCommand, nextWords } from '../parse.ts'

/** @param groups gives the whole table, this command included */
export function helpCommand(groups: () => readonly CommandGroup[]): Command {
  return {
    words: ['help'],
    summary: 'Tell what there is, or how a command is used',
    parameters: [
      { name: 'COMMAND', describes: 'a word or two of a command', optional: true },
      { name: 'WORD', describes: "the command's second word", optional: true },
    ],
    options: {},
    run(call) {
      const words = call.arguments
      const commands = groups().flatMap((group) => group.commands)
      if (words.length > 0 && nextWords(words, commands).length === 0) {
        const { command } = findCommand(words, commands)
        if (call.json) call.terminal.printJson(describeCommand(command))
        else call.terminal.print(...commandHelp(command))
        return DONE
      }
      const meant = groups().map(({ heading, commands: all }) => ({ heading, commands: all.filter(begins) }))
      if (call.json) call.terminal.printJson({ commands: meant.flatMap(describeGroup) })
      else call.terminal.print(...tableHelp(meant))
      return DONE

      function begins(each: Command): boolean {
        return words.every((word, index) => each.words[index] === word)
      }
    },
  }
}

function describeGroup({ heading, commands }: CommandGroup): object[] {
  return commands.map((each) => ({ ...describeCommand(each), group: heading }))
}

export const versionCommand: Command = {
  words: ['version'],
  summary: 'Tell the version of pronto and of the runtime that runs it',
  parameters: [],
  options: {},
  run(call) {
    const { name, version } = ownManifest()
    if (call.json) call.terminal.printJson({ name, version, node: process.version })
    else call.terminal.print(`${name} ${version} on Node ${process.version}`)
    return DONE
  },
}

/** Version of this package. */
export function ownVersion(): string {
  return ownManifest().version
}

/** This package's own package.json: the nearest above this file, in a clone and when built. */
function ownManifest(): { name: string; version: string } {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder)
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string; version: string }
}
