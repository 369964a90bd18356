/** A router's part of the report, from its engines. */
import type { DropReason, Engine, PacketBalance } from '../../engine/index.ts'
import type { ClassReport, PacketCounts } from '../report.ts'

/** Upper edge of the first bucket of a queue's delay histogram (engine/queues); each further one is twice as wide. */
const FIRST_BUCKET_NS = 2 ** 16

/** The sum of the balances of a router's lives. What an earlier life still held was counted as dropped at its end. */
export function addBalances(balances: readonly PacketBalance[]): PacketCounts {
  const dropped: Partial<Record<DropReason, number>> = {}
  const sum = (field: Exclude<keyof PacketBalance, 'dropped'>) =>
    balances.reduce((total, balance) => total + balance[field], 0)
  for (const balance of balances)
    for (const [reason, count] of Object.entries(balance.dropped) as [DropReason, number][])
      dropped[reason] = (dropped[reason] ?? 0) + count
  return {
    in: sum('in'),
    originated: sum('originated'),
    copies: sum('copies'),
    out: sum('out'),
    delivered: sum('delivered'),
    merged: sum('merged'),
    parked: sum('parked'),
    queued: sum('queued'),
    inProgram: sum('inProgram'),
    dropped,
  }
}

/** Traffic classes by port and name. */
export function classReports(engine: Engine): Record<string, Record<string, ClassReport>> {
  const ports = engine.stages.ports.map((port) => {
    const classes = port.scheduler.classes.report().map(({ name, queue }): [string, ClassReport] => [
      name,
      {
        packets: queue.packetsOut,
        bytes: queue.bytesOut,
        dropped: Object.values(queue.dropped).reduce((sum, count) => sum + count, 0),
        queued: queue.packets,
        delayMs: { p50: delayAt(queue.delays, 0.5), p99: delayAt(queue.delays, 0.99) },
      },
    ])
    return [port.name, Object.fromEntries(classes)]
  })
  return Object.fromEntries(ports)
}

/** Upper edge, in ms, of the histogram bucket that holds the share `share` of the packets; null without packets. */
function delayAt(delays: readonly number[], share: number): number | null {
  const total = delays.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  let seen = 0
  const bucket = delays.findIndex((count) => (seen += count) >= total * share)
  return (FIRST_BUCKET_NS * 2 ** bucket) / 1e6
}
