/**
 * ICMP errors about connections (RFC 5927, RFC 1191, RFC 9293 3.9.2.2). The one idea: an error counts only when the
 * quoted segment is in flight, and even then it ends only a connection that is not established; a path too narrow
 * makes segments smaller.
 */
import {
  ICMP_UNREACHABLE,
  read16,
  read32,
  UNREACHABLE_FRAGMENTATION_NEEDED,
  UNREACHABLE_PORT,
  UNREACHABLE_PROTOCOL,
} from '../../../engine/wire/index.ts'
import type { QuotedPacket } from '../network.ts'
import type { ControlBlock } from './control-block.ts'
import { finish } from './lifecycle.ts'
import { output } from './output.ts'
import { enterLoss } from './recovery.ts'
import { updateSegmentBytes } from './segment-size.ts'
import { before, notAfter } from './sequence.ts'
import type { TcpTables } from './tables.ts'

/** Takes an ICMP error that quotes a segment of ours. Attacker-controlled. */
export function errorArrives(tables: TcpTables, quoted: QuotedPacket): void {
  const { bytes, transport, end, source, destination } = quoted
  if (end - transport < 8) return
  const ports = read16(bytes, transport)
  const block = tables.connections.find(source, ports, destination, read16(bytes, transport + 2))
  const sequence = read32(bytes, transport + 4)
  if (block === null || before(sequence, block.sndUna) || !before(sequence, block.sndNxt)) {
    tables.counters.unreachableIgnored++
    return
  }
  if (quoted.type === ICMP_UNREACHABLE && quoted.code === UNREACHABLE_FRAGMENTATION_NEEDED)
    narrow(tables, block, quoted)
  else unreachable(block, quoted)
}

function narrow(tables: TcpTables, block: ControlBlock, quoted: QuotedPacket): void {
  const { paths, clock } = tables.context
  const before = block.congestion.segmentBytes
  paths.learn(block.remote, quoted.mtu, quoted.packetBytes, tables.linkMtu(block.remote), clock.now)
  updateSegmentBytes(block)
  if (block.congestion.segmentBytes >= before || !block.synchronized) return
  enterLoss(block, 'mtu')
  if (!block.busy) output(block)
}

function unreachable(block: ControlBlock, quoted: QuotedPacket): void {
  block.unreachable = true
  const { type, code } = quoted
  const hard = type === ICMP_UNREACHABLE && (code === UNREACHABLE_PROTOCOL || code === UNREACHABLE_PORT)
  const opening = block.state === 'syn-sent' && notAfter(block.sndUna, block.iss)
  if (hard && opening) finish(block, 'unreachable')
}
