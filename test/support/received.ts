/** Receiving from a driver on a real device in a test: rounds until enough has come. */
import { PacketSlab } from '../../engine/packet.ts'
import type { PortDriver } from '../../engine/ports/port-driver.ts'

const ROUNDS = 200

export const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))

/** Up to `count` frames, or what came in the time a test has. */
export async function received(
  driver: PortDriver,
  count: number,
  now = 1_000_000,
  rounds = ROUNDS,
): Promise<Uint8Array[]> {
  const slab = new PacketSlab({ capacity: 64, stride: 65536 })
  const into = new Int32Array(64)
  const frames: Uint8Array[] = []
  for (let round = 0; round < rounds && frames.length < count; round++) {
    const received = driver.receive(slab, into, 64, now)
    for (const packet of into.subarray(0, received)) {
      frames.push(slab.frame(packet).slice())
      slab.release(packet)
    }
    if (received === 0) await soon()
  }
  return frames
}

/** Frames that have come by now: for tests that expect none. */
export async function receivedNow(driver: PortDriver): Promise<Uint8Array[]> {
  await soon()
  await soon()
  return await received(driver, 1, undefined, 1)
}

/** Lets time pass for the driver until it says that its link is up or down; whether it did in the end. */
export async function linkBecomes(driver: PortDriver, up: boolean): Promise<boolean> {
  const into = new Int32Array(1)
  const slab = new PacketSlab({ capacity: 1 })
  for (let round = 0; round < ROUNDS && driver.up !== up; round++) {
    driver.receive(slab, into, 0, 1_000_000 + round * 1_000_000_000)
    await soon()
  }
  return driver.up === up
}

/** Sends a frame and flushes. */
export function transmitted(driver: PortDriver, frame: Uint8Array, now = 1_000_000): boolean {
  const slab = new PacketSlab({ capacity: 1, stride: 65536 })
  const sent = driver.transmit(slab, slab.load(frame), now)
  driver.flush(now)
  return sent
}
