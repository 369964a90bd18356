/**
 * A layer 3 device whose other end is this process: how packets for the router's own addresses reach the operating
 * system and how the operating system's own enter the router. The one idea: one packet a call, through one buffer;
 * this is the slow path.
 */
import { copyBytes } from '../copy-bytes.ts'
import { DeviceControl } from './device-control.ts'
import { type Libc, libc } from './libc.ts'
import { Memory } from './memory.ts'
import { openTunDevice, TUN } from './tun-device.ts'

/** Longest IP packet. */
const MOST_BYTES = 65535

export interface TunOptions {
  /** The device's name in the system. */
  readonly device: string
  /** Largest IP packet in bytes. Default: what the device has, 1500 for a new one. */
  readonly mtu?: number
}

export class Tun {
  readonly device: string
  readonly #libc: Libc = libc()
  readonly #memory: Memory
  #descriptor: number

  /**
   * Creates the device, or attaches to one that exists, and brings it up. One that was created goes away with `close`.
   * @throws LinuxError `forbidden` without CAP_NET_ADMIN, `busy`, `unsupported`, `invalid`
   */
  static open(options: TunOptions): Tun {
    const descriptor = openTunDevice(options.device, TUN)
    try {
      const control = new DeviceControl(options.device)
      try {
        if (options.mtu !== undefined) control.setMtu(options.mtu)
        control.setUp(true)
      } finally {
        control.close()
      }
      return new Tun(options.device, descriptor)
    } catch (error) {
      libc().close(descriptor)
      throw error
    }
  }

  private constructor(device: string, descriptor: number) {
    this.device = device
    this.#memory = new Memory(MOST_BYTES + 1)
    this.#descriptor = descriptor
  }

  /** For poll(2); -1 after `close` or when the device was removed. */
  get descriptor(): number {
    return this.#descriptor
  }

  /** Takes the next IP packet that the system sends here. Returns its length; 0 for none, or when it does not fit. */
  read(into: Uint8Array): number {
    if (this.#descriptor < 0) return 0
    const length = this.#libc.read(this.#descriptor, this.#memory.address, MOST_BYTES)
    if (length < 0 && this.#libc.errno() === REMOVED) this.#release()
    if (length <= 0 || length > into.length) return 0
    copyBytes(this.#memory.bytes, 0, length, into, 0)
    return length
  }

  /** Gives the IP packet bytes[start, start + length) to the system. False when it did not take it. */
  write(bytes: Uint8Array, start: number, length: number): boolean {
    if (this.#descriptor < 0 || length <= 0 || length > MOST_BYTES) return false
    copyBytes(bytes, start, length, this.#memory.bytes, 0)
    return this.#libc.write(this.#descriptor, this.#memory.address, length) === length
  }

  /** Idempotent. */
  close(): void {
    this.#release()
    this.#memory.close()
  }

  #release(): void {
    if (this.#descriptor >= 0) this.#libc.close(this.#descriptor)
    this.#descriptor = -1
  }
}

/** EBADFD: the device behind the descriptor is gone. */
const REMOVED = 77
