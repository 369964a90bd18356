/** What `pronto plugin dev` tells: lines for people, or a JSON document a line. */
import type { Paint } from '../../lab/index.ts'
import type { LogLine } from '../../router/control-client/index.ts'
import { formatPluginProblem } from '../../sdk/tools.ts'
import { harmless, warningLines } from '../commands/refusals.ts'
import { logLine } from '../commands/router-plugins.ts'
import { counted, resultLines, totalLine } from '../commands/test-lines.ts'
import type { Terminal } from '../terminal.ts'
import type { Look } from './look.ts'
import type { Placed } from './place.ts'
import { type Spread, spreadLine } from './spread.ts'

const CHANGES_SHOWN = 12

export class News {
  readonly #terminal: Terminal
  readonly #json: boolean

  constructor(terminal: Terminal, json: boolean) {
    this.#terminal = terminal
    this.#json = json
  }

  /** @param isPlaced whether what is right goes to a router */
  look(look: Look, isPlaced: boolean): void {
    const { built, problems, types, tests } = look
    const { paint } = this.#terminal
    if (this.#json) {
      const { name, version } = built?.manifest ?? {}
      const what = { ok: built !== undefined, name, version, digest: built?.digest, problems }
      return this.#tell('look', {
        ...what,
        warnings: built?.warnings ?? [],
        types: types ?? null,
        tests: tests ?? null,
      })
    }
    const failed = tests?.tests.filter((each) => each.status === 'failed') ?? []
    const wrong = [...problems, ...(types ?? [])].map(formatPluginProblem)
    this.#print(
      `${paint.dim(new Date().toTimeString().slice(0, 8))} ${this.#verdict(look, isPlaced)}`,
      ...wrong.flatMap((each) => each.split('\n')).map((each) => `  ${harmless(each)}`),
      ...warningLines(built?.warnings ?? []).map((each) => `  ${each}`),
      ...failed.flatMap((each) => resultLines(each, paint)).map((each) => `  ${each}`),
    )
  }

  placed(all: readonly Placed[], version: string): void {
    const { paint } = this.#terminal
    for (const each of all)
      if (this.#json) this.#tell('placed', { ...each, version })
      else this.#print(...(each.ok ? placedLines(each, version, paint) : refusedLines(each, paint)))
  }

  logs(router: string, lines: readonly LogLine[]): void {
    if (this.#json) for (const line of lines) this.#tell('log', { router, ...line })
    else this.#print(...foldedLines(lines))
  }

  spread(spread: Spread): void {
    if (this.#json) this.#tell('spread', { ...spread })
    else this.#print(spreadLine(spread, this.#terminal.paint))
  }

  /** Something that is no news of the plugin. */
  note(text: string): void {
    if (this.#json) this.#tell('note', { text })
    else this.#print(harmless(text))
  }

  #verdict({ built, types, tests }: Look, isPlaced: boolean): string {
    const { paint } = this.#terminal
    if (built === undefined) return paint.bad('not built')
    const { name, version } = built.manifest
    const typed =
      types === undefined
        ? paint.dim('types not checked (npm install -D typescript)')
        : types.length === 0
          ? 'types right'
          : paint.bad(counted(types.length, 'type error'))
    const tested = tests === undefined ? paint.dim('no tests') : totalLine(tests, paint)
    const isWrong = (types?.length ?? 0) + (tests?.failed ?? 0) > 0
    const end = isWrong && isPlaced ? '; the version before goes on' : ''
    return `${name} ${version}: ${built.codeBytes} bytes, ${typed}, ${tested}${end}`
  }

  #tell(event: string, news: object): void {
    this.#terminal.print(JSON.stringify({ event, ...news }))
  }

  #print(...lines: readonly string[]): void {
    this.#terminal.print(...lines)
  }
}

function placedLines(
  { router, id, changes, warnings, flows }: Placed,
  version: string,
  paint: Paint,
): string[] {
  const shown = changes.slice(0, CHANGES_SHOWN)
  const rest = changes.length - shown.length
  return [
    `  ${router}: ${paint.good(`${id} ${version} runs`)}${flows === 0 ? '' : `, ${counted(flows, 'flow')} go on`}`,
    ...shown.map((each) => `    ${harmless(each)}`),
    ...(rest > 0 ? [`    and ${rest} more changes`] : []),
    ...warnings.map((each) => `    warning: ${harmless(each)}`),
  ]
}

function refusedLines({ router, reason = '', replaces }: Placed, paint: Paint): string[] {
  const end = replaces ? '; the version before goes on' : ''
  const [first, ...rest] = `${reason}${end}`.split('\n').map(harmless)
  return [`  ${router}: ${paint.bad('refused')}: ${first}`, ...rest.map((each) => `    ${each}`)]
}

/** Lines that say the same are told once, with their count. */
function foldedLines(lines: readonly LogLine[]): string[] {
  const folded: { line: LogLine; count: number }[] = []
  for (const line of lines) {
    const last = folded.at(-1)
    const { id, by, level, text } = last?.line ?? {}
    const isSame = line.id === id && line.by === by && line.level === level && line.text === text
    if (last !== undefined && isSame) last.count++
    else folded.push({ line, count: 1 })
  }
  return folded.map(({ line, count }) => (count === 1 ? logLine(line) : `${logLine(line)}  (${count} times)`))
}
