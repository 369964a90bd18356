/** How full every bounded place of an engine is, and how often one refused: the rows of the table `limits`. */
import type { Stages } from '../stages.ts'

/** Values by name. */
export function levels(stages: Stages): Record<string, number> {
  const { slab, flows: flowTable, upcalls, pins, labels, actions, fragments, reassembly, errors } = stages
  const { neighbours: hops, tunnels: tunnelTable } = stages
  return {
    'slab.available': slab.available,
    'slab.capacity': slab.capacity,
    'flows.size': flowTable.size,
    'flows.capacity': flowTable.capacity,
    'flows.refused': flowTable.refused,
    'flows.refusedByOwner': flowTable.refusedByOwner,
    'flows.unpinned': pins.unpinned,
    'upcalls.open': upcalls.open,
    'upcalls.parked': upcalls.parked,
    'upcalls.refused': upcalls.refused,
    'upcalls.expired': upcalls.expired,
    'neighbours.size': hops.size,
    'neighbours.pending': hops.pending,
    'neighbours.ignored': hops.ignored,
    'neighbours.refused': hops.refused,
    'fragments.held': fragments.held,
    'fragments.evicted': fragments.counters.evicted,
    'reassembly.held': reassembly.held,
    'reassembly.evicted': reassembly.counters.evicted,
    'icmp.sent': errors.counters.sent,
    'icmp.unanswerable': errors.counters.unanswerable,
    'icmp.rateLimited': errors.counters.rateLimited,
    'icmp.slabFull': errors.counters.slabFull,
    'actions.size': actions.size,
    'labels.size': labels.size,
    'tunnels.size': tunnelTable.size,
    'tunnels.reportsRefused': tunnelTable.reportsRefused,
  }
}
