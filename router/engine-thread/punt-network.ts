/**
 * The machine's side of the punt: the router's addresses on its device, and routes by it. The one idea: the device has
 * every address of the router by itself, each network of the router is reached by it, and so is everything to which
 * the machine has no better way; all of it goes with the device.
 */
import type { PortAddress } from '../../engine/index.ts'
import {
  addAddress,
  addDeviceRoute,
  findLink,
  Netlink,
  type RoutePrefix,
  removeAddress,
} from '../../engine/ports/linux/index.ts'

const HOST_LENGTH = 32
const EVERYTHING: RoutePrefix = { address: 0, length: 0 }
/** Worse than whatever else the machine may have. */
const LAST_RESORT_METRIC = 4_096

export class PuntNetwork {
  readonly #netlink = new Netlink()
  readonly #device: number
  #addresses: readonly number[] = []

  /** @throws LinuxError */
  constructor(device: string) {
    try {
      this.#device = findLink(this.#netlink, device).index
    } catch (error) {
      this.#netlink.close()
      throw error
    }
  }

  /** Makes the device have exactly these addresses, and routes to their networks. @throws LinuxError */
  sync(addresses: readonly PortAddress[]): void {
    const wanted = addresses.map((each) => each.address)
    const netlink = this.#netlink
    const device = this.#device
    for (const address of wanted)
      if (!this.#addresses.includes(address)) addAddress(netlink, device, { address, length: HOST_LENGTH })
    for (const { address: source, length } of addresses) {
      const network = length === 0 ? 0 : (source & (0xffffffff << (HOST_LENGTH - length))) >>> 0
      if (length < HOST_LENGTH)
        addDeviceRoute(netlink, { prefix: { address: network, length }, device, source })
    }
    const [source] = wanted
    if (source !== undefined)
      addDeviceRoute(netlink, { prefix: EVERYTHING, device, source, metric: LAST_RESORT_METRIC })
    for (const address of this.#addresses)
      if (!wanted.includes(address)) removeAddress(netlink, device, { address, length: HOST_LENGTH })
    this.#addresses = wanted
  }

  close(): void {
    this.#netlink.close()
  }
}
