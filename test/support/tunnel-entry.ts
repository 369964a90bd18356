/**
 * An IP-in-IP tunnel entry of a few lines, to test tunnel exits of the kernel: run in a namespace, it takes what is
 * routed to its TUN device and sends it on in tunnels. Words: DEVICE MTU FROM TO [LARGEST], addresses dotted; packets
 * longer than LARGEST inside are lost without a word.
 */
import { checked, libc, Tun, Waiter } from '../../engine/ports/linux/index.ts'
import { emitOuterHeader, parseIpv4Address } from '../../engine/wire/index.ts'

const [device = '', mtu = '', from = '', to = '', largest = '65535'] = process.argv.slice(2)
const AF_INET = 2
const SOCK_RAW = 3
const IPPROTO_RAW = 255

const tun = Tun.open({ device, mtu: Number(mtu) })
const socket = checked(libc().socket(AF_INET, SOCK_RAW, IPPROTO_RAW), 'opening a raw socket')
const [source, destination] = [parseIpv4Address(from)!, parseIpv4Address(to)!]
const address = new Uint8Array(16)
address[0] = AF_INET
new DataView(address.buffer).setUint32(4, destination)
const inner = new Uint8Array(65_536)
const waiter = new Waiter()
process.stdout.write('ready\n')
for (let id = 1; ; id = (id + 1) & 0xffff) {
  const length = tun.read(inner)
  if (length === 0) {
    await waiter.wait([tun.descriptor], Number.POSITIVE_INFINITY)
    continue
  }
  // The device brings the system's IPv6 too.
  if (inner[0]! >> 4 !== 4 || length > Number(largest)) continue
  const packet = new Uint8Array(20 + length)
  packet.set(inner.subarray(0, length), 20)
  emitOuterHeader(packet, 0, 20, source, destination, 64, id)
  libc().sendto(socket, packet, packet.length, 0, address, address.length)
}
