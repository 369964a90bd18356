/**
 * What a network device is and which work it leaves to hardware. The one idea: offloads are for the machine's own
 * traffic; a frame that a router takes from a virtual device must be complete, so a device at the other end of
 * which a router listens must not put off checksums or segmentation.
 */
import { DEVICE_RUNNING, DEVICE_UP, DeviceControl } from './device-control.ts'
import { libc } from './libc.ts'
import { LinuxError } from './system-error.ts'

/** A device as the kernel describes it now. */
export interface DeviceDescription {
  readonly name: string
  readonly index: number
  /** Six bytes. */
  readonly mac: Uint8Array
  /** Largest IP packet in bytes. */
  readonly mtu: number
  /** Switched on by the administrator. */
  readonly up: boolean
  /** Up, and its cable leads somewhere. */
  readonly running: boolean
}

/** Work that the device puts off to hardware, or to whoever reads its frames. */
export interface Offloads {
  /** Transport checksums of sent packets. */
  readonly transmitChecksum: boolean
  /** Segmentation of long TCP packets. */
  readonly segmentation: boolean
  /** Segmentation of anything, as late as possible. */
  readonly genericSegmentation: boolean
  /** Merging of received segments. */
  readonly genericReceive: boolean
}

const COMMANDS = {
  transmitChecksum: { read: 0x16, write: 0x17 },
  segmentation: { read: 0x1e, write: 0x1f },
  genericSegmentation: { read: 0x23, write: 0x24 },
  genericReceive: { read: 0x2b, write: 0x2c },
} as const
const NAMES = Object.keys(COMMANDS) as (keyof Offloads)[]

/** @throws LinuxError `not-found`, `unsupported` for a device that is not Ethernet */
export function describeDevice(name: string): DeviceDescription {
  return withControl(name, (control) => {
    const { index, mac, mtu } = control
    const flags = control.findFlags()
    const up = (flags & DEVICE_UP) !== 0
    return { name, index, mac, mtu, up, running: up && (flags & DEVICE_RUNNING) !== 0 }
  })
}

/** What the device puts off now. @throws LinuxError `not-found` */
export function offloads(name: string): Offloads {
  return withControl(name, (control) => {
    void control.index
    const entries = NAMES.map((each) => [each, control.ethtool(COMMANDS[each].read) > 0])
    return Object.fromEntries(entries) as unknown as Offloads
  })
}

/**
 * Makes the device put off nothing. Returns what it put off before.
 * @throws LinuxError `not-found`, `forbidden` without CAP_NET_ADMIN, `unsupported` when the device insists
 */
export function disableOffloads(name: string): Offloads {
  const none = {
    transmitChecksum: false,
    segmentation: false,
    genericSegmentation: false,
    genericReceive: false,
  }
  return setOffloads(name, none)
}

/** Sets what the device puts off, as told by `offloads`. Returns what it put off before. @throws as disableOffloads */
export function setOffloads(name: string, wanted: Offloads): Offloads {
  const before = offloads(name)
  withControl(name, (control) => {
    for (const each of NAMES) {
      if (before[each] === wanted[each]) continue
      if (control.ethtool(COMMANDS[each].write, wanted[each] ? 1 : 0) >= 0) continue
      const attempt = `turning ${each} of ${name} ${wanted[each] ? 'on' : 'off'}`
      throw LinuxError.ofErrno(libc().errno(), attempt, { privilege: 'CAP_NET_ADMIN' })
    }
  })
  const after = offloads(name)
  const stuck = NAMES.filter((each) => after[each] && !wanted[each])
  if (stuck.length > 0)
    throw new LinuxError('unsupported', `turning offloads of ${name} off`, `${stuck.join(', ')} stayed on`)
  return before
}

function withControl<T>(name: string, work: (control: DeviceControl) => T): T {
  const control = new DeviceControl(name)
  try {
    return work(control)
  } finally {
    control.close()
  }
}
