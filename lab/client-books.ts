/**
 * The books of one client of the lab file over all lives of its host. The one idea: each life is an application with
 * its own report; what was under way when the host died has failed.
 */
import type { ClientReport as ApplicationReport } from '../host/stack/index.ts'
import type { ClientReport } from './report.ts'

export class ClientBooks {
  readonly #past: ApplicationReport[] = []

  /** Requests made in earlier lives. */
  get attempted(): number {
    return this.#past.reduce((sum, each) => sum + each.attempted, 0)
  }

  /** The host died: closes the books of this life. */
  close(report: ApplicationReport): void {
    this.#past.push({ ...report, failed: report.attempted - report.completed })
  }

  /** All lives, the present one included. */
  report(present: ApplicationReport | undefined): ClientReport {
    const lives = present === undefined ? this.#past : [...this.#past, present]
    const sum = (pick: (life: ApplicationReport) => number) =>
      lives.reduce((total, life) => total + pick(life), 0)
    const latencies = lives.flatMap((life) => life.latencies).sort((a, b) => a - b)
    const servers = new Map<string, number>()
    for (const life of lives)
      for (const [name, count] of Object.entries(life.servers))
        servers.set(name, (servers.get(name) ?? 0) + count)
    return {
      attempted: sum((life) => life.attempted),
      completed: sum((life) => life.completed),
      failed: sum((life) => life.failed),
      bytesIn: sum((life) => life.bytesIn),
      bytesOut: sum((life) => life.bytesOut),
      latencyMs: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
      servers: Object.fromEntries([...servers].sort(([a], [b]) => (a < b ? -1 : 1))),
      corrupted: sum((life) => life.corrupted),
    }
  }
}

/** In ms, of ascending nanoseconds; null of none. */
function percentile(sorted: readonly number[], share: number): number | null {
  return sorted.length === 0 ? null : sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] / 1e6
}
