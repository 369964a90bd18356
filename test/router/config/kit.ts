/** Router configurations for tests: a small correct one, changed ones, and engines that run them. */

import { DocumentError, type Problem } from '../../../document/index.ts'
import {
  type Change,
  Engine,
  EngineError,
  MemoryPort,
  type Nanoseconds,
  ROUTER_OWNER,
  type Row,
  TABLE_NAMES,
} from '../../../engine/index.ts'
import { parseRouterConfig, type RouterConfig } from '../../../router/config/index.ts'

export const SAMPLE = `name: r1
addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24 }
routes:
  - { to: 10.9.0.0/16, via: 10.0.2.9 }
policy:
  tunnels: { s1: 10.0.2.2, s2: { to: 10.9.0.2, ttl: 9 } }
  classes:
    - { name: web, weight: 3, ceiling: 10Mbps }
    - { name: gold, parent: web, weight: 2 }
  filters:
    - { name: a, to: 198.18.0.0/15, action: { tunnel: s1 } }
    - { name: b, to: 198.18.0.0/15, protocol: tcp, action: { class: gold, then: { tunnel: s2 } } }
fallback: open
`

/** The configuration of a text. */
export function configOf(text: string): RouterConfig {
  return parseRouterConfig(text, 'router.yaml', '/etc/pronto')
}

/** The sample with one place changed; the place must be there. */
export function changed(from: string, to: string, text = SAMPLE): string {
  if (!text.includes(from)) throw new Error(`the sample has no ${from}`)
  return text.replace(from, () => to)
}

/** Why a text is refused; empty when it is not. */
export function problemsOf(text: string): readonly Problem[] {
  try {
    configOf(text)
    return []
  } catch (error) {
    if (error instanceof DocumentError) return error.problems
    throw error
  }
}

/** `line:column path: message` of every problem. */
export function refusalsOf(text: string): readonly string[] {
  return problemsOf(text).map((each) => `${each.line}:${each.column} ${each.path}: ${each.message}`)
}

const NOW: Nanoseconds = 1_000_000

/** An engine with the ports of a configuration. */
export function engineFor(ports: readonly string[]): Engine {
  const engine = new Engine({ seed: 1, slab: { capacity: 64 } })
  for (const [index, name] of ports.entries()) {
    const mac = Uint8Array.of(2, 0, 0, 0, 0, index + 1)
    engine.addPort({ name, driver: new MemoryPort({ name, mac, maxFrameBytes: 1514 }) })
  }
  return engine
}

export function commit(engine: Engine, changes: readonly Change[]): void {
  engine.control.commit(ROUTER_OWNER, changes, NOW)
}

/** Columns that tell what a router went through rather than what it is like. */
const HISTORY = ['tunnel', 'id']

/** What a router is configured with, as its queries show it, in an order that means something. */
export function stateOf(engine: Engine): Record<string, readonly Row[]> {
  const names = new Map(
    engine.query
      .get({ table: 'tunnels', limit: 100_000 }, NOW)
      .rows.map((row) => [`${row['tunnel']}`, row['name']]),
  )
  const named = (cell: unknown) =>
    typeof cell === 'string'
      ? cell.replace(/\btunnel (\d+)/g, (_, number) => `tunnel ${names.get(number)}`)
      : cell
  const tables = TABLE_NAMES.filter((name) =>
    ['ports', 'routes', 'classes', 'tunnels', 'filters', 'queues'].includes(name),
  )
  return Object.fromEntries(
    tables.map((table) => {
      const { rows } = engine.query.get({ table, limit: 100_000 }, NOW)
      const plain = rows.map(
        (row) =>
          Object.fromEntries(
            Object.entries(row)
              .filter(([key]) => !HISTORY.includes(key))
              .map(([key, cell]) => [key, named(cell)]),
          ) as Row,
      )
      const isOrdered = table === 'filters'
      return [table, isOrdered ? byPriority(plain) : sorted(plain)]
    }),
  )
}

function sorted(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

/** The table lists filters by owner and age; only the order among those of one priority matters. */
function byPriority(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => Number(b['priority']) - Number(a['priority']))
}

/** The engine's refusal of what `work` does; fails when there is none. */
export function refusalOf(work: () => void): EngineError {
  try {
    work()
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
