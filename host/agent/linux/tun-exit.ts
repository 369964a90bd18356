/**
 * The tunnel exit in this process, for machines whose kernel takes no program (RFC 2003, RFC 6040; R-SLR-05). The one
 * idea: the kernel hands tunnel packets to a raw socket, fragments put together; what is inside goes back to it by a
 * TUN device. A quarter slower than the exit in the kernel; it also takes outer fragments and options.
 */
import { RawSocket, type RoutePrefix, Tun, Waiter } from '../../../engine/ports/linux/index.ts'
import {
  adjust16,
  createIpv4,
  ECN_DROP,
  ecnAtExit,
  PROTOCOL_IP_IN_IP,
  parseIpv4,
  prefixMask,
  read16,
  write16,
} from '../../../engine/wire/index.ts'
import type { BpfExitOptions, ExitCounters } from './bpf-exit.ts'
import { EXIT_OUTCOMES, type ExitOutcome } from './exit-program.ts'

/** The device's name: one exit for each network namespace. */
export const TUN_DEVICE = 'pronto-exit'
const MOST_BYTES = 65_535
/** Packets between two looks at everything else that this thread does. */
const BURST = 256

export class TunExit {
  readonly #socket: RawSocket
  readonly #tun: Tun
  readonly #waiter: Waiter
  readonly #unwrap: Unwrap
  readonly #packets = Object.fromEntries(EXIT_OUTCOMES.map((name) => [name, 0])) as Record<
    ExitOutcome,
    number
  >
  #bytes = 0
  #closed = false

  /** @throws LinuxError `forbidden`, `unsupported`, `busy` */
  constructor(options: BpfExitOptions) {
    this.#unwrap = new Unwrap(options)
    this.#tun = Tun.open({ device: TUN_DEVICE })
    try {
      this.#socket = new RawSocket(PROTOCOL_IP_IN_IP)
    } catch (error) {
      this.#tun.close()
      throw error
    }
    this.#waiter = new Waiter()
    void this.#run()
  }

  counters(): ExitCounters {
    return { packets: { ...this.#packets }, bytes: this.#bytes }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#waiter.close()
    this.#socket.close()
    this.#tun.close()
  }

  async #run(): Promise<void> {
    const packet = new Uint8Array(MOST_BYTES)
    while (!this.#closed) {
      await this.#waiter.wait([this.#socket.descriptor], Number.POSITIVE_INFINITY)
      for (let count = 0; count < BURST && !this.#closed; count++) {
        const length = this.#socket.read(packet)
        if (length === 0) break
        this.#take(packet, length)
      }
    }
  }

  #take(packet: Uint8Array, length: number): void {
    const outcome = this.#unwrap.take(packet, length)
    if (outcome === undefined) return
    const { start, end } = this.#unwrap
    const isOff = outcome === 'decapsulated' || outcome === 'marked'
    const isTaken = !isOff || this.#tun.write(packet, start, end - start)
    this.#packets[isTaken ? outcome : 'failed']++
    if (isOff && isTaken) this.#bytes += end - start
  }
}

/** Finds what is inside a tunnel packet, as the program in the kernel does. */
export class Unwrap {
  /** Where the inner packet of the last `take` lies. */
  start = 0
  end = 0
  readonly #addresses: ReadonlySet<number>
  readonly #prefixes: readonly RoutePrefix[]
  readonly #outer = createIpv4()
  readonly #inner = createIpv4()

  constructor({ addresses, prefixes }: BpfExitOptions) {
    this.#addresses = new Set(addresses)
    this.#prefixes = prefixes
  }

  /** What becomes of bytes[0, length), an IP packet; undefined where it is not for one of our addresses. */
  take(bytes: Uint8Array, length: number): ExitOutcome | undefined {
    const [outer, inner] = [this.#outer, this.#inner]
    if (parseIpv4(bytes, 0, length, outer) !== 0) return 'malformed'
    if (!this.#addresses.has(outer.destination)) return undefined
    const start = (bytes[0]! & 15) * 4
    const end = Math.min(length, outer.totalBytes)
    if (parseIpv4(bytes, start, end, inner) !== 0) return 'malformed'
    if (!this.#isVirtual(inner.destination)) return 'notVirtual'
    this.start = start
    this.end = start + inner.totalBytes
    const tos = ecnAtExit(inner.tos, outer.tos)
    if (tos === ECN_DROP) return 'congested'
    if (tos === inner.tos) return 'decapsulated'
    const before = read16(bytes, start)
    bytes[start + 1] = tos
    write16(bytes, start + 10, adjust16(read16(bytes, start + 10), before, read16(bytes, start)))
    return 'marked'
  }

  #isVirtual(address: number): boolean {
    for (const { address: first, length } of this.#prefixes)
      if ((address & prefixMask(length)) >>> 0 === first) return true
    return false
  }
}
