/**
 * Congestion control (RFC 5681, with NewReno's deflation, RFC 6582, and the initial window of RFC 6928). The one
 * idea: a window in bytes that reacts to acknowledgments, loss and timeouts; which bytes were lost is for others
 * to find out.
 */

export class Congestion {
  /** Congestion window in bytes. */
  window: number
  /** Slow start threshold in bytes. */
  threshold = Number.POSITIVE_INFINITY
  /** Sender maximum segment size in bytes. */
  segmentBytes: number
  /** Bytes acknowledged since the window last grew in congestion avoidance. */
  credit = 0

  /** @param segments the initial window in segments, 1 or more */
  constructor(segmentBytes: number, segments: number) {
    this.segmentBytes = segmentBytes
    this.window = segmentBytes * segments
  }

  get slowStart(): boolean {
    return this.window < this.threshold
  }

  /** `bytes` new bytes were acknowledged outside of fast recovery. */
  acknowledged(bytes: number): void {
    const size = this.segmentBytes
    if (this.slowStart) {
      this.window += Math.min(bytes, size)
      return
    }
    this.credit += bytes
    if (this.credit < this.window) return
    this.credit -= this.window
    this.window += size
  }

  /** Half of what is in flight, two segments at least (RFC 5681 equation 4). */
  halve(flightBytes: number): void {
    this.threshold = Math.max(flightBytes / 2, 2 * this.segmentBytes)
    this.credit = 0
  }

  /** Fast recovery begins with selective acknowledgments (RFC 6675): the window is the threshold at once. */
  enterRecovery(flightBytes: number): void {
    this.halve(flightBytes)
    this.window = this.threshold
  }

  /** Fast recovery begins without them (RFC 6582): three segments have left the network. */
  enterInflatedRecovery(flightBytes: number): void {
    this.halve(flightBytes)
    this.window = this.threshold + 3 * this.segmentBytes
  }

  /** Another duplicate acknowledgment: another segment has left the network. */
  inflate(): void {
    this.window += this.segmentBytes
  }

  /** A partial acknowledgment of `bytes` (RFC 6582 step 3): deflate by what left, add back one segment. */
  deflate(bytes: number): void {
    const back = bytes >= this.segmentBytes ? this.segmentBytes : 0
    this.window = Math.max(this.segmentBytes, this.window - bytes + back)
  }

  /** Fast recovery ended; `flightBytes` are still out. */
  leaveRecovery(flightBytes: number): void {
    this.window = Math.min(this.threshold, Math.max(flightBytes, this.segmentBytes) + this.segmentBytes)
  }

  /** The timer expired: one segment (RFC 5681 3.1). `first` unless the same data timed out before. */
  timeout(flightBytes: number, first: boolean): void {
    if (first) this.halve(flightBytes)
    this.window = this.segmentBytes
    this.credit = 0
  }

  /** Nothing was sent for longer than the timeout (RFC 5681 4.1). */
  restart(segments: number): void {
    this.window = Math.min(this.window, this.segmentBytes * segments)
  }
}

/** The initial window in segments, at most `wanted`: RFC 6928's min(10 MSS, max(2 MSS, 14600)). */
export function initialSegments(segmentBytes: number, wanted: number): number {
  return Math.max(1, Math.min(wanted, Math.max(2, Math.floor(14_600 / segmentBytes))))
}
