/**
 * The query and response engine (R-PR-04, 1115): every state of the engine as tables of plain rows, asked for once
 * or watched. The one idea: one shape for everything, so that a command line, a plugin and a browser ask alike.
 * Questions must not stop the router: rows are limited, those given and those looked at, and watching is bounded in
 * number and in frequency.
 */
import { MILLISECOND, type Nanoseconds, NEVER } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { SignalingView } from './signaling-view.ts'
import { type Cell, type QuerySource, type Row, TABLE_NAMES, TABLES, type TableName } from './tables.ts'

/** Most rows that one answer gives or looks at, and how many it gives when not said. */
export const ROW_LIMIT = 100_000
export const DEFAULT_ROWS = 1000
/** Most watches of an engine, and the shortest time between two answers. */
export const WATCH_LIMIT = 256
export const LEAST_INTERVAL_NS: Nanoseconds = 10 * MILLISECOND

export interface Query {
  readonly table: string
  /** Only rows whose cells equal these. */
  readonly where?: Readonly<Record<string, Cell>>
  /** Most rows, 1..ROW_LIMIT. Default DEFAULT_ROWS. */
  readonly limit?: number
}

export interface Answer {
  readonly table: string
  /** Time of the answer. */
  readonly atNs: Nanoseconds
  readonly rows: readonly Row[]
  /** There were more rows than `limit`, or more than ROW_LIMIT to look at. */
  readonly truncated: boolean
}

interface Watch {
  readonly query: Query
  readonly intervalNs: Nanoseconds
  readonly sink: (answer: Answer) => void
  dueAt: Nanoseconds
}

export class QueryEngine {
  readonly #source: QuerySource
  readonly #watches = new Map<number, Watch>()
  #nextWatch = 1
  #pollAt: Nanoseconds = NEVER

  constructor(source: QuerySource) {
    this.#source = source
  }

  /** Gives the tables of signaling their rows; undefined takes them away. */
  set signaling(view: SignalingView | undefined) {
    this.#source.signaling = view
  }

  /** The rows of a table now. @throws EngineError `unknown` table or column, `invalid` limit */
  get(query: Query, now: Nanoseconds): Answer {
    const { table, where = {}, limit = DEFAULT_ROWS } = query
    const name = tableName(table)
    if (!Number.isInteger(limit) || limit < 1 || limit > ROW_LIMIT)
      throw new EngineError('invalid', `expected 1..${ROW_LIMIT} rows, got ${limit}`, 'limit')
    const conditions = Object.entries(where)
    requireColumns(name, conditions)
    const rows: Row[] = []
    let looked = 0
    for (const row of TABLES[name].rows(this.#source, now)) {
      const matches = conditions.every(([column, wanted]) => row[column] === wanted)
      if (looked++ === ROW_LIMIT || (matches && rows.length === limit))
        return { table: name, atNs: now, rows, truncated: true }
      if (matches) rows.push(row)
    }
    return { table: name, atNs: now, rows, truncated: false }
  }

  /**
   * Answers a query now and then every `intervalNs`, until `unwatch`. Returns the watch's number.
   * @throws EngineError as `get`; `invalid` interval; `limit`; what the sink throws at once: then nothing is watched
   */
  watch(query: Query, intervalNs: Nanoseconds, sink: (answer: Answer) => void, now: Nanoseconds): number {
    if (!(intervalNs >= LEAST_INTERVAL_NS))
      throw new EngineError('invalid', `expected at least ${LEAST_INTERVAL_NS} ns`, 'intervalNs')
    if (this.#watches.size >= WATCH_LIMIT) throw new EngineError('limit', `more than ${WATCH_LIMIT} watches`)
    sink(this.get(query, now))
    const watch = this.#nextWatch++
    this.#watches.set(watch, { query, intervalNs, sink, dueAt: now + intervalNs })
    this.#pollAt = Math.min(this.#pollAt, now + intervalNs)
    return watch
  }

  /** Ends a watch. Idempotent. */
  unwatch(watch: number): void {
    this.#watches.delete(watch)
  }

  /** When the next watch is due. */
  get pollAt(): Nanoseconds {
    return this.#pollAt
  }

  /** Answers the watches that are due. A sink that throws ends its own watch only. */
  poll(now: Nanoseconds): void {
    for (const [number, watch] of this.#watches) {
      if (watch.dueAt > now) continue
      // Answers that were missed are not made up for.
      watch.dueAt = now + watch.intervalNs
      try {
        watch.sink(this.get(watch.query, now))
      } catch {
        this.#watches.delete(number)
      }
    }
    this.#pollAt = NEVER
    for (const { dueAt } of this.#watches.values()) this.#pollAt = Math.min(this.#pollAt, dueAt)
  }
}

function tableName(name: string): TableName {
  const found = TABLE_NAMES.find((each) => each === name)
  if (found === undefined)
    throw new EngineError(
      'unknown',
      `no table ${JSON.stringify(name)}; there are ${TABLE_NAMES.join(', ')}`,
      'table',
    )
  return found
}

function requireColumns(table: TableName, conditions: readonly (readonly [string, Cell])[]): void {
  for (const [column] of conditions)
    if (!TABLES[table].columns.includes(column))
      throw new EngineError(
        'unknown',
        `table ${table} has no column ${JSON.stringify(column)}`,
        `where.${column}`,
      )
}
