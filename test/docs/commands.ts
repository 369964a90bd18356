/** Commands of pronto as documents write them: in blocks, in backquotes, with placeholders and alternatives. */
import type { Document } from './documents.ts'

export interface WrittenCommand {
  /** As it stands there. */
  readonly text: string
  /** The words after `pronto`, one list for each alternative (`drain|resume`). */
  readonly calls: readonly (readonly string[])[]
}

/** All commands in a document. */
export function commandsIn({ blocks, prose }: Document): WrittenCommand[] {
  const code = blocks
    .filter(({ info }) => info === '' || info === 'sh' || info === 'ini')
    .flatMap(({ text }) => text.split('\n').flatMap(commandsOfLine))
  const inline = [...prose.matchAll(/`([^`\n]+)`/g)].flatMap((match) => commandsOfLine(match[1]!))
  return [...code, ...inline]
}

/** Only where a command begins: output and prose also have the word. */
function commandsOfLine(line: string): WrittenCommand[] {
  // Beside each other in one line, as in a table of commands.
  return line.split(/ {3,}(?=pronto )| && |; /).flatMap((part) => {
    const found =
      /^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:sudo )?(?:setpriv (?:--\S+ )+)?(?:npx )?pronto ([a-z-].*)$/.exec(part)
    if (found === null) return []
    const text = found[1]!.replace(/\s#\s.*$|\s+#$| {3,}.*$/, '').trim()
    return [{ text, calls: alternatives(text).map(wordsOf) }]
  })
}

/** `a b|c` is `a b` and `a c`; so is `a | b` where one word is named after another. */
function alternatives(text: string): string[] {
  const named = text.split(' | ')
  if (named.length > 1 && named.slice(0, -1).every((each) => /^[a-z]+$/.test(each))) {
    const rest = named.at(-1)!
    return [...named.slice(0, -1), rest]
  }
  const [command] = named as [string]
  const choice = /(?<![A-Z'"[-])\b([a-z]+(?:\|[a-z]+)+)\b/.exec(command)
  if (choice === null) return [command]
  return choice[1]!
    .split('|')
    .map((each) => command.slice(0, choice.index) + each + command.slice(choice.index + choice[0].length))
}

/** Words without quotes and without the brackets of what may be left out. */
function wordsOf(text: string): string[] {
  const words = text.match(/'[^']*'|"[^"]*"|\S+/g) ?? []
  return words.map((each) => each.replace(/^[['"]+|[\]'"]+$/g, '')).filter((each) => each !== '')
}
