/**
 * The stages of the corridor, as ingress and egress see them. One object per engine, built once by engine.ts;
 * nothing in it changes its shape afterwards.
 */
import type { ActionTable } from './actions/action-table.ts'
import type { Applier } from './actions/apply.ts'
import type { ClassLabels } from './class-labels.ts'
import type { FilterTable } from './classifier/filter-table.ts'
import type { FlowTable } from './classifier/flow-table.ts'
import type { Nanoseconds } from './clock.ts'
import type { Counters } from './counters.ts'
import type { DropCode } from './drop-reason.ts'
import type { PacketSlab } from './packet.ts'
import type { Pins } from './pins.ts'
import type { Port } from './port.ts'
import type { FragmentTable } from './routing/fragment-table.ts'
import type { IcmpErrors } from './routing/icmp-error.ts'
import type { Neighbours } from './routing/neighbours.ts'
import type { Reassembly } from './routing/reassembly.ts'
import type { RouteTable } from './routing/route-table.ts'
import type { AddressSet } from './tunnels/address-set.ts'
import type { TunnelTable } from './tunnels/tunnel-table.ts'
import type { Upcalls } from './upcall.ts'

/** Takes packets addressed to the router itself; owns them from then on. */
export interface LocalDelivery {
  deliver(packet: number, now: Nanoseconds): void
}

/** Takes ARP frames; owns them from then on. */
export interface ArpReceiver {
  receive(packet: number, port: Port, now: Nanoseconds): void
}

/** Sees every packet that is dropped, before its frame is given back. For captures; may read, must not keep. */
export type DropSink = (packet: number, code: DropCode, now: Nanoseconds) => void

export interface Stages {
  readonly slab: PacketSlab
  readonly counters: Counters
  readonly ports: readonly Port[]
  /** The router's own addresses. */
  readonly own: AddressSet
  readonly flows: FlowTable
  readonly filters: FilterTable
  readonly fragments: FragmentTable
  readonly reassembly: Reassembly
  readonly labels: ClassLabels
  readonly actions: ActionTable
  readonly applier: Applier
  readonly upcalls: Upcalls
  readonly tunnels: TunnelTable
  readonly routes: RouteTable
  readonly neighbours: Neighbours
  readonly pins: Pins
  readonly errors: IcmpErrors
  local: LocalDelivery
  arp: ArpReceiver
  onDrop: DropSink | undefined
}
