/** The last part of a packet's way: route, next hop, port, class. Read-only. */
import { CLASS, META_SHIFT, NONE } from '../packet.ts'
import type { QuerySource } from '../query/tables.ts'
import {
  ROUTE_BLACKHOLE,
  ROUTE_BROADCAST,
  ROUTE_CONNECTED,
  ROUTE_LOCAL,
  type RouteRow,
} from '../routing/route-table.ts'
import { DEFAULT_CLASS } from '../scheduler/traffic-class.ts'
import type { Stages } from '../stages.ts'
import { formatIpv4Address, parseIpv4Prefix, prefixMask } from '../wire/index.ts'
import type { ExplanationStep } from './step.ts'

/** Where the routing table sends what goes to an address. */
export function explainRoute(
  { stages, owners }: QuerySource,
  packet: number,
  address: number,
): ExplanationStep[] {
  const { routes } = stages
  const route = routes.lookup(address)
  const to = formatIpv4Address(address)
  if (route < 0)
    return [{ stage: 'drop', text: `dropped: no route to ${to}`, facts: { reason: 'no-route', to } }]
  const row = bestRow(routes.rows(), address)
  const owner = row === undefined || row.owner < 0 ? 'router' : owners.nameOf(row.owner)
  const facts = { to, prefix: row?.prefix ?? null, kind: row?.kind ?? null, owner, cost: row?.cost ?? null }
  const step: ExplanationStep = {
    stage: 'route',
    text: `route ${row?.prefix} (${row?.kind}) of ${owner}`,
    facts,
  }
  const kind = routes.kind[route]
  if (kind === ROUTE_LOCAL)
    return [step, { stage: 'deliver', text: `delivered here: ${to} is an own address`, facts: { to } }]
  if (kind === ROUTE_BLACKHOLE || kind === ROUTE_BROADCAST) {
    const reason = kind === ROUTE_BLACKHOLE ? 'blackhole' : 'martian-destination'
    return [step, { stage: 'drop', text: `dropped: ${reason}`, facts: { reason } }]
  }
  const nextHop = kind === ROUTE_CONNECTED ? address : routes.gateway[route]
  return [step, sendStep(stages, packet, routes.port[route], nextHop)]
}

/** How a neighbour that an action names is reached. */
export function explainNeighbour(stages: Stages, packet: number, nextHop: number): ExplanationStep[] {
  const port = stages.routes.connectedPort(nextHop)
  const to = formatIpv4Address(nextHop)
  if (port < 0)
    return [
      {
        stage: 'drop',
        text: `dropped: ${to} is on no connected network`,
        facts: { reason: 'no-route', to },
      },
    ]
  return [sendStep(stages, packet, port, nextHop)]
}

function sendStep(stages: Stages, packet: number, index: number, nextHop: number): ExplanationStep {
  const port = stages.ports[index]
  const to = formatIpv4Address(nextHop)
  const known = stages.neighbours.rows().find((each) => each.port === index && each.address === to)
  const label = stages.slab.meta[(packet << META_SHIFT) + CLASS]
  const wanted = label === NONE ? DEFAULT_CLASS : stages.labels.nameOf(label)
  const trafficClass = port.scheduler.classes.has(wanted) ? wanted : DEFAULT_CLASS
  const mac = known?.mac ?? null
  const neighbour = known === undefined ? 'ARP would ask for it' : `${mac ?? 'no MAC'}, ${known.state}`
  const facts = {
    port: port.name,
    up: port.up,
    nextHop: to,
    mac,
    neighbour: known?.state ?? 'unknown',
    class: trafficClass,
    mtu: port.mtu,
  }
  const down = port.up ? '' : ', which is down,'
  const text = `sent by ${port.name}${down} to ${to} (${neighbour}) in class ${trafficClass}`
  return { stage: 'send', text, facts }
}

/** The row that the routing table goes by: the longest prefix, then the lowest cost, then the older. */
function bestRow(rows: readonly RouteRow[], address: number): RouteRow | undefined {
  let best: RouteRow | undefined
  let longest = -1
  for (const row of rows) {
    const { address: value, length } = parseIpv4Prefix(row.prefix)!
    if (((value ^ address) & prefixMask(length)) !== 0 || length < longest) continue
    if (length > longest || best === undefined || row.cost < best.cost) best = row
    longest = length
  }
  return best
}
