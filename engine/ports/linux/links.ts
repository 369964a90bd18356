/** Network devices as the kernel's configuration shows them (rtnetlink): found by name, brought up. */
import { type Netlink, NetlinkRequest, numberOf, readAttributes } from './netlink.ts'

const NEW_LINK = 16
const GET_LINK = 18
const NAME = 3
const MTU = 4
const FLAG_UP = 1
/** struct ifinfomsg: family, padding, type, index, flags, change. */
const FIXED_BYTES = 16
const TYPE_ETHERNET = 1

/** A device. */
export interface Link {
  readonly index: number
  readonly mtu: number
  readonly isUp: boolean
  readonly isEthernet: boolean
}

/** @throws LinuxError `not-found` */
export function findLink(netlink: Netlink, name: string): Link {
  const request = new NetlinkRequest(GET_LINK).u32(0, 0, 0, 0).attribute(NAME, name)
  const body = netlink.get(request, `looking for the network device ${name}`)
  const view = new DataView(body.buffer, body.byteOffset, body.length)
  return {
    index: view.getInt32(4, true),
    mtu: numberOf(readAttributes(body.subarray(FIXED_BYTES)).get(MTU)) ?? 0,
    isUp: (view.getUint32(8, true) & FLAG_UP) !== 0,
    isEthernet: view.getUint16(2, true) === TYPE_ETHERNET,
  }
}

/** @throws LinuxError */
export function setLinkUp(netlink: Netlink, index: number, isUp: boolean): void {
  const request = new NetlinkRequest(NEW_LINK).u32(0, index, isUp ? FLAG_UP : 0, FLAG_UP)
  netlink.ask(request, `setting a network device ${isUp ? 'up' : 'down'}`)
}
