/** The documents for readers: README.md and docs/*.md, taken apart for the tests that keep them true. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = resolve(fileURLToPath(new URL('../..', import.meta.url)))

export interface Block {
  /** What stands behind the opening fence: `yaml router`. */
  readonly info: string
  readonly text: string
  /** Of the opening fence, from 1. */
  readonly line: number
}

export interface Document {
  /** From the root: `docs/lab.md`. */
  readonly file: string
  readonly text: string
  readonly blocks: readonly Block[]
  /** The text without its blocks. */
  readonly prose: string
}

export const documents: readonly Document[] = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((each) => each.endsWith('.md'))
    .map((each) => `docs/${each}`),
].map((file) => takeApart(file, readFileSync(join(ROOT, file), 'utf8')))

function takeApart(file: string, text: string): Document {
  const blocks: Block[] = []
  const prose: string[] = []
  let open: { info: string; line: number; lines: string[]; indent: number } | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^( *)```(.*)$/.exec(line)
    if (fence === null) (open?.lines ?? prose).push(line.slice(open?.indent ?? 0))
    else if (open === undefined)
      open = { info: fence[2]!.trim(), line: index + 1, lines: [], indent: fence[1]!.length }
    else {
      blocks.push({ info: open.info, line: open.line, text: open.lines.join('\n') })
      open = undefined
    }
  }
  return { file, text, blocks, prose: prose.join('\n') }
}

/** A heading as links name it. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-')
}
