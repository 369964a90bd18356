/** A line a second about a lab: how many decisions, who answered, what failed, since the line before. */
import { formatMilliseconds, type Measurements, type Paint } from '../../lab/index.ts'

interface Totals {
  readonly decisions: number
  readonly completed: number
  readonly failed: number
  readonly dropped: number
  readonly servers: ReadonlyMap<string, number>
}

export interface Spread {
  readonly seconds: number
  readonly decisions: number
  readonly completed: number
  readonly failed: number
  readonly dropped: number
  /** Answers by the server that gave them. */
  readonly servers: Readonly<Record<string, number>>
  /** Of all answers since the beginning. */
  readonly p50Ms: number | null
}

/** Turns counters since the beginning into what happened since the last look. */
export class SpreadMeter {
  #last: Totals = { decisions: 0, completed: 0, failed: 0, dropped: 0, servers: new Map() }

  take(measured: Measurements): Spread {
    const before = this.#last
    const now = totalsOf(measured)
    this.#last = now
    const servers = [...now.servers].map(([name, count]) => [name, count - (before.servers.get(name) ?? 0)])
    return {
      seconds: Math.round(measured.virtualSeconds),
      decisions: now.decisions - before.decisions,
      completed: now.completed - before.completed,
      failed: now.failed - before.failed,
      dropped: now.dropped - before.dropped,
      servers: Object.fromEntries(servers),
      p50Ms: Object.values(measured.clients).flat()[0]?.latencyMs.p50 ?? null,
    }
  }
}

function totalsOf(measured: Measurements): Totals {
  const clients = Object.values(measured.clients).flat()
  const routers = Object.values(measured.routers)
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
  const servers = new Map<string, number>()
  for (const client of clients)
    for (const [name, count] of Object.entries(client.servers))
      servers.set(name, (servers.get(name) ?? 0) + count)
  return {
    decisions: sum(routers.flatMap((each) => each.plugins.map(({ decisions }) => decisions))),
    completed: sum(clients.map((each) => each.completed)),
    failed: sum(clients.map((each) => each.failed)),
    dropped: sum(routers.flatMap((each) => Object.values(each.packets.dropped))),
    servers: new Map([...servers].sort(([one], [other]) => (one < other ? -1 : 1))),
  }
}

export function spreadLine(spread: Spread, paint: Paint): string {
  const { seconds, decisions, completed, failed, dropped, servers, p50Ms } = spread
  const shares = Object.entries(servers).map(([name, count]) => `${name} ${count}`)
  const fault = (count: number, text: string) => (count === 0 ? text : paint.bad(text))
  return [
    paint.dim(`${seconds} s`.padStart(6)),
    `${decisions} decisions`,
    `${completed} answers (${shares.join(', ')})`,
    fault(failed, `${failed} failed`),
    fault(dropped, `${dropped} dropped`),
    `median ${formatMilliseconds(p50Ms)}`,
  ].join('  ')
}
