/**
 * A received segment. The one idea: one reusable object that points into the frame; nothing is copied until data
 * is kept. All of it is attacker-controlled.
 */
import {
  createTcp,
  createTcpOptions,
  parseTcp,
  parseTcpOptions,
  TCP_FIN,
  TCP_HEADER_BYTES,
  TCP_SYN,
  type Tcp,
  type TcpOptions,
  tcpChecksumOk,
} from '../../../engine/wire/index.ts'

export interface Segment {
  /** Addresses of the IP header. */
  source: number
  destination: number
  readonly header: Tcp
  readonly options: TcpOptions
  /** The frame; the payload lies in [from, to). */
  bytes: Uint8Array
  from: number
  to: number
}

export function createSegment(): Segment {
  return {
    source: 0,
    destination: 0,
    header: createTcp(),
    options: createTcpOptions(),
    bytes: new Uint8Array(0),
    from: 0,
    to: 0,
  }
}

/** Reads the segment that fills [offset, end); addresses are set already. Says what is wrong with it, if anything. */
export function parseSegment(
  bytes: Uint8Array,
  offset: number,
  end: number,
  into: Segment,
): 'good' | 'malformed' | 'checksum' {
  if (parseTcp(bytes, offset, end, into.header) !== 0) return 'malformed'
  if (!tcpChecksumOk(bytes, offset, end, into.source, into.destination)) return 'checksum'
  into.bytes = bytes
  into.from = offset + into.header.headerBytes
  into.to = end
  parseTcpOptions(bytes, offset + TCP_HEADER_BYTES, into.from, into.options)
  return 'good'
}

/** Sequence numbers the segment occupies: payload, SYN and FIN. */
export function segmentLength(segment: Segment): number {
  const { flags } = segment.header
  return segment.to - segment.from + ((flags & TCP_SYN) !== 0 ? 1 : 0) + ((flags & TCP_FIN) !== 0 ? 1 : 0)
}
