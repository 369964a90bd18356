/**
 * The tunnel exit in the kernel: program, maps and the devices that it is attached to. The one idea: what is attached
 * is found again by its place alone, so that one process can take away what another has left.
 */
import {
  addClsact,
  attachIngress,
  BpfMap,
  BpfProgram,
  detachIngress,
  type Netlink,
  type RoutePrefix,
  removeClsactIfEmpty,
} from '../../../engine/ports/linux/index.ts'
import {
  COUNTER_BYTES,
  EXIT_OUTCOMES,
  type ExitOutcome,
  exitProgram,
  PREFIX_KEY_BYTES,
} from './exit-program.ts'

const NAME = 'pronto_exit'
/** Where the filter stands on every device: nobody else uses these by chance. */
const PRIORITY = 4754
const HANDLE = 0x4754

/** A number of packets for each outcome, and the inner bytes of those taken off. */
export interface ExitCounters {
  readonly packets: Readonly<Record<ExitOutcome, number>>
  readonly bytes: number
}

export interface BpfExitOptions {
  /** Outer destinations. */
  readonly addresses: readonly number[]
  readonly prefixes: readonly RoutePrefix[]
}

/** The program with its maps; attached to no device at first. */
export class BpfExit {
  readonly program: BpfProgram
  readonly #prefixes: BpfMap
  readonly #counters: BpfMap

  /** @throws LinuxError `forbidden`, `unsupported` */
  constructor({ addresses, prefixes }: BpfExitOptions) {
    const opened: { close(): void }[] = []
    const keep = <T extends { close(): void }>(thing: T): T => {
      opened.push(thing)
      return thing
    }
    try {
      this.#prefixes = keep(
        new BpfMap({
          kind: 'longest prefix',
          name: 'pronto_virtual',
          keyBytes: PREFIX_KEY_BYTES,
          valueBytes: 1,
          maxEntries: Math.max(1, prefixes.length),
        }),
      )
      this.#counters = keep(
        new BpfMap({
          kind: 'per-processor array',
          name: 'pronto_count',
          keyBytes: 4,
          valueBytes: COUNTER_BYTES,
          maxEntries: EXIT_OUTCOMES.length,
        }),
      )
      for (const prefix of prefixes) this.#prefixes.set(prefixKey(prefix), Uint8Array.of(1))
      const maps = { prefixes: this.#prefixes.descriptor, counters: this.#counters.descriptor }
      this.program = keep(new BpfProgram(NAME, exitProgram({ addresses, ...maps })))
    } catch (error) {
      for (const each of opened) each.close()
      throw error
    }
  }

  /** @throws LinuxError `busy` when the device has a tunnel exit */
  attach(netlink: Netlink, device: number): void {
    attachIngress(netlink, { device, priority: PRIORITY, handle: HANDLE }, this.program)
  }

  /** What has happened since the program was made. @throws LinuxError */
  counters(): ExitCounters {
    const sums = EXIT_OUTCOMES.map((_, index) => this.#sum(index))
    const packets = Object.fromEntries(EXIT_OUTCOMES.map((name, index) => [name, sums[index]!.packets]))
    return {
      packets: packets as Record<ExitOutcome, number>,
      bytes: sums.reduce((total, each) => total + each.bytes, 0),
    }
  }

  /** The program goes when it is not attached any more. */
  close(): void {
    this.program.close()
    this.#prefixes.close()
    this.#counters.close()
  }

  #sum(index: number): { packets: number; bytes: number } {
    const values = this.#counters.get(new Uint8Array(Uint32Array.of(index).buffer))
    let [packets, bytes] = [0, 0]
    if (values === undefined) return { packets, bytes }
    const words = new BigUint64Array(values.buffer)
    for (let at = 0; at < words.length; at += 2) {
      packets += Number(words[at])
      bytes += Number(words[at + 1])
    }
    return { packets, bytes }
  }
}

/** Makes room for the exit on a device. Whether there was none. @throws LinuxError */
export function prepareDevice(netlink: Netlink, device: number): boolean {
  return addClsact(netlink, device)
}

/** Takes away the exit of a device, whoever has attached it. Whether there was one. @throws LinuxError */
export function detachExit(netlink: Netlink, device: number): boolean {
  return detachIngress(netlink, { device, priority: PRIORITY, handle: HANDLE })
}

/** Takes away the room that `prepareDevice` has made, unless others use it by now. @throws LinuxError */
export function releaseDevice(netlink: Netlink, device: number): boolean {
  return removeClsactIfEmpty(netlink, device)
}

function prefixKey({ address, length }: RoutePrefix): Uint8Array {
  const key = new Uint8Array(PREFIX_KEY_BYTES)
  const view = new DataView(key.buffer)
  view.setUint32(0, length, true)
  view.setUint32(4, address)
  return key
}
