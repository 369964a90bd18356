/** Commands that look at a router: flows, tunnels, classes, queues, stats, query, explain. */
import { type Answer, type Cell, type Row, TABLE_NAMES } from '../../engine/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import { formatTable } from '../../lab/index.ts'
import {
  explanationLines,
  FLOW_FORM,
  type FlowExplanation,
  type MethodName,
  parseFlow,
} from '../../router/control-client/index.ts'
import { type Call, type Command, CommandError, DONE, type OptionSpec, UsageError } from '../command.ts'
import { harmless } from './refusals.ts'
import { asCommandError, jsonArgument, numberOption, ROUTER_OPTIONS, withRouter } from './router-options.ts'

const MAX_ROWS = 10_000

const ROW_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  where: { value: 'COLUMN=VALUE,...', describes: 'only rows with these values' },
  limit: { value: 'N', describes: `most rows, 1 to ${MAX_ROWS}; default 1000` },
  ...ROUTER_OPTIONS,
}

/** Columns that a person does not need; --json has them all. */
const HIDDEN: Readonly<Record<string, readonly string[]>> = {
  flows: ['id', 'createdNs', 'lastSeenNs'],
  queues: ['delaysLog2Ns'],
  tunnels: ['tunnel', 'receivedPackets', 'receivedBytes'],
}

function table(name: MethodName, summary: string): Command {
  return {
    words: [name],
    summary,
    parameters: [],
    options: ROW_OPTIONS,
    run(call) {
      const params = rowParams(call)
      return withRouter(call, 'read', async (client) => {
        tellAnswer(call, (await client.call(name, params)) as unknown as Answer)
        return DONE
      })
    },
  }
}

export const flows = table('flows', 'List the flows in the table of a router')
export const tunnels = table('tunnels', 'List the tunnels of a router')
export const classes = table('classes', 'List the traffic classes of a router')
export const queues = table('queues', 'List the queues of a router: what waits, passed and was dropped')

export const stats: Command = {
  words: ['stats'],
  summary: 'Show the counters, limits and ports of a router',
  parameters: [],
  options: ROUTER_OPTIONS,
  run: (call) =>
    withRouter(call, 'read', async (client) => {
      const result = (await client.call('stats')) as Record<string, unknown>
      if (call.json) call.terminal.printJson(result)
      else
        for (const [name, rows] of Object.entries(result)) {
          if (Array.isArray(rows))
            call.terminal.print(name, ...rowLines(call, name, nonZero(name, rows as Row[])))
        }
      return DONE
    }),
}

export const query: Command = {
  words: ['query'],
  summary: 'Ask for a table of a router, or ID/NAME: what a plugin answers',
  parameters: [
    { name: 'NAME', describes: `one of ${TABLE_NAMES.join(', ')}; or ID/NAME` },
    { name: 'JSON', describes: "a plugin's argument; default null", optional: true },
  ],
  options: ROW_OPTIONS,
  run(call) {
    const [name, text] = call.arguments as [string, string?]
    const argument = jsonArgument('JSON', text)
    const params = { name, ...rowParams(call), ...(argument === undefined ? {} : { argument }) }
    return withRouter(call, 'read', async (client) => {
      const result = await client.call('query', params)
      if (name.includes('/')) call.terminal.printJson(result)
      else tellAnswer(call, result as unknown as Answer)
      return DONE
    })
  },
}

export const explain: Command = {
  words: ['explain'],
  summary: 'Tell what a router would do with a flow, and why',
  parameters: [{ name: 'FLOW', describes: `a flow such as ${FLOW_FORM}, or the id of one in the table` }],
  options: {
    in: { value: 'PORT', describes: 'the port of the router by which it comes' },
    ...ROUTER_OPTIONS,
  },
  run(call) {
    const [text] = call.arguments as [string]
    const inPort = call.option('in')
    return withRouter(call, 'read', async (client) => {
      const written = /^\d+$/.test(text)
        ? flowOf(await client.call('flows', { where: { id: Number(text) } }))
        : text
      const flow = { ...flowIn(written), ...(inPort === undefined ? {} : { inPort }) }
      const explanation = (await client.call('explain', flow)) as unknown as FlowExplanation
      if (call.json) call.terminal.printJson(explanation)
      else call.terminal.print(...explanationLines(explanation).map(harmless))
      return DONE
    })
  },
}

function flowIn(text: string): object {
  try {
    return parseFlow(text)
  } catch (error) {
    throw asCommandError(error)
  }
}

/** A row of the flow table as a flow is written. */
function flowOf(answer: JsonValue): string {
  const [row] = (answer as unknown as Answer).rows
  if (row === undefined) throw new CommandError('unknown', 'no flow of this id is in the table')
  const { protocol, from, fromPort, to, toPort } = row
  if (protocol === 'icmp') return `icmp ${from} > ${to} id ${fromPort}`
  return fromPort === 0 && toPort === 0
    ? `${protocol} ${from} > ${to}`
    : `${protocol} ${from}:${fromPort} > ${to}:${toPort}`
}

/** `where` and `limit` of a call. @throws UsageError */
export function rowParams(call: Call): { where?: Record<string, Cell>; limit?: number } {
  const limit = numberOption(call, 'limit', 1, MAX_ROWS)
  const text = call.option('where')
  const where = text === undefined ? undefined : Object.fromEntries(text.split(',').map(condition))
  return { ...(where === undefined ? {} : { where }), ...(limit === undefined ? {} : { limit }) }
}

function condition(text: string): [string, Cell] {
  const at = text.indexOf('=')
  if (at < 1) throw new UsageError(`--where: expected COLUMN=VALUE, got ${text}`)
  return [text.slice(0, at).trim(), cellOf(text.slice(at + 1).trim())]
}

function cellOf(text: string): Cell {
  if (text === 'null') return null
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

/** Prints the rows of a table. */
export function tellAnswer(call: Call, answer: Answer): void {
  const { terminal } = call
  if (call.json) return terminal.printJson(answer)
  const { rows, truncated } = answer
  terminal.print(...rowLines(call, answer.table, rows))
  if (truncated) terminal.tell(`there are more than ${rows.length} rows; --where and --limit choose others`)
}

/** Lines of a table's rows. */
export function rowLines({ terminal }: Call, name: string, rows: readonly Row[]): string[] {
  const [first] = rows
  if (first === undefined) return ['  none']
  const columns = Object.keys(first).filter((each) => !HIDDEN[name]?.includes(each))
  const cells = rows.map((row) => columns.map((column) => shown(row[column] ?? null)))
  return formatTable(columns, cells, terminal.paint)
}

function shown(cell: Cell): string | number {
  if (typeof cell === 'number') return cell
  if (cell === null) return '-'
  return typeof cell === 'boolean' ? (cell ? 'yes' : 'no') : harmless(cell)
}

/** Of counters only those that have counted. */
function nonZero(name: string, rows: readonly Row[]): readonly Row[] {
  return name === 'counters' ? rows.filter((row) => row['value'] !== 0) : rows
}
