/**
 * Questions and orders to one network device by ioctl. The one idea: a control socket remembers the namespace it
 * was opened in, so a driver can ask about its device from anywhere, each question one system call without
 * allocation.
 */
import { checked, libc } from './libc.ts'
import { Memory } from './memory.ts'
import { LinuxError } from './system-error.ts'

const AF_INET = 2
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000
/** struct ifreq: a name of at most 15 bytes and its end, then a union. */
const NAME_BYTES = 16
const REQUEST_BYTES = 40
const VALUE = NAME_BYTES
const VALUE_WORD = VALUE / 4
const ETHTOOL_VALUE = 64

const SIOCGIFFLAGS = 0x8913
const SIOCSIFFLAGS = 0x8914
const SIOCGIFMTU = 0x8921
const SIOCSIFMTU = 0x8922
const SIOCSIFHWADDR = 0x8924
const SIOCGIFHWADDR = 0x8927
const SIOCGIFINDEX = 0x8933
const SIOCETHTOOL = 0x8946
const ARPHRD_ETHER = 1
const NEEDS = { privilege: 'CAP_NET_ADMIN' }

/** Flags of a device, as in <net/if.h>. */
export const DEVICE_UP = 1
export const DEVICE_LOOPBACK = 8
export const DEVICE_RUNNING = 0x40

/** Whether `name` can be a device's: 1..15 bytes, no space, no `/`, not `.` or `..`. */
export function isDeviceName(name: string): boolean {
  return /^[\x21-\x2e\x30-\x7e]{1,15}$/.test(name) && name !== '.' && name !== '..'
}

/** One device of the namespace in which this was made. The device need not exist yet. */
export class DeviceControl {
  readonly device: string
  readonly #memory: Memory
  readonly #socket: number

  /** @throws LinuxError `invalid` for a name no device can have */
  constructor(device: string) {
    if (!isDeviceName(device))
      throw new LinuxError(
        'invalid',
        'opening a device',
        `${JSON.stringify(device)} cannot be a device's name`,
      )
    this.device = device
    this.#socket = checked(libc().socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), 'opening a control socket')
    this.#memory = new Memory(REQUEST_BYTES + ETHTOOL_VALUE)
    this.#memory.bytes.set(Buffer.from(device, 'latin1'))
  }

  /** The device's number. @throws LinuxError `not-found` */
  get index(): number {
    checked(this.#ask(SIOCGIFINDEX), `looking for device ${this.device}`)
    return this.#memory.words[VALUE_WORD]!
  }

  /** The device's number, 0 when there is no such device now. */
  findIndex(): number {
    return this.#ask(SIOCGIFINDEX) < 0 ? 0 : this.#memory.words[VALUE_WORD]!
  }

  /** DEVICE_* bits; -1 when there is no such device now. */
  findFlags(): number {
    return this.#ask(SIOCGIFFLAGS) < 0 ? -1 : this.#memory.words[VALUE_WORD]! & 0xffff
  }

  /** Largest IP packet in bytes. @throws LinuxError `not-found` */
  get mtu(): number {
    checked(this.#ask(SIOCGIFMTU), `asking for the MTU of ${this.device}`)
    return this.#memory.words[VALUE_WORD]!
  }

  /** @throws LinuxError `invalid` when the device cannot carry so much, `forbidden` */
  setMtu(mtu: number): void {
    this.#memory.words[VALUE_WORD] = mtu
    checked(this.#ask(SIOCSIFMTU), `setting the MTU of ${this.device} to ${mtu}`, NEEDS)
  }

  /** Six bytes, a copy. @throws LinuxError `not-found`, `unsupported` for a device that is not Ethernet */
  get mac(): Uint8Array {
    checked(this.#ask(SIOCGIFHWADDR), `asking for the MAC of ${this.device}`)
    if (this.#memory.view.getUint16(VALUE, true) !== ARPHRD_ETHER)
      throw new LinuxError('unsupported', `using ${this.device}`, 'it is not an Ethernet device')
    return this.#memory.bytes.slice(VALUE + 2, VALUE + 8)
  }

  /** @throws LinuxError `forbidden`, `not-found` */
  setMac(mac: Uint8Array): void {
    this.#memory.view.setUint16(VALUE, ARPHRD_ETHER, true)
    this.#memory.bytes.set(mac, VALUE + 2)
    checked(this.#ask(SIOCSIFHWADDR), `setting the MAC of ${this.device}`, NEEDS)
  }

  /** Brings the device up or down. @throws LinuxError `forbidden`, `not-found` */
  setUp(up: boolean): void {
    const flags = this.findFlags()
    if (flags < 0) throw LinuxError.ofErrno(libc().errno(), `looking for device ${this.device}`)
    this.#memory.view.setInt16(VALUE, up ? flags | DEVICE_UP : flags & ~DEVICE_UP, true)
    checked(this.#ask(SIOCSIFFLAGS), `bringing ${this.device} ${up ? 'up' : 'down'}`, NEEDS)
  }

  /** An ethtool command with one value. Returns the value afterwards, -1 when the device does not know it. */
  ethtool(command: number, value = 0): number {
    const { memory, at } = this.#ethtoolRequest()
    memory.view.setUint32(at, command, true)
    memory.view.setUint32(at + 4, value, true)
    return this.#ask(SIOCETHTOOL) < 0 ? -1 : memory.view.getUint32(at + 4, true)
  }

  /** Releases the control socket. Idempotent; nothing may be asked afterwards. */
  close(): void {
    if (this.#memory.address === 0) return
    libc().close(this.#socket)
    this.#memory.close()
  }

  #ethtoolRequest(): { memory: Memory; at: number } {
    const memory = this.#memory
    memory.writePointer(VALUE, memory.address + ETHTOOL_VALUE)
    return { memory, at: ETHTOOL_VALUE }
  }

  #ask(request: number): number {
    return libc().ioctlValue(this.#socket, request, this.#memory.address)
  }
}
