/**
 * Saying no: RST to segments that belong to nothing (RFC 9293 3.10.7.1), and challenge acknowledgments to those
 * that claim too much (RFC 5961). The one idea: a blind attacker gets at most a few acknowledgments a second, and
 * never a connection's end.
 */
import { createTcp, emitTcp, TCP_ACK, TCP_HEADER_BYTES, TCP_RST } from '../../../engine/wire/index.ts'
import { FRAME_TRANSPORT } from '../frame.ts'
import { SECOND } from '../time.ts'
import type { ControlBlock, TcpServices } from './control-block.ts'
import { emitSegment } from './emit.ts'
import { type Segment, segmentLength } from './segment.ts'
import { advance } from './sequence.ts'

/** Challenge acknowledgments of one connection in a second (RFC 5961 section 7). */
const CHALLENGES_PER_SECOND = 10
const NOTHING = new Uint8Array(0)
const header = createTcp()

/** Answers a segment that no connection accepts with RST; never answers RST. */
export function refuse(services: TcpServices, segment: Segment): void {
  const given = segment.header
  if ((given.flags & TCP_RST) !== 0) return
  const acknowledges = (given.flags & TCP_ACK) !== 0
  header.sourcePort = given.destinationPort
  header.destinationPort = given.sourcePort
  header.sequence = acknowledges ? given.acknowledgment : 0
  header.acknowledgment = acknowledges ? 0 : advance(given.sequence, segmentLength(segment))
  header.flags = acknowledges ? TCP_RST : TCP_RST | TCP_ACK
  header.window = 0
  const frame = new Uint8Array(FRAME_TRANSPORT + TCP_HEADER_BYTES)
  emitTcp(frame, FRAME_TRANSPORT, segment.destination, segment.source, header, undefined, NOTHING)
  services.counters.resetsSent++
  services.counters.segmentsOut++
  services.transmit(frame, {
    local: segment.destination,
    localPort: given.destinationPort,
    remote: segment.source,
    remotePort: given.sourcePort,
  })
}

/** Owes an acknowledgment to a segment that was not accepted, unless there were too many in this second. */
export function challenge(block: ControlBlock): void {
  const { clock, counters } = block.services
  if (clock.now - block.challengeSince >= SECOND) {
    block.challengeSince = clock.now
    block.challenges = 0
  }
  if (block.challenges >= CHALLENGES_PER_SECOND) return
  block.challenges++
  counters.challengeAcks++
  block.ackNow = true
}

/** Tells the peer that the connection is over (ABORT, RFC 9293 3.10.5). */
export function emitReset(block: ControlBlock): void {
  block.services.counters.resetsSent++
  emitSegment(block, block.sndNxt, TCP_RST, NOTHING)
}
