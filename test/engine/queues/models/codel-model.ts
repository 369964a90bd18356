/**
 * CoDel after the pseudocode of RFC 8289, section 5, on plain objects: the reference that the engine's is compared
 * with. Times are milliseconds here, so that a shared mistake in units would show.
 */
export interface CodelPacket {
  readonly id: number
  readonly bytes: number
  readonly enqueuedMs: number
}

const TARGET_MS = 5
const INTERVAL_MS = 100
const MAX_PACKET_BYTES = 1514

export class CodelModel {
  readonly queue: CodelPacket[] = []
  readonly dropped: number[] = []
  #firstAboveTime = 0
  #dropNext = 0
  #count = 0
  #lastCount = 0
  #dropping = false

  dequeue(nowMs: number): number {
    let result = this.#doDequeue(nowMs)
    if (this.#dropping) {
      if (!result.okToDrop) this.#dropping = false
      while (nowMs >= this.#dropNext && this.#dropping) {
        this.#drop(result.packet)
        this.#count++
        result = this.#doDequeue(nowMs)
        if (!result.okToDrop) this.#dropping = false
        else this.#dropNext = controlLaw(this.#dropNext, this.#count)
      }
    } else if (result.okToDrop) {
      this.#drop(result.packet)
      result = this.#doDequeue(nowMs)
      this.#dropping = true
      const delta = this.#count - this.#lastCount
      this.#count = 1
      if (delta > 1 && nowMs - this.#dropNext < 16 * INTERVAL_MS) this.#count = delta
      this.#dropNext = controlLaw(nowMs, this.#count)
      this.#lastCount = this.#count
    }
    return result.packet?.id ?? -1
  }

  #drop(packet: CodelPacket | undefined): void {
    if (packet !== undefined) this.dropped.push(packet.id)
  }

  #doDequeue(nowMs: number): { packet: CodelPacket | undefined; okToDrop: boolean } {
    const packet = this.queue.shift()
    if (packet === undefined) {
      this.#firstAboveTime = 0
      return { packet, okToDrop: false }
    }
    const bytes = this.queue.reduce((sum, each) => sum + each.bytes, 0)
    if (nowMs - packet.enqueuedMs < TARGET_MS || bytes <= MAX_PACKET_BYTES) {
      this.#firstAboveTime = 0
      return { packet, okToDrop: false }
    }
    if (this.#firstAboveTime === 0) {
      this.#firstAboveTime = nowMs + INTERVAL_MS
      return { packet, okToDrop: false }
    }
    return { packet, okToDrop: nowMs >= this.#firstAboveTime }
  }
}

function controlLaw(time: number, count: number): number {
  return time + INTERVAL_MS / Math.sqrt(count)
}
