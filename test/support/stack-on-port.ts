/**
 * A host stack on a port driver, in real time. The one idea: the loop that the simulator has in virtual time, with a
 * clock and ppoll(2) instead.
 */
import { LENGTH, META_SHIFT, NEVER, PacketSlab, type PortDriver, START } from '../../engine/index.ts'
import { Waiter } from '../../engine/ports/linux/index.ts'
import type { Ipv4Prefix } from '../../engine/wire/index.ts'
import type { HostStack } from '../../host/stack/index.ts'

const BATCH = 64
const HEADER_BYTES = 14

/** Monotonic nanoseconds. */
export const clock = (): number => Math.round(performance.now() * 1e6)

export class StackOnPort {
  readonly #stack: HostStack
  readonly #driver: PortDriver
  readonly #descriptor: number
  readonly #slab = new PacketSlab({ capacity: BATCH + 1 })
  readonly #into = new Int32Array(BATCH)
  readonly #device: number
  readonly #waiter = new Waiter()
  #ended = false

  /** @param descriptor is readable when frames wait at the driver */
  constructor(stack: HostStack, driver: PortDriver, descriptor: number, prefixes: readonly Ipv4Prefix[]) {
    this.#stack = stack
    this.#driver = driver
    this.#descriptor = descriptor
    const { name, mac, capabilities } = driver
    const mtu = capabilities.maxFrameBytes - HEADER_BYTES
    this.#device = stack.addDevice({ name, mac, mtu, send: (frame) => this.#send(frame) }, prefixes)
  }

  /** Runs until `end` is called. Rejects with what the stack's applications throw. */
  async run(): Promise<void> {
    while (!this.#ended) {
      const received = this.#receive()
      this.#stack.poll(clock())
      this.#driver.flush(clock())
      if (received > 0) await new Promise((resolve) => setImmediate(resolve))
      else {
        const now = clock()
        const at = Math.min(this.#stack.pollAt(), this.#driver.pollAt(now))
        await this.#waiter.wait([this.#descriptor], at === NEVER ? NEVER : at - now)
      }
    }
    this.#waiter.close()
  }

  end(): void {
    this.#ended = true
    this.#waiter.wake()
  }

  /** Calls `act` with the stack at the present time, and lets the loop see what came of it. */
  act<T>(act: () => T): T {
    this.#stack.poll(clock())
    const result = act()
    this.#waiter.wake()
    return result
  }

  #receive(): number {
    const slab = this.#slab
    const count = this.#driver.receive(slab, this.#into, BATCH, clock())
    for (let each = 0; each < count; each++) {
      const packet = this.#into[each]!
      const at = packet << META_SHIFT
      const start = slab.meta[at + START]!
      const frame = slab.bytes.slice(start, start + slab.meta[at + LENGTH]!)
      slab.release(packet)
      this.#stack.input(this.#device, frame, clock())
    }
    return count
  }

  #send(frame: Uint8Array): void {
    const now = clock()
    if (this.#driver.readyAt(now) > now) return
    const packet = this.#slab.load(frame)
    this.#driver.transmit(this.#slab, packet, now)
    this.#slab.release(packet)
  }
}
