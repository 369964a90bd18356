/**
 * What a device wants of one multicast group, and which changes of it are still to be reported (RFC 3376 sections 3
 * and 5.1). The one idea: memberships merge into one filter; a change of the filter becomes records that are sent as
 * often as the robustness variable says, later changes replacing earlier ones.
 */
import {
  type IgmpRecord,
  RECORD_ALLOW,
  RECORD_BLOCK,
  RECORD_IS_EXCLUDE,
  RECORD_IS_INCLUDE,
  RECORD_TO_EXCLUDE,
  RECORD_TO_INCLUDE,
} from '../../engine/wire/index.ts'

export type FilterMode = 'include' | 'exclude'

/** Which senders are wanted: these only, or all but these. */
export interface SourceFilter {
  readonly mode: FilterMode
  readonly sources: ReadonlySet<number>
}

const NOTHING: SourceFilter = { mode: 'include', sources: new Set() }
const NO_AUX = new Uint8Array(0)

function record(type: number, group: number, sources: Iterable<number>): IgmpRecord {
  const sorted = Uint32Array.from(sources).sort()
  return { type, group, sources: sorted, aux: NO_AUX }
}

/** The filter that lets through whatever any of `filters` does (RFC 3376 3.2). */
export function mergeFilters(filters: readonly SourceFilter[]): SourceFilter {
  const included = new Set(
    filters.filter((each) => each.mode === 'include').flatMap((each) => [...each.sources]),
  )
  const excluding = filters.filter((each) => each.mode === 'exclude')
  if (excluding.length === 0) return { mode: 'include', sources: included }
  const excluded = [...excluding[0].sources].filter(
    (source) => !included.has(source) && excluding.every((each) => each.sources.has(source)),
  )
  return { mode: 'exclude', sources: new Set(excluded) }
}

function passes(filter: SourceFilter, source: number): boolean {
  return filter.sources.has(source) === (filter.mode === 'include')
}

export class GroupState {
  readonly group: number
  /** What routers are told. */
  filter: SourceFilter = NOTHING
  /** What is wanted beyond that without telling them; null for nothing. */
  silent: SourceFilter | null = null
  /** Query response: when, and about which sources; null for all. */
  respondAt = Number.POSITIVE_INFINITY
  respondSources: Set<number> | null = null
  #modeReports = 0
  /** Source -> reports left and whether it is allowed now. */
  readonly #changes = new Map<number, { left: number; readonly allow: boolean }>()

  constructor(group: number) {
    this.group = group
  }

  /** Nobody wants the group and nothing is left to say. */
  get idle(): boolean {
    return !this.wanted && this.silent === null && !this.changing
  }

  /** Whether routers are told that anything is wanted. */
  get wanted(): boolean {
    return this.filter.mode === 'exclude' || this.filter.sources.size > 0
  }

  /** Changes are still to be reported. */
  get changing(): boolean {
    return this.#modeReports > 0 || this.#changes.size > 0
  }

  /** Whether packets from `source` are wanted. */
  accepts(source: number): boolean {
    return passes(this.filter, source) || (this.silent !== null && passes(this.silent, source))
  }

  /** Takes a new filter; `robustness` is how often each change is to be reported. */
  change(filter: SourceFilter, robustness: number): void {
    const old = this.filter
    this.filter = filter
    if (old.mode !== filter.mode) {
      this.#modeReports = robustness
      this.#changes.clear()
      return
    }
    const include = filter.mode === 'include'
    for (const source of filter.sources)
      if (!old.sources.has(source)) this.#changes.set(source, { left: robustness, allow: include })
    for (const source of old.sources)
      if (!filter.sources.has(source)) this.#changes.set(source, { left: robustness, allow: !include })
  }

  /** The next report of the pending changes; counts them down. */
  changeRecords(): IgmpRecord[] {
    const records: IgmpRecord[] = []
    if (this.#modeReports > 0) {
      this.#modeReports--
      const type = this.filter.mode === 'exclude' ? RECORD_TO_EXCLUDE : RECORD_TO_INCLUDE
      records.push(record(type, this.group, this.filter.sources))
    } else {
      const allowed = [...this.#changes].filter(([, change]) => change.allow).map(([source]) => source)
      const blocked = [...this.#changes].filter(([, change]) => !change.allow).map(([source]) => source)
      if (allowed.length > 0) records.push(record(RECORD_ALLOW, this.group, allowed))
      if (blocked.length > 0) records.push(record(RECORD_BLOCK, this.group, blocked))
    }
    for (const [source, change] of this.#changes) if (--change.left <= 0) this.#changes.delete(source)
    return records
  }

  /** The answer to a query: the whole state, or what of `asked` is wanted. */
  stateRecords(asked: ReadonlySet<number> | null): IgmpRecord[] {
    if (!this.wanted) return []
    const { mode, sources } = this.filter
    if (asked === null) {
      const type = mode === 'exclude' ? RECORD_IS_EXCLUDE : RECORD_IS_INCLUDE
      return [record(type, this.group, sources)]
    }
    const wanted = [...asked].filter((source) => passes(this.filter, source))
    return wanted.length === 0 ? [] : [record(RECORD_IS_INCLUDE, this.group, wanted)]
  }
}
