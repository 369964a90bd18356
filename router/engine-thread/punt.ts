/**
 * The way between the router's addresses and the programs of its machine: what the router does not serve itself goes
 * up through a TUN device, what those programs send comes down through it and is routed like everything else. The one
 * idea: to the machine the router is a link on which everybody is reachable; to the network both are one host.
 */
import type { Engine, Nanoseconds } from '../../engine/index.ts'
import { LENGTH, META_SHIFT, NETWORK, NEVER, type PacketSlab, START } from '../../engine/index.ts'
import { LinuxError, Tun } from '../../engine/ports/linux/index.ts'
import type { Worker } from './engine-loop.ts'
import { PuntNetwork } from './punt-network.ts'

/** Packets taken from the machine in a round: it shall not keep the network waiting. */
const BATCH = 64
const LARGEST_BYTES = 65_535

export class Punt implements Worker {
  readonly #engine: Engine
  readonly #tun: Tun
  readonly #network: PuntNetwork
  readonly #packet = new Uint8Array(LARGEST_BYTES)
  readonly #say: (problem: string) => void
  #isSynced = false
  #isGone = false
  /** Packets of the machine's that the engine did not take. */
  refused = 0

  /**
   * @param device name of the device to be made
   * @param say is told of trouble in words
   * @throws LinuxError
   */
  constructor(engine: Engine, device: string, say: (problem: string) => void) {
    this.#engine = engine
    this.#say = (problem) => say(`punt ${device}: ${problem}`)
    this.#tun = Tun.open({ device })
    try {
      this.#network = new PuntNetwork(device, this.#say)
    } catch (error) {
      this.#tun.close()
      throw error
    }
    engine.local.punt = (slab, packet) => this.#up(slab, packet)
  }

  poll(now: Nanoseconds): number {
    for (let taken = 0; taken < BATCH; taken++) {
      const length = this.#tun.read(this.#packet)
      if (length === 0) {
        if (this.#tun.descriptor < 0) this.#lose()
        return taken
      }
      if (!this.#engine.sendPacket(this.#packet, 0, length, now)) this.refused++
    }
    return BATCH
  }

  /**
   * Follows a change of the router's addresses. What the machine refuses later than at first does not undo the change.
   * @throws LinuxError at first
   */
  sync(): void {
    if (this.#isGone) return
    try {
      this.#network.sync(this.#engine.stages.ports.flatMap((port) => port.addresses))
      this.#isSynced = true
    } catch (error) {
      if (!(this.#isSynced && error instanceof LinuxError)) throw error
      this.#say(error.message)
    }
  }

  /** Readable when the machine has sent something. */
  get descriptor(): number {
    return this.#tun.descriptor
  }

  pollAt(): Nanoseconds {
    return NEVER
  }

  close(): void {
    this.#engine.local.punt = undefined
    this.#network.close()
    this.#tun.close()
  }

  /** The router serves on without the programs of its machine. */
  #lose(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#say('the device is gone; programs are at the addresses of the router again when it is restarted')
  }

  #up(slab: PacketSlab, packet: number): boolean {
    const at = packet << META_SHIFT
    const network = slab.meta[at + NETWORK]!
    const end = slab.meta[at + START]! + slab.meta[at + LENGTH]!
    return this.#tun.write(slab.bytes, network, end - network)
  }
}
