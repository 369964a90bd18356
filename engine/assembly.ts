/**
 * How an engine is put together: which stage is made from what, and who may call whom. The one idea: everything is
 * built here once, in one order; afterwards the corridor only reads.
 */
import { ActionTable } from './actions/action-table.ts'
import { Applier } from './actions/apply.ts'
import { ArpResponder } from './arp.ts'
import { ClassLabels } from './class-labels.ts'
import { FilterTable } from './classifier/filter-table.ts'
import { FlowTable, type FlowTableOptions } from './classifier/flow-table.ts'
import { type Nanoseconds, SECOND } from './clock.ts'
import { Counters } from './counters.ts'
import { Datagrams } from './datagrams.ts'
import { DropNotices } from './drop-notices.ts'
import type { DropCode } from './drop-reason.ts'
import { Egress } from './egress.ts'
import { Forwarder } from './forwarder.ts'
import { Ingress } from './ingress.ts'
import { LocalServices } from './local.ts'
import { Originator } from './originator.ts'
import { META_SHIFT, OUT_PORT, PacketSlab, type PacketSlabOptions } from './packet.ts'
import { Pins } from './pins.ts'
import type { Port } from './port.ts'
import { FragmentTable } from './routing/fragment-table.ts'
import { type ErrorLimiter, IcmpErrors } from './routing/icmp-error.ts'
import { type NeighbourSink, Neighbours } from './routing/neighbours.ts'
import { Reassembly } from './routing/reassembly.ts'
import { RouteTable } from './routing/route-table.ts'
import { TokenBucket } from './scheduler/token-bucket.ts'
import type { DropSink, Stages } from './stages.ts'
import { AddressSet } from './tunnels/address-set.ts'
import { TunnelTable } from './tunnels/tunnel-table.ts'
import { type UpcallOptions, Upcalls } from './upcall.ts'

export interface EngineOptions {
  /** 32-bit secret of the hash functions and choices. Same seed, same behaviour. */
  readonly seed: number
  /** Default 4096 packets of 2048 bytes: enough for two full default queues. */
  readonly slab?: PacketSlabOptions
  readonly flows?: Omit<FlowTableOptions, 'seed'>
  readonly upcalls?: Omit<UpcallOptions, 'seed'>
  /**
   * How often a twentieth of the flow table, at least 64 entries, is looked through for flows that are over. Default
   * 100 ms: what keeps a simulator exact would keep a machine awake.
   */
  readonly sweepNs?: Nanoseconds
  /** Sees every drop. For captures. */
  readonly onDrop?: DropSink
}

/** The rooms of an engine. */
export interface Assembly {
  readonly stages: Stages
  readonly forwarder: Forwarder
  readonly ingress: Ingress
  readonly egress: Egress
  readonly local: LocalServices
  readonly originator: Originator
}

/** ICMP errors a second that an engine sends at most, and at once (RFC 1812 4.3.2.8). */
const ICMP_ERRORS_PER_SECOND = 1000
const ICMP_ERROR_BURST = 100
/** Fragments that wait for their first one: at most so many, or a sixteenth of the slab. */
const FRAGMENTS_HELD = 256

/** Builds an engine's rooms over `ports`, which its owner fills. */
export function assemble(options: EngineOptions, ports: readonly Port[]): Assembly {
  const slab = new PacketSlab(options.slab ?? { capacity: 4096 })
  const { seed } = options
  const own = new AddressSet()
  const tunnels = new TunnelTable({ own, seed })
  const labels = new ClassLabels()
  const actions = new ActionTable(tunnels, labels)
  const flowSink = options.flows?.ended
  const flows: FlowTable = new FlowTable({
    ...options.flows,
    seed,
    ended: (flow, end) => {
      flowSink?.(flow, end)
      actions.release(flows.actionOf(flow))
    },
  })
  // What waited somewhere and is given up: the forwarder comes later, its calls later still.
  const giveUp = (packet: number, code: DropCode, now: Nanoseconds): void => {
    stages.counters.parked--
    forwarder.drop(packet, code, now)
  }
  const neighbourSink: NeighbourSink = {
    ask: (port, address, mac, now) => arp.ask(ports[port], address, mac, now),
    resolved: (packet, handle, now) => {
      stages.counters.parked--
      forwarder.enqueueTo(packet, slab.meta[(packet << META_SHIFT) + OUT_PORT], handle, now)
    },
    unresolved: giveUp,
  }
  const held = Math.min(FRAGMENTS_HELD, Math.max(1, slab.capacity >> 4))
  const datagrams = Math.min(64, Math.max(1, slab.capacity >> 4))
  const stages: Stages = {
    slab,
    counters: new Counters(),
    ports,
    own,
    flows,
    filters: new FilterTable(),
    fragments: new FragmentTable(slab, giveUp, { seed, held }),
    reassembly: new Reassembly(slab, giveUp, { datagrams }),
    labels,
    actions,
    applier: new Applier(slab, actions, seed),
    upcalls: new Upcalls(slab, actions, { ...options.upcalls, seed }),
    tunnels,
    routes: new RouteTable(),
    neighbours: new Neighbours(slab, neighbourSink, seed),
    pins: new Pins(slab, flows, actions),
    errors: new IcmpErrors(slab, icmpLimiter()),
    local: { deliver: () => {} },
    arp: { receive: () => {} },
    onDrop: options.onDrop,
  }
  const forwarder = new Forwarder(stages)
  forwarder.notice = new DropNotices(stages, forwarder)
  const whole = new Datagrams(stages, forwarder)
  const local = new LocalServices(stages, forwarder, whole)
  const arp = new ArpResponder(stages, forwarder)
  stages.local = local
  stages.arp = arp
  const ingress = new Ingress(stages, forwarder, whole)
  const originator = new Originator(stages, forwarder)
  return { stages, forwarder, ingress, egress: new Egress(stages, forwarder), local, originator }
}

/** RFC 1812 4.3.2.8: errors must not flood those they are meant to help. */
function icmpLimiter(): ErrorLimiter {
  const bucket = new TokenBucket(SECOND, ICMP_ERRORS_PER_SECOND, ICMP_ERROR_BURST)
  return {
    take: (now) => {
      if (bucket.eligibleAt > now) return false
      bucket.consume(1, now)
      return true
    },
  }
}
