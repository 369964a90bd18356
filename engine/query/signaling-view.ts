/** What signaling with hosts shows of itself (R-SLR-17). It is no part of the engine: whoever runs it gives its rows. */
import type { Row } from './row.ts'

/** What a row of a host has: lists are separated by spaces, loads stand in the order of the virtual hosts. */
export const HOST_COLUMNS = [
  'host',
  'address',
  'state',
  'virtualHosts',
  'loads',
  'connections',
  'intervalMs',
  'reports',
  'heardAtNs',
] as const

export interface SignalingView {
  /** A row of HOST_COLUMNS for each host that is taken in. */
  hosts(): Iterable<Row>
  /** A row for each counter: name and value. */
  counters(): Iterable<Row>
}
