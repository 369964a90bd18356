/**
 * The machine's side of the punt: the router's addresses on its device, and routes by it. The one idea: the device has
 * every address of the router by itself, each network of the router is reached by it, and so is everything to which
 * the machine has no better way; all of it goes with the device. A route of the machine's own is left alone.
 */
import type { PortAddress } from '../../engine/index.ts'
import {
  addAddress,
  addDeviceRoute,
  type DeviceRoute,
  findLink,
  LinuxError,
  Netlink,
  removeAddress,
  removeDeviceRoute,
} from '../../engine/ports/linux/index.ts'
import { formatIpv4Address } from '../../engine/wire/index.ts'

const HOST_LENGTH = 32
/** Worse than whatever else the machine may have. */
const LAST_RESORT_METRIC = 4_096

export class PuntNetwork {
  readonly #netlink = new Netlink()
  readonly #device: number
  readonly #say: (problem: string) => void
  #addresses: readonly number[] = []
  /** What was added, by prefix. */
  readonly #routes = new Map<string, DeviceRoute>()

  /**
   * @param say is told of networks that the machine reaches by a way of its own
   * @throws LinuxError
   */
  constructor(device: string, say: (problem: string) => void) {
    this.#say = say
    try {
      this.#device = findLink(this.#netlink, device).index
    } catch (error) {
      this.#netlink.close()
      throw error
    }
  }

  /** Makes the device have exactly these addresses, and routes to their networks. @throws LinuxError */
  sync(addresses: readonly PortAddress[]): void {
    const netlink = this.#netlink
    const device = this.#device
    const before = this.#addresses
    const wanted = addresses.map((each) => each.address)
    for (const address of wanted)
      if (!before.includes(address)) addAddress(netlink, device, { address, length: HOST_LENGTH })
    this.#addresses = [...new Set([...before, ...wanted])]
    const routes = routesOf(device, addresses)
    for (const [name, route] of this.#routes) if (!isSame(route, routes.get(name))) this.#remove(name, route)
    for (const [name, route] of routes) if (!this.#routes.has(name)) this.#add(name, route)
    for (const address of before)
      if (!wanted.includes(address)) removeAddress(netlink, device, { address, length: HOST_LENGTH })
    this.#addresses = wanted
  }

  close(): void {
    this.#netlink.close()
  }

  #remove(name: string, route: DeviceRoute): void {
    removeDeviceRoute(this.#netlink, route)
    this.#routes.delete(name)
  }

  #add(name: string, route: DeviceRoute): void {
    try {
      addDeviceRoute(this.#netlink, route)
      this.#routes.set(name, route)
    } catch (error) {
      if (!(error instanceof LinuxError && error.code === 'busy')) throw error
      this.#say(`the machine has a route to ${name} of its own, which its programs take: remove it`)
    }
  }
}

/** A route for each network, and the last resort; the first address of a network speaks for it. */
function routesOf(device: number, addresses: readonly PortAddress[]): Map<string, DeviceRoute> {
  const routes = new Map<string, DeviceRoute>()
  for (const { address: source, length } of addresses) {
    const network = length === 0 ? 0 : (source & (0xffffffff << (HOST_LENGTH - length))) >>> 0
    const name = `${formatIpv4Address(network)}/${length}`
    if (length < HOST_LENGTH && !routes.has(name))
      routes.set(name, { prefix: { address: network, length }, device, source })
  }
  const [first] = addresses
  const everything = { prefix: { address: 0, length: 0 }, device, metric: LAST_RESORT_METRIC }
  if (first !== undefined) routes.set('0.0.0.0/0', { ...everything, source: first.address })
  return routes
}

const isSame = (one: DeviceRoute, other: DeviceRoute | undefined): boolean =>
  one.source === other?.source && one.metric === other.metric
