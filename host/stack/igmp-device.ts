/**
 * The group memberships of one device and their reports (RFC 3376 section 5). The one idea: changes made at one
 * instant share one report, so that a leave and a join are substantially simultaneous (R-MC-08); it is repeated as
 * the robustness variable says, at random times within a second.
 */
import type { IgmpRecord } from '../../engine/wire/index.ts'
import { StackError } from './errors.ts'
import { type FilterMode, GroupState, mergeFilters, type SourceFilter } from './group-state.ts'
import { type Nanoseconds, NEVER, SECOND, type StackClock } from './time.ts'
import { Timer, type TimerQueue } from './timers.ts'

const GROUP_LIMIT = 256
const SOURCE_LIMIT = 256
/** Sources of one group remembered of queries. */
const ASKED_LIMIT = 256
/** Records of one report, so that it fits any usual link. */
const REPORT_BYTES = 1400
const DEFAULT_ROBUSTNESS = 2
/** Between repetitions of a report: up to this long (RFC 3376 8.11). */
const UNSOLICITED_INTERVAL: Nanoseconds = 1 * SECOND
const RECORD_HEADER_BYTES = 8

/** One user's membership of a group. */
export interface Membership {
  readonly group: number
  /** Changes which sources are wanted. @throws StackError `closed` after leaving, `limit` */
  change(mode: FilterMode, sources: readonly number[]): void
  /** Ends the membership. Idempotent. */
  leave(): void
}

interface Member {
  readonly group: number
  readonly silent: boolean
  readonly filter: SourceFilter
}

export interface IgmpDeviceContext {
  readonly clock: StackClock
  readonly timers: TimerQueue
  readonly random: () => number
  /** Sends one report with these records. */
  report(records: readonly IgmpRecord[]): void
}

export class IgmpDevice {
  readonly #context: IgmpDeviceContext
  readonly #groups = new Map<number, GroupState>()
  readonly #timer = new Timer(() => this.#expire())
  /** By membership handle. */
  readonly #members = new Map<Membership, Member>()
  #robustness = DEFAULT_ROBUSTNESS
  #changeAt = NEVER
  #respondAt = NEVER

  constructor(context: IgmpDeviceContext) {
    this.#context = context
  }

  /** Whether packets from `source` to `group` are wanted. */
  accepts(group: number, source: number): boolean {
    return this.#groups.get(group)?.accepts(source) ?? false
  }

  isMember(group: number): boolean {
    return this.#groups.has(group)
  }

  /** @throws StackError `limit` */
  join(group: number, mode: FilterMode, sources: readonly number[], silent: boolean): Membership {
    if (!this.#groups.has(group) && this.#groups.size >= GROUP_LIMIT)
      throw new StackError('limit', `more than ${GROUP_LIMIT} groups`)
    const membership: Membership = {
      group,
      change: (newMode, newSources) => {
        if (!this.#members.has(membership)) throw new StackError('closed', 'the group was left')
        this.#members.set(membership, { group, silent, filter: filterOf(newMode, newSources) })
        this.#changed(group)
      },
      leave: () => {
        if (this.#members.delete(membership)) this.#changed(group)
      },
    }
    this.#members.set(membership, { group, silent, filter: filterOf(mode, sources) })
    this.#changed(group)
    return membership
  }

  /** A router asks: for everything, for a group (`group` not 0), or for sources of a group. */
  asked(group: number, sources: Uint32Array, robustness: number, longest: Nanoseconds): void {
    if (robustness > 0) this.#robustness = robustness
    const at = this.#context.clock.now + this.#delay(longest)
    if (this.#respondAt > at) {
      if (group === 0) this.#respondAt = at
      else this.#askedForGroup(this.#groups.get(group), sources, at)
    }
    this.#schedule()
  }

  #askedForGroup(state: GroupState | undefined, sources: Uint32Array, at: Nanoseconds): void {
    if (state === undefined) return
    const pending = state.respondAt !== NEVER
    if (sources.length === 0 || (pending && state.respondSources === null)) state.respondSources = null
    else {
      const all = [...(state.respondSources ?? []), ...sources]
      state.respondSources = new Set(all.slice(0, ASKED_LIMIT))
    }
    state.respondAt = Math.min(state.respondAt, at)
  }

  #changed(group: number): void {
    const members = [...this.#members.values()].filter((each) => each.group === group)
    const filters = (silent: boolean): SourceFilter[] =>
      members.filter((each) => each.silent === silent).map((each) => each.filter)
    const state = this.#groups.get(group) ?? new GroupState(group)
    this.#groups.set(group, state)
    const silent = filters(true)
    state.silent = silent.length === 0 ? null : mergeFilters(silent)
    state.change(mergeFilters(filters(false)), this.#robustness)
    if (state.changing) this.#changeAt = this.#context.clock.now
    this.#tidy(state)
    this.#schedule()
  }

  #expire(): void {
    const { now } = this.#context.clock
    if (this.#changeAt <= now) this.#reportChanges()
    if (this.#respondAt <= now) this.#respondAll()
    for (const state of [...this.#groups.values()])
      if (state.respondAt <= now) {
        this.#send(state.stateRecords(state.respondSources))
        state.respondAt = NEVER
        state.respondSources = null
      }
    this.#schedule()
  }

  #reportChanges(): void {
    const records: IgmpRecord[] = []
    let more = false
    for (const state of [...this.#groups.values()]) {
      if (!state.changing) continue
      records.push(...state.changeRecords())
      more ||= state.changing
      this.#tidy(state)
    }
    this.#changeAt = more ? this.#context.clock.now + this.#delay(UNSOLICITED_INTERVAL) : NEVER
    this.#send(records)
  }

  #respondAll(): void {
    this.#respondAt = NEVER
    const records: IgmpRecord[] = []
    for (const state of this.#groups.values()) {
      records.push(...state.stateRecords(null))
      state.respondAt = NEVER
      state.respondSources = null
    }
    this.#send(records)
  }

  /** Sends records in as few reports as they fit. */
  #send(records: readonly IgmpRecord[]): void {
    let batch: IgmpRecord[] = []
    let bytes = 0
    for (const record of records) {
      const size = RECORD_HEADER_BYTES + record.sources.length * 4
      if (batch.length > 0 && bytes + size > REPORT_BYTES) {
        this.#context.report(batch)
        batch = []
        bytes = 0
      }
      batch.push(record)
      bytes += size
    }
    if (batch.length > 0) this.#context.report(batch)
  }

  #tidy(state: GroupState): void {
    if (state.idle) this.#groups.delete(state.group)
  }

  #schedule(): void {
    let at = Math.min(this.#changeAt, this.#respondAt)
    for (const state of this.#groups.values()) at = Math.min(at, state.respondAt)
    this.#context.timers.arm(this.#timer, at)
  }

  /** A time in (0, longest]. */
  #delay(longest: Nanoseconds): Nanoseconds {
    return Math.max(1, Math.ceil((longest * this.#context.random()) / 0x1_0000_0000))
  }
}

function filterOf(mode: FilterMode, sources: readonly number[]): SourceFilter {
  if (sources.length > SOURCE_LIMIT) throw new StackError('limit', `more than ${SOURCE_LIMIT} sources`)
  return { mode, sources: new Set(sources) }
}
