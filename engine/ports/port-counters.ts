/** Fresh counters for a port driver: all zero. */
import type { PortCounters } from './port-driver.ts'

export function createPortCounters(): PortCounters {
  return {
    receivedFrames: 0,
    receivedBytes: 0,
    transmittedFrames: 0,
    transmittedBytes: 0,
    receiveDropped: 0,
    transmitDropped: 0,
  }
}
