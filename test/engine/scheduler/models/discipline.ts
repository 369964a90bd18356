/**
 * What every model and the engine look like to the simulation, and the simulation: one server, arrivals in whole
 * ticks, one packet in service at a time, not preempted. At the end of a service the tags are settled first, then
 * what arrives at that very tick comes in, then the next packet is chosen.
 */

/** A scheduling discipline over flows 0..n-1. Times are ticks. */
export interface Discipline {
  arrive(flow: number, length: number, at: number): void
  /** Flow whose first packet is put in service; -1 when nothing waits. */
  pick(at: number): number
  /** The packet in service, of `length`, has been sent. */
  complete(length: number, at: number): void
}

export interface Arrival {
  readonly at: number
  readonly flow: number
  readonly length: number
}

/** A packet that was served. */
export interface Service {
  readonly flow: number
  /** Position among the packets of the flow. */
  readonly index: number
  readonly length: number
  readonly arrival: number
  readonly start: number
  readonly finish: number
}

/** When a service of `length` that starts at a tick ends. */
export type Server = (start: number, length: number) => number

/** A server that is down for the first `outage` ticks of each `period` and else sends a unit in `ticksPerUnit`. */
export function outageServer(ticksPerUnit: number, period: number, outage: number): Server {
  return (start, length) => {
    let at = start
    let left = length * ticksPerUnit
    for (;;) {
      const begin = Math.floor(at / period) * period
      at = Math.max(at, begin + outage)
      if (at + left <= begin + period) return at + left
      left -= begin + period - at
      at = begin + period
    }
  }
}

/** A server of constant rate. */
export function constantServer(ticksPerUnit: number): Server {
  return (start, length) => start + length * ticksPerUnit
}

/** Serves all arrivals (sorted by time) and returns them in the order of service. */
export function simulate(discipline: Discipline, arrivals: readonly Arrival[], server: Server): Service[] {
  const waiting = new Map<number, { arrival: number; length: number; index: number }[]>()
  const counts = new Map<number, number>()
  const served: Service[] = []
  let next = 0
  const admit = (until: number, inclusive: boolean): void => {
    for (; next < arrivals.length; next++) {
      const { at, flow, length } = arrivals[next]
      if (inclusive ? at > until : at >= until) return
      const index = counts.get(flow) ?? 0
      counts.set(flow, index + 1)
      const queue = waiting.get(flow)
      if (queue === undefined) waiting.set(flow, [{ arrival: at, length, index }])
      else queue.push({ arrival: at, length, index })
      discipline.arrive(flow, length, at)
    }
  }
  let now = 0
  for (;;) {
    admit(now, true)
    const flow = discipline.pick(now)
    if (flow < 0) {
      if (next === arrivals.length) return served
      now = arrivals[next].at
      continue
    }
    const packet = waiting.get(flow)?.shift()
    if (packet === undefined) throw new Error(`flow ${flow} was picked without a packet`)
    const finish = server(now, packet.length)
    admit(finish, false)
    discipline.complete(packet.length, finish)
    served.push({ flow, ...packet, start: now, finish })
    now = finish
  }
}
