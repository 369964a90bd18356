/**
 * The tables that the query engine can show: their columns, and how rows are made from the engine's state. Rows are
 * plain data, addresses as text, and every row of a table has the same columns, so that they cross threads and
 * sockets unchanged and a question about a column that is not there can be refused.
 */
import { describeAction } from '../actions/describe-action.ts'
import { createFlowRecord, type FlowRecord } from '../classifier/flow-entry.ts'
import { TCP_STATES } from '../classifier/flow-lifetime.ts'
import type { Nanoseconds } from '../clock.ts'
import type { NamedResources } from '../named-resources.ts'
import { type Owners, ROUTER_OWNER } from '../owners.ts'
import { ADDRESS_OWNER } from '../routing/route-table.ts'
import type { Stages } from '../stages.ts'
import { formatIpv4Address } from '../wire/address.ts'
import { levels } from './levels.ts'
import type { Row } from './row.ts'
import { HOST_COLUMNS, type SignalingView } from './signaling-view.ts'

export type { Cell, Row } from './row.ts'

/** What a table is made from. */
export interface QuerySource {
  readonly stages: Stages
  readonly owners: Owners
  readonly names: NamedResources
  /** Undefined where the router has no signaling. */
  signaling?: SignalingView | undefined
}

export interface Table {
  readonly columns: readonly string[]
  rows(source: QuerySource, now: Nanoseconds): Iterable<Row>
}

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'icmp',
  2: 'igmp',
  4: 'ip-in-ip',
  6: 'tcp',
  17: 'udp',
}

/** Packet balance of the router: one row per counter, drops that occurred as `dropped.<reason>`. */
const counters: Table = {
  columns: ['name', 'value'],
  *rows({ stages }) {
    const { dropped, ...totals } = stages.counters.balance()
    for (const [name, value] of Object.entries(totals)) yield { name, value }
    for (const [reason, value] of Object.entries(dropped)) yield { name: `dropped.${reason}`, value }
  },
}

const ports: Table = {
  columns: [
    'name',
    'up',
    'mtu',
    'addresses',
    'queued',
    'receivedFrames',
    'receivedBytes',
    'transmittedFrames',
    'transmittedBytes',
    'receiveDropped',
    'transmitDropped',
  ],
  *rows({ stages }) {
    for (const { name, driver, mtu, addresses, scheduler } of stages.ports)
      yield {
        name,
        up: driver.up,
        mtu,
        addresses: addresses
          .map(({ address, length }) => `${formatIpv4Address(address)}/${length}`)
          .join(' '),
        queued: scheduler.packets,
        ...driver.counters,
      }
  },
}

const flows: Table = {
  columns: [
    'id',
    'protocol',
    'from',
    'fromPort',
    'to',
    'toPort',
    'owner',
    'action',
    'state',
    'packets',
    'bytes',
    'createdNs',
    'lastSeenNs',
  ],
  *rows({ stages, owners }) {
    const record = createFlowRecord()
    // Owner numbers are given in order; each owner's flows hang together.
    for (let owner = 0; owner < owners.size; owner++)
      for (let flow = stages.flows.firstOf(owner); flow >= 0; flow = stages.flows.nextOf(flow))
        yield flowRow(stages, flow, stages.flows.read(flow, record), owners.nameOf(owner))
  },
}

function flowRow(stages: Stages, flow: number, record: FlowRecord, owner: string): Row {
  return {
    id: stages.flows.handleOf(flow),
    protocol: PROTOCOLS[record.protocol] ?? String(record.protocol),
    from: formatIpv4Address(record.source),
    fromPort: record.sourcePort,
    to: formatIpv4Address(record.destination),
    toPort: record.destinationPort,
    owner,
    action: describe(stages, record.action),
    state: record.protocol === 6 ? TCP_STATES[record.state] : null,
    packets: record.packets,
    bytes: record.bytes,
    createdNs: record.createdNs,
    lastSeenNs: record.lastSeenNs,
  }
}

function describe({ actions, labels }: Stages, row: number): string {
  return describeAction(actions, row, (label) => labels.nameOf(label))
}

/** Traffic classes, a row for each port that has it. */
const classes: Table = {
  columns: ['port', 'name', 'parent', 'weight', 'ceilingBps', 'draining'],
  *rows({ stages }) {
    for (const port of stages.ports)
      for (const { name, parent, weight, ceiling, draining } of port.scheduler.classes.report())
        yield {
          port: port.name,
          name,
          parent: parent ?? null,
          weight,
          ceilingBps: ceiling?.rateBps ?? null,
          draining,
        }
  },
}

/** Queues of the classes: what waits, passed and was dropped, and how long packets waited. */
const queues: Table = {
  columns: [
    'port',
    'class',
    'packets',
    'bytes',
    'limitPackets',
    'limitBytes',
    'dropPolicy',
    'packetsIn',
    'bytesIn',
    'packetsOut',
    'bytesOut',
    'dropped.queue-packet-limit',
    'dropped.queue-byte-limit',
    'dropped.queue-codel',
    'dropped.purged',
    'delaysLog2Ns',
  ],
  *rows({ stages }) {
    for (const port of stages.ports)
      for (const { name, queue } of port.scheduler.classes.report()) {
        const { dropped, delays, ...numbers } = queue
        const drops = Object.fromEntries(
          Object.entries(dropped).map(([reason, count]) => [`dropped.${reason}`, count]),
        )
        yield { port: port.name, class: name, ...numbers, ...drops, delaysLog2Ns: delays.join(' ') }
      }
  },
}

/** Tunnels by number; the name is missing where a closed one lives on in its flows. */
const tunnels: Table = {
  columns: [
    'name',
    'tunnel',
    'kind',
    'from',
    'to',
    'ttl',
    'open',
    'users',
    'mtuBytes',
    'reachable',
    'packets',
    'bytes',
    'dropped',
    'receivedPackets',
    'receivedBytes',
    'errors',
  ],
  *rows({ stages, names }, now) {
    const named = new Map<number, string>()
    for (const { kind, name, number, owner } of names.all())
      if (kind === 'tunnel') named.set(number, `${owner}/${name}`)
    for (const number of stages.tunnels.numbers())
      yield { name: named.get(number) ?? null, ...stages.tunnels.describe(number, now) }
  },
}

const filters: Table = {
  columns: [
    'name',
    'owner',
    'action',
    'from',
    'to',
    'protocol',
    'fromPort',
    'toPort',
    'inPort',
    'priority',
    'packets',
    'bytes',
  ],
  *rows({ stages, names }) {
    for (const { kind, name, number, owner } of names.all()) {
      if (kind !== 'filter') continue
      const { inPort, ...filter } = stages.filters.describe(number)
      yield {
        name,
        owner,
        action: describe(stages, stages.filters.payloadOf(number)),
        ...filter,
        inPort: inPort === null ? null : stages.ports[inPort].name,
      }
    }
  },
}

const neighbours: Table = {
  columns: ['port', 'address', 'mac', 'state'],
  *rows({ stages }) {
    for (const { port, address, mac, state } of stages.neighbours.rows())
      yield { port: stages.ports[port].name, address, mac: mac ?? null, state }
  },
}

const routes: Table = {
  columns: ['prefix', 'kind', 'via', 'port', 'cost', 'owner'],
  *rows({ stages, owners }) {
    for (const { prefix, kind, via, port, cost, owner } of stages.routes.rows())
      yield {
        prefix,
        kind,
        via: via ?? null,
        port: port < 0 ? null : stages.ports[port].name,
        cost,
        owner: owner === ADDRESS_OWNER ? ROUTER_OWNER : owners.nameOf(owner),
      }
  },
}

/** Levels, limits and refusals that the operator watches. */
const limits: Table = {
  columns: ['name', 'value'],
  *rows({ stages }) {
    for (const [name, value] of Object.entries(levels(stages))) yield { name, value }
  },
}

/** Hosts that said hello (R-SLR-17). */
const hosts: Table = { columns: HOST_COLUMNS, rows: ({ signaling }) => signaling?.hosts() ?? [] }

const signaling: Table = { columns: ['name', 'value'], rows: ({ signaling }) => signaling?.counters() ?? [] }

export const TABLES = {
  counters,
  ports,
  flows,
  classes,
  queues,
  tunnels,
  filters,
  neighbours,
  routes,
  limits,
  hosts,
  signaling,
} satisfies Record<string, Table>

export type TableName = keyof typeof TABLES
export const TABLE_NAMES = Object.keys(TABLES) as TableName[]
