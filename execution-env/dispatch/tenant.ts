/**
 * A tenant: a plugin instance as the engine and the dispatcher know it, whichever version of it serves. The one idea:
 * what an instance holds and what waits for it belongs to the tenant, so that an upgrade or a crash changes who serves
 * and nothing else.
 */
import { EndQueue } from './end-queue.ts'
import { HandleQueue } from './handle-queue.ts'
import { Holdings } from './holdings.ts'
import { Mailbox } from './mailbox.ts'
import type { Program } from './program.ts'
import { type LogEntry, ProgramLog } from './program-log.ts'

export interface TenantOptions {
  /** Owner in the engine; the instance's id. */
  readonly id: string
  /** Hears of every line of its log. */
  readonly onLog?: (entry: LogEntry) => void
}

/** Everything that is counted of a tenant; sums over all versions. */
export interface TenantCounters {
  /** Flows decided by the plugin. */
  decisions: number
  /** Flows left to the fallback: the plugin said so, failed, or was not there. */
  fallbacks: number
  /** Handlers that threw. */
  faults: number
  /** Answers that came too late. */
  late: number
  /** Decisions that were not allowed or not understood. */
  refusedDecisions: number
  /** Flows that could not be pinned: a full table. */
  unpinned: number
  parked: number
  batches: number
  calls: number
  transactions: number
  refusedTransactions: number
  messagesIn: number
  messagesOut: number
  messagesDropped: number
  timers: number
  /** Timers that came when the last call of them had not been made yet, or too often. */
  timersMissed: number
  /** Requests to the proxies, and those of them that were too many. */
  requests: number
  requestsRefused: number
  /** Time at the processor: measured, or as modelled. */
  cpuNs: number
}

const zero = (): TenantCounters => ({
  decisions: 0,
  fallbacks: 0,
  faults: 0,
  late: 0,
  refusedDecisions: 0,
  unpinned: 0,
  parked: 0,
  batches: 0,
  calls: 0,
  transactions: 0,
  refusedTransactions: 0,
  messagesIn: 0,
  messagesOut: 0,
  messagesDropped: 0,
  timers: 0,
  timersMissed: 0,
  requests: 0,
  requestsRefused: 0,
  cpuNs: 0,
})

/** Upcalls that wait for their turn. */
const UPCALLS_LIMIT = 65_536

export class Tenant {
  readonly id: string
  /** Number of the owner in the engine. */
  readonly owner: number
  /** Place among the tenants: earlier ones come first where times are equal. */
  readonly order: number
  readonly holdings = new Holdings()
  readonly upcalls = new HandleQueue(UPCALLS_LIMIT)
  readonly mailbox = new Mailbox()
  readonly ends = new EndQueue()
  readonly log: ProgramLog
  readonly counters = zero()
  /** Upcalls that are parked because the plugin said so, by flow key. */
  readonly parked = new Map<string, number>()
  /** The version that serves. */
  program: Program | undefined
  /** The version that serves or served last: ends of flows are told in its numbers. */
  last: Program | undefined
  /** Nothing is asked of the program; what comes waits. */
  suspended = false
  /** A turn is under way. */
  busy = false
  /** Called once when it is over. */
  whenIdle: ((now: number) => void) | undefined
  /** Requests for which a proxy works. */
  requestsUnderWay = 0
  /** Which kind of work has the next turn, if there is some. */
  nextKind = 0
  #filters = 0

  constructor(options: TenantOptions, owner: number, order: number) {
    this.id = options.id
    this.owner = owner
    this.order = order
    this.log = new ProgramLog(Number.POSITIVE_INFINITY, options.onLog)
  }

  /** Whether there is something that the program could be called for. */
  get hasWork(): boolean {
    return this.upcalls.size > 0 || this.mailbox.size > 0 || this.ends.size > 0
  }

  /** From now on what waits is told in the numbers of this program. */
  takeNumbersOf(program: Program): void {
    const keys = new Map([...(this.last?.tunnels ?? [])].map(([key, number]) => [number, key]))
    this.ends.renumber((number) => program.tunnels.get(keys.get(number) ?? '') ?? 0)
    this.last = program
  }

  /** Name of one of its classes in the engine. */
  className(key: string): string {
    return `${this.id}:${key}`
  }

  filterName(): string {
    return `claim-${++this.#filters}`
  }
}
