/**
 * Where a segment goes: to its connection, to a lingering end, to a listener, to whoever cares for strays, or back
 * as RST (RFC 9293 3.10.7.1-2). SYNs to broadcast and multicast addresses are discarded in silence (MUST-57) unless
 * a listener serves groups.
 */
import { TCP_ACK, TCP_RST, TCP_SYN } from '../../../engine/wire/index.ts'
import { isMulticast } from '../addresses.ts'
import type { Datagram } from '../network.ts'
import type { ControlBlock, ExperimentalOption } from './control-block.ts'
import { experimentalOptions, openPassive } from './handshake.ts'
import { segmentArrives } from './input.ts'
import type { TcpListener } from './listener.ts'
import { checkOptions } from './open-request.ts'
import { refuse } from './reset.ts'
import type { Segment } from './segment.ts'
import { advance, before } from './sequence.ts'
import type { TcpTables } from './tables.ts'

/** Sees a segment that belongs to no connection as a whole IP packet. True when it has taken care of it. */
export type StrayHandler = (packet: Uint8Array) => boolean

const HANDSHAKE_FLAGS = TCP_SYN | TCP_ACK | TCP_RST

/** Gives a parsed segment with a right checksum to whom it is for. */
export function demultiplex(
  tables: TcpTables,
  datagram: Datagram,
  segment: Segment,
  onStray: StrayHandler | undefined,
): void {
  const { source, destination, header } = segment
  const { sourcePort, destinationPort } = header
  const block =
    tables.connections.find(destination, destinationPort, source, sourcePort) ?? groupOpen(tables, segment)
  if (block !== null) {
    segmentArrives(block, segment)
    return
  }
  let least = -1
  const lingering = tables.lingering.find(destination, destinationPort, source, sourcePort)
  if (lingering !== null) {
    if (!tables.lingering.arrives(lingering, segment)) return
    tables.lingering.remove(lingering)
    least = advance(lingering.sndNxt, 0x10000)
  }
  const listener = tables.listeners.find(destination, destinationPort)
  if (listener !== undefined && (header.flags & HANDSHAKE_FLAGS) === TCP_SYN) {
    if (!datagram.group || (listener.options.groups && isMulticast(destination)))
      answerSyn(tables, listener, datagram, segment, least)
    return
  }
  if (datagram.group || onStray?.(packetOf(datagram))) return
  refuse(tables, segment)
}

/** A SYN-ACK from a host nobody named, to a SYN that went to a group: its sender is the peer from now on. */
function groupOpen(tables: TcpTables, segment: Segment): ControlBlock | null {
  if (tables.groupOpens.size === 0) return null
  const { header, destination, source } = segment
  if ((header.flags & HANDSHAKE_FLAGS) !== (TCP_SYN | TCP_ACK)) return null
  for (const block of tables.groupOpens) {
    if (block.local !== destination || block.localPort !== header.destinationPort) continue
    if (block.remotePort !== header.sourcePort || block.sndNxt !== header.acknowledgment) continue
    tables.rekey(block, source, header.sourcePort)
    return block
  }
  return null
}

function answerSyn(
  tables: TcpTables,
  listener: TcpListener,
  datagram: Datagram,
  segment: Segment,
  least: number,
): void {
  const { source, header } = segment
  if (listener.pending >= listener.backlog) {
    listener.dropped++
    tables.counters.backlogFull++
    return
  }
  if (tables.full) {
    tables.counters.connectionLimit++
    return
  }
  const local = datagram.group ? tables.context.network.sourceFor(source) : segment.destination
  const ends = { local, localPort: header.destinationPort, remote: source, remotePort: header.sourcePort }
  const known =
    datagram.group && tables.connections.find(local, ends.localPort, source, ends.remotePort) !== null
  if (local === 0 || known) return
  let offered: readonly ExperimentalOption[] = []
  if (listener.options.onSyn !== undefined) {
    const options = experimentalOptions(segment.options)
    const answer = listener.options.onSyn({ ...ends, options, packet: packetOf(datagram) })
    if (answer === 'ignore') return
    offered = checkOptions(answer)
  }
  const block = tables.createBlock(ends, listener.settings)
  block.offered = offered
  block.listener = listener
  listener.pending++
  tables.connections.add(block)
  const iss = tables.secrets.initialSequence(block, tables.clock.now)
  openPassive(block, least >= 0 && before(iss, least) ? least : iss, segment)
}

function packetOf(datagram: Datagram): Uint8Array {
  return datagram.bytes.subarray(datagram.network, datagram.end)
}
