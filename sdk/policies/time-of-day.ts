/**
 * Time of day: what holds in which hours of the week. The one idea: windows become minutes of the week, in which the
 * calendar time of the router (`router.clock()`, POSIX milliseconds) is looked up.
 *
 * There are no time zones here, only a fixed distance from UTC: who wants daylight saving time changes it twice a
 * year. Leap seconds are not counted (POSIX.1-2017, 4.16).
 */

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Day = (typeof DAYS)[number]

/** Hours of some days. Beyond midnight when `to` is before `from`: then it belongs to the day on which it begins. */
export interface TimeWindow {
  /** Default: every day. */
  readonly days?: readonly Day[]
  /** `HH:MM`, included; default `00:00`. */
  readonly from?: string
  /** `HH:MM`, excluded; default `24:00`. */
  readonly to?: string
}

const MINUTE_MS = 60_000
const DAY_MINUTES = 1_440
const WEEK_MINUTES = 7 * DAY_MINUTES
/** 1970 began on a Thursday. */
const FIRST_DAY = DAYS.indexOf('thu')

interface Interval<V> {
  /** Minutes of the week, the end excluded. */
  readonly from: number
  readonly to: number
  readonly use: V
}

export class TimeOfDay<V> {
  readonly #intervals: readonly Interval<V>[]
  readonly #boundaries: readonly number[]
  readonly #offsetMinutes: number

  /**
   * @param windows with what is used in them; where several hold, the first counts
   * @param options `utcOffset`: `+02:00`; default UTC
   * @throws Error for something that is no time, day or offset
   */
  constructor(
    windows: readonly (TimeWindow & { readonly use: V })[],
    options: { readonly utcOffset?: string } = {},
  ) {
    this.#intervals = windows.flatMap(intervalsOf)
    const boundaries = this.#intervals.flatMap(({ from, to }) => [from, to % WEEK_MINUTES])
    this.#boundaries = [...new Set(boundaries)].sort((one, other) => one - other)
    this.#offsetMinutes = parseOffset(options.utcOffset ?? '+00:00')
  }

  /** What is used at a calendar time, or undefined outside of all windows. */
  at(clockMs: number): V | undefined {
    const minute = this.#minuteOf(clockMs)
    return this.#intervals.find(({ from, to }) => from <= minute && minute < to)?.use
  }

  /** When a window next begins or ends: calendar time after `clockMs`, infinite when none ever does. */
  changesAt(clockMs: number): number {
    if (this.#boundaries.length === 0) return Number.POSITIVE_INFINITY
    const minute = this.#minuteOf(clockMs)
    const next = this.#boundaries.find((each) => each > minute) ?? this.#boundaries[0]! + WEEK_MINUTES
    return (Math.floor(clockMs / MINUTE_MS) + next - minute) * MINUTE_MS
  }

  #minuteOf(clockMs: number): number {
    const minutes = Math.floor(clockMs / MINUTE_MS) + this.#offsetMinutes + FIRST_DAY * DAY_MINUTES
    return ((minutes % WEEK_MINUTES) + WEEK_MINUTES) % WEEK_MINUTES
  }
}

function intervalsOf<V>(window: TimeWindow & { readonly use: V }): Interval<V>[] {
  const from = parseTime(window.from ?? '00:00')
  const to = parseTime(window.to ?? '24:00')
  if (from === to || from === DAY_MINUTES)
    throw new Error(`expected a window with a beginning before its end, got ${window.from} to ${window.to}`)
  return (window.days ?? DAYS).flatMap((name) => {
    const day = DAYS.indexOf(name)
    if (day < 0) throw new Error(`expected one of ${DAYS.join(', ')}, got ${name}`)
    const start = day * DAY_MINUTES + from
    const end = day * DAY_MINUTES + to + (to < from ? DAY_MINUTES : 0)
    if (end <= WEEK_MINUTES) return [{ from: start, to: end, use: window.use }]
    return [
      { from: start, to: WEEK_MINUTES, use: window.use },
      { from: 0, to: end - WEEK_MINUTES, use: window.use },
    ]
  })
}

/** Minutes of a day, 0 to 1440. */
function parseTime(text: string): number {
  const match = /^(\d{2}):(\d{2})$/.exec(text)
  const minutes = match === null ? Number.NaN : Number(match[1]) * 60 + Number(match[2])
  if (!(minutes <= DAY_MINUTES) || Number(match?.[2]) > 59)
    throw new Error(`expected a time such as 08:30, got ${text}`)
  return minutes
}

function parseOffset(text: string): number {
  const match = /^([+-])(\d{2}:\d{2})$/.exec(text)
  if (match === null) throw new Error(`expected a distance from UTC such as +02:00, got ${text}`)
  return parseTime(match[2]!) * (match[1] === '-' ? -1 : 1)
}
