/**
 * How much data fits a segment. The one idea: the least of what the peer accepts, what the user allows and what the
 * path carries, less the options every segment has (RFC 9293 3.7.1, RFC 6691).
 */
import type { ControlBlock } from './control-block.ts'

/** IPv4 and TCP headers without options. */
const HEADERS_BYTES = 40
/** The timestamp option with its padding. */
const TIMESTAMP_BYTES = 12
/** Whatever a peer or a router claims, a segment carries this much. */
export const LEAST_SEGMENT_BYTES = 48

/** Brings the connection's segment size up to date. */
export function updateSegmentBytes(block: ControlBlock): void {
  const { services, settings, remote } = block
  const path = services.pathMtu(remote) - HEADERS_BYTES
  const whole = Math.min(block.peerSegmentBytes, settings.maximumSegmentBytes, path)
  block.congestion.segmentBytes = Math.max(
    LEAST_SEGMENT_BYTES,
    whole - (block.timestamps ? TIMESTAMP_BYTES : 0),
  )
}
