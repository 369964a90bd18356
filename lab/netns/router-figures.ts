/** A router's part of the report, from what it answers to `stats`, `query` and `list`. */
import type { ClassReport, PacketCounts, PluginReport, RouterReport } from '../report.ts'

type Row = Readonly<Record<string, string | number | boolean | null>>
/** Rows of a table by its name. */
export type Tables = Readonly<Record<string, readonly Row[]>>

const TOTALS = [
  'in',
  'originated',
  'copies',
  'out',
  'delivered',
  'merged',
  'parked',
  'queued',
  'inProgram',
] as const
const DROPPED = 'dropped.'
/** Upper edge of the first bucket of a queue's delay histogram (engine/queues); each further one is twice as wide. */
const FIRST_BUCKET_NS = 2 ** 16

export const NO_PACKETS: PacketCounts = {
  ...(Object.fromEntries(TOTALS.map((each) => [each, 0])) as Record<(typeof TOTALS)[number], number>),
  dropped: {},
}

/** @param tables `counters`, `limits` and `queues` @param plugins what `list` answers */
export function routerReport(tables: Tables, plugins: readonly Row[]): RouterReport {
  return {
    packets: packetCounts(tables['counters'] ?? []),
    flows: figure(tables['limits'], 'flows.size'),
    tunnels: figure(tables['limits'], 'tunnels.size'),
    classes: classReports(tables['queues'] ?? []),
    plugins: plugins.map(pluginReport),
  }
}

/** The balance of a life that ended: what it still held went with it. */
export function closedPackets(packets: PacketCounts): PacketCounts {
  const held = packets.parked + packets.queued + packets.inProgram
  const dropped = { ...packets.dropped }
  if (held > 0) dropped['engine-closed'] = (dropped['engine-closed'] ?? 0) + held
  return { ...packets, parked: 0, queued: 0, inProgram: 0, dropped }
}

/** The sum over a router's lives. */
export function addPackets(lives: readonly PacketCounts[]): PacketCounts {
  return lives.reduce((sum, life) => {
    const dropped = { ...sum.dropped }
    for (const [reason, count] of Object.entries(life.dropped))
      dropped[reason] = (dropped[reason] ?? 0) + count
    const totals = Object.fromEntries(TOTALS.map((each) => [each, sum[each] + life[each]]))
    return { ...(totals as Omit<PacketCounts, 'dropped'>), dropped }
  }, NO_PACKETS)
}

function packetCounts(rows: readonly Row[]): PacketCounts {
  const dropped: Record<string, number> = {}
  for (const { name, value } of rows)
    if (String(name).startsWith(DROPPED) && Number(value) > 0)
      dropped[String(name).slice(DROPPED.length)] = Number(value)
  const totals = Object.fromEntries(TOTALS.map((each) => [each, figure(rows, each)]))
  return { ...(totals as Omit<PacketCounts, 'dropped'>), dropped }
}

function figure(rows: readonly Row[] | undefined, name: string): number {
  return Number(rows?.find((each) => each['name'] === name)?.['value'] ?? 0)
}

function classReports(rows: readonly Row[]): Record<string, Record<string, ClassReport>> {
  const ports: Record<string, Record<string, ClassReport>> = {}
  for (const row of rows) {
    const port = (ports[String(row['port'])] ??= {})
    const drops = Object.entries(row).filter(([column]) => column.startsWith(DROPPED))
    const delays = String(row['delaysLog2Ns'] ?? '')
      .split(' ')
      .map(Number)
    port[String(row['class'])] = {
      packets: Number(row['packetsOut']),
      bytes: Number(row['bytesOut']),
      dropped: drops.reduce((sum, [, count]) => sum + Number(count), 0),
      queued: Number(row['packets']),
      delayMs: { p50: delayAt(delays, 0.5), p99: delayAt(delays, 0.99) },
    }
  }
  return ports
}

/** Upper edge, in ms, of the histogram bucket that holds the share `share` of the packets; null without packets. */
function delayAt(delays: readonly number[], share: number): number | null {
  const total = delays.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  let seen = 0
  const bucket = delays.findIndex((count) => (seen += count) >= total * share)
  return (FIRST_BUCKET_NS * 2 ** bucket) / 1e6
}

function pluginReport(row: Row): PluginReport {
  return {
    id: String(row['id']),
    name: String(row['name']),
    version: String(row['version']),
    state: String(row['state']),
    decisions: Number(row['decisions'] ?? 0),
    restarts: Number(row['restarts'] ?? 0),
  }
}
