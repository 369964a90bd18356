/**
 * The theorems as checks on a finished simulation. Units: lengths l in units, weights r as rates in units per tick,
 * C the rate of the server, which gives at least C t - delta in any interval t of a busy period ("fluctuation
 * constrained", Lee 1995).
 */
import type { Service } from './discipline.ts'

/** Rounding of the checks themselves, relative to the bound. */
const SLACK = 1e-9

export interface FluctuationConstrained {
  readonly rate: number
  readonly delta: number
}

/** Longest packet of a flow (or of a class, given its flows). */
export function longest(served: readonly Service[], flows: readonly number[]): number {
  return served.reduce((most, each) => (flows.includes(each.flow) ? Math.max(most, each.length) : most), 0)
}

export interface Interval {
  readonly from: number
  readonly to: number
}

/** When a set of flows had something waiting or in service. */
export function backlogs(served: readonly Service[], flows: readonly number[]): Interval[] {
  const times = served
    .filter((each) => flows.includes(each.flow))
    .sort((a, b) => a.arrival - b.arrival || a.finish - b.finish)
  const intervals: { from: number; to: number }[] = []
  for (const { arrival, finish } of times) {
    const last = intervals.at(-1)
    // A packet that arrives as the last one leaves begins a new backlog.
    if (last === undefined || arrival >= last.to) intervals.push({ from: arrival, to: finish })
    else last.to = Math.max(last.to, finish)
  }
  return intervals
}

/**
 * Fairness: |W_f / r_f - W_m / r_m| over any interval in which both are backlogged, as a share of the bound
 * l_f / r_f + l_m / r_m. At most 1 for start-time fair queueing, whatever the server does.
 */
export function unfairness(
  served: readonly Service[],
  one: readonly number[],
  rateOne: number,
  two: readonly number[],
  rateTwo: number,
): number {
  let worst = 0
  const bound = longest(served, one) / rateOne + longest(served, two) / rateTwo
  const relevant = served.filter((each) => one.includes(each.flow) || two.includes(each.flow))
  for (const a of backlogs(served, one))
    for (const b of backlogs(served, two)) {
      const from = Math.max(a.from, b.from)
      const to = Math.min(a.to, b.to)
      let difference = 0
      let least = 0
      let most = 0
      for (const each of relevant) {
        if (each.start < from || each.finish > to) continue
        difference += one.includes(each.flow) ? each.length / rateOne : -each.length / rateTwo
        least = Math.min(least, difference)
        most = Math.max(most, difference)
      }
      worst = Math.max(worst, (most - least) / bound)
    }
  return worst - SLACK
}

/**
 * Throughput: by how much service W of a backlogged flow falls short of r (t2 - t1), over all intervals of its
 * backlogs, as a share of the bound r sum(l_n) / C + r delta / C + l_f. At most 1 when the rates sum to C or less.
 */
export function shortfall(
  served: readonly Service[],
  flow: number,
  rate: number,
  server: FluctuationConstrained,
  sumLongest: number,
): number {
  const own = served.filter((each) => each.flow === flow)
  const bound = (rate * sumLongest) / server.rate + (rate * server.delta) / server.rate + longest(own, [flow])
  let worst = 0
  for (const { from, to } of backlogs(served, [flow])) {
    let sent = 0
    // Lead of the service over the rate at the best moment so far to begin an interval.
    let lead = -rate * from
    for (const each of own) {
      if (each.start < from || each.finish > to) continue
      worst = Math.max(worst, lead - (sent - rate * each.finish))
      sent += each.length
      lead = Math.max(lead, sent - rate * each.start)
    }
  }
  return worst / bound - SLACK
}

/** Expected arrival times: EAT = max(A, EAT of the previous packet + its l / r). By index of the flow's packets. */
export function expectedArrivals(own: readonly Service[], rate: number): number[] {
  const expected: number[] = []
  for (const [index, each] of own.entries()) {
    const before = index === 0 ? 0 : expected[index - 1] + own[index - 1].length / rate
    expected.push(Math.max(each.arrival, before))
  }
  return expected
}

/**
 * Delay: (finish - EAT) as a share of its bound sum over n != f of l_n / C + l / C + delta / C, the worst of a flow's
 * packets. At most 1 when the rates sum to C or less.
 */
export function lateness(
  served: readonly Service[],
  flow: number,
  rate: number,
  server: FluctuationConstrained,
  sumOthersLongest: number,
): number {
  const own = served.filter((each) => each.flow === flow)
  const expected = expectedArrivals(own, rate)
  const shares = own.map(({ finish, length }, index) => {
    const bound = (sumOthersLongest + length + server.delta) / server.rate
    return (finish - expected[index]) / bound
  })
  return Math.max(...shares) - SLACK
}

/** How a class of rate r looks to what is below it: r, with r sum(l_n) / C + r delta / C + l_f as its delta. */
export function classServer(
  rate: number,
  parent: FluctuationConstrained,
  sumLongest: number,
  ownLongest: number,
): FluctuationConstrained {
  return { rate, delta: (rate * sumLongest) / parent.rate + (rate * parent.delta) / parent.rate + ownLongest }
}

/** Delay bounds of the three disciplines after the expected arrival, for Q flows of one packet length, in seconds. */
export const delayBound = {
  startTime: (bits: number, capacityBps: number, flows: number): number =>
    ((flows - 1) * bits) / capacityBps + bits / capacityBps,
  selfClocked: (bits: number, capacityBps: number, flows: number, rateBps: number): number =>
    ((flows - 1) * bits) / capacityBps + bits / rateBps,
  weighted: (bits: number, capacityBps: number, rateBps: number): number =>
    bits / rateBps + bits / capacityBps,
}
