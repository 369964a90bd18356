/**
 * Opening /dev/net/tun (Documentation/networking/tuntap in Linux). The one idea: a device whose other end is this
 * process; the kernel is told to leave nothing to it, so that every frame comes short enough and with its checksum.
 */
import { isDeviceName } from './device-control.ts'
import { checked, libc } from './libc.ts'
import { LinuxError } from './system-error.ts'

const PATH = '/dev/net/tun'
const O_RDWR_NONBLOCK_CLOEXEC = 2 | 0x800 | 0x80000
const TUNSETIFF = 0x400454ca
const TUNSETOFFLOAD = 0x400454d0
const IFF_NO_PI = 0x1000
const NEEDS = {
  privilege: 'CAP_NET_ADMIN with access to /dev/net/tun',
  feature: 'TUN/TAP (CONFIG_TUN) and /dev/net/tun',
}

/** Layer 3 packets or whole Ethernet frames. */
export const TUN = 1
export const TAP = 2

/**
 * Creates the device or attaches to one that exists, in the namespace of the calling thread. Returns the descriptor.
 * @throws LinuxError `forbidden`, `busy` when someone else is attached, `invalid` when it is of another kind
 */
export function openTunDevice(device: string, kind: typeof TUN | typeof TAP): number {
  const attempt = `opening ${kind === TAP ? 'TAP' : 'TUN'} ${device}`
  if (!isDeviceName(device))
    throw new LinuxError('invalid', attempt, `${JSON.stringify(device)} cannot be a device's name`)
  const descriptor = checked(libc().open(PATH, O_RDWR_NONBLOCK_CLOEXEC, 0), attempt, NEEDS)
  try {
    const request = new Uint8Array(40)
    request.set(Buffer.from(device, 'latin1'))
    new DataView(request.buffer).setUint16(16, kind | IFF_NO_PI, true)
    checked(libc().ioctl(descriptor, TUNSETIFF, request), attempt, NEEDS)
    checked(libc().ioctlValue(descriptor, TUNSETOFFLOAD, 0), attempt, NEEDS)
    return descriptor
  } catch (error) {
    libc().close(descriptor)
    throw error
  }
}
