/**
 * A report for people: a few tidy tables and the expectations with their marks. The one idea: nothing is computed
 * here; every figure stands in the report, and what is empty is not shown.
 */
import { type ClientReport, isConserved, packetsGiven, packetsTaken, type Report } from './report.ts'
import {
  type Cell,
  formatBytes,
  formatCount,
  formatMilliseconds,
  formatTable,
  type Paint,
  PLAIN,
} from './table.ts'

/** Lines of the summary, without newlines. */
export function summarize(report: Report, paint: Paint = PLAIN): string[] {
  const seconds = Number(report.virtualSeconds.toFixed(6))
  const took = `${formatCount(seconds)} virtual seconds in ${Number(report.wall.seconds.toFixed(2))} s`
  return [
    `${paint.bold(report.lab)} on ${report.backend}, seed ${report.seed}: ${took}`,
    ...section('clients', clientTable(report, paint), paint),
    ...section('routers', routerTable(report, paint), paint),
    ...section('drops', dropTable(report, paint), paint),
    ...section('classes', classTable(report, paint), paint),
    ...section('plugins', pluginTable(report, paint), paint),
    ...section('conservation', conservationLines(report, paint), paint),
    ...section('expectations', expectationLines(report, paint), paint),
  ]
}

function section(title: string, lines: readonly string[], paint: Paint): string[] {
  return lines.length === 0 ? [] : ['', paint.bold(title), ...lines]
}

function table(heading: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  return rows.length === 0 ? [] : formatTable(heading, rows, paint)
}

/** A count that should be zero. */
function fault(count: number, paint: Paint): Cell {
  return count === 0 ? 0 : { text: formatCount(count), paint: paint.bad }
}

function clientTable(report: Report, paint: Paint): string[] {
  const heading = [
    'client',
    'attempted',
    'completed',
    'failed',
    'corrupted',
    'in',
    'out',
    'p50',
    'p99',
    'servers',
  ]
  const rows = Object.entries(report.clients).flatMap(([host, clients]) =>
    clients.map((client, index) => [
      `${host}[${index}]`,
      client.attempted,
      client.completed,
      fault(client.failed, paint),
      fault(client.corrupted, paint),
      formatBytes(client.bytesIn),
      formatBytes(client.bytesOut),
      formatMilliseconds(client.latencyMs.p50),
      formatMilliseconds(client.latencyMs.p99),
      servers(client),
    ]),
  )
  return table(heading, rows, paint)
}

function servers({ servers }: ClientReport): string {
  const each = Object.entries(servers).map(([name, count]) => `${name} ${formatCount(count)}`)
  return each.length > 8 ? `${each.slice(0, 8).join(', ')}, ...` : each.join(', ')
}

function routerTable(report: Report, paint: Paint): string[] {
  const heading = ['router', 'in', 'originated', 'copies', 'out', 'delivered', 'dropped', 'flows', 'tunnels']
  const rows = Object.entries(report.routers).map(([name, { packets, flows, tunnels }]) => {
    const dropped = Object.values(packets.dropped).reduce((sum, count) => sum + count, 0)
    const { originated, copies, out, delivered } = packets
    return [name, packets.in, originated, copies, out, delivered, dropped, flows, tunnels]
  })
  return table(heading, rows, paint)
}

function dropTable(report: Report, paint: Paint): string[] {
  const rows = Object.entries(report.routers).flatMap(([name, { packets }]) =>
    Object.entries(packets.dropped)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => [name, reason, count]),
  )
  return table(['router', 'reason', 'packets'], rows, paint)
}

function classTable(report: Report, paint: Paint): string[] {
  const heading = ['router', 'port', 'class', 'packets', 'bytes', 'dropped', 'queued', 'p50', 'p99']
  const rows = Object.entries(report.routers).flatMap(([router, { classes }]) =>
    Object.entries(classes).flatMap(([port, byName]) =>
      Object.entries(byName).map(([name, each]) => [
        router,
        port,
        name,
        each.packets,
        formatBytes(each.bytes),
        each.dropped,
        each.queued,
        formatMilliseconds(each.delayMs.p50),
        formatMilliseconds(each.delayMs.p99),
      ]),
    ),
  )
  return table(heading, rows, paint)
}

function pluginTable(report: Report, paint: Paint): string[] {
  const heading = ['router', 'plugin', 'version', 'state', 'decisions', 'restarts']
  const rows = Object.entries(report.routers).flatMap(([router, { plugins }]) =>
    plugins.map(({ id, version, state, decisions, restarts }) => [
      router,
      id,
      version,
      state,
      decisions,
      fault(restarts, paint),
    ]),
  )
  return table(heading, rows, paint)
}

function conservationLines(report: Report, paint: Paint): string[] {
  const routers = Object.entries(report.routers)
  const broken = routers.filter(([, { packets }]) => !isConserved(packets))
  if (broken.length === 0)
    return routers.length === 0 ? [] : [`  ${paint.good('✓')} every packet of every router is accounted for`]
  return broken.map(([name, { packets }]) => {
    const [taken, given] = [packetsTaken(packets), packetsGiven(packets)].map(formatCount)
    return `  ${paint.bad('✗')} ${name} took ${taken} packets and accounts for ${given}`
  })
}

function expectationLines(report: Report, paint: Paint): string[] {
  return report.expectations.map(({ path, is, met, why }) =>
    met ? `  ${paint.good('✓')} ${path} ${is}` : `  ${paint.bad('✗')} ${path} ${is}: ${why}`,
  )
}
