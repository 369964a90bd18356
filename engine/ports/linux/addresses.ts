/** IPv4 addresses of devices, and routes straight to a device (rtnetlink): what a device to a router needs. */
import { FLAG_CREATE, FLAG_EXCLUSIVE, type Netlink, NetlinkRequest } from './netlink.ts'
import { type RoutePrefix, TABLE_MAIN } from './routing.ts'
import {
  AF_INET,
  addressBytes,
  DELETE_ROUTE,
  NEW_ROUTE,
  PROTOCOL_OWN,
  ROUTE,
  TYPE_UNICAST,
} from './rtnetlink.ts'
import { LinuxError } from './system-error.ts'

const NEW_ADDRESS = 20
const DELETE_ADDRESS = 21

const ADDRESS = { address: 1, local: 2 } as const
const SCOPE_LINK = 253

/** A route whose every destination is reached on the device itself. */
export interface DeviceRoute {
  readonly prefix: RoutePrefix
  /** Index of the device. */
  readonly device: number
  /** From which address packets are sent where the program does not say; unsigned. */
  readonly source: number
  /** Smaller is preferred. Default 0. */
  readonly metric?: number
}

/** Gives a device an address; one that it has already is left alone. @throws LinuxError */
export function addAddress(netlink: Netlink, device: number, prefix: RoutePrefix): void {
  try {
    netlink.ask(
      addressRequest(NEW_ADDRESS, FLAG_CREATE | FLAG_EXCLUSIVE, device, prefix),
      'adding an address',
    )
  } catch (error) {
    if (!(error instanceof LinuxError && error.code === 'busy')) throw error
  }
}

/** Takes an address from a device; one that it does not have is no error. @throws LinuxError */
export function removeAddress(netlink: Netlink, device: number, prefix: RoutePrefix): void {
  try {
    netlink.ask(addressRequest(DELETE_ADDRESS, 0, device, prefix), 'removing an address')
  } catch (error) {
    if (!(error instanceof LinuxError && error.code === 'not-found')) throw error
  }
}

/** Adds a route. It goes with its device. @throws LinuxError `busy` where there is one to the same prefix */
export function addDeviceRoute(netlink: Netlink, route: DeviceRoute): void {
  netlink.ask(routeRequest(NEW_ROUTE, FLAG_CREATE | FLAG_EXCLUSIVE, route), 'adding a route to a device')
}

/** Removes a route; one that is not there is no error. @throws LinuxError */
export function removeDeviceRoute(netlink: Netlink, route: DeviceRoute): void {
  try {
    netlink.ask(routeRequest(DELETE_ROUTE, 0, route), 'removing a route to a device')
  } catch (error) {
    if (!(error instanceof LinuxError && error.code === 'not-found')) throw error
  }
}

function routeRequest(type: number, flags: number, route: DeviceRoute): NetlinkRequest {
  const { prefix, device, source, metric = 0 } = route
  const request = new NetlinkRequest(type, flags)
    .u8(AF_INET, prefix.length, 0, 0, TABLE_MAIN, PROTOCOL_OWN, SCOPE_LINK, TYPE_UNICAST)
    .u32(0)
    .attribute(ROUTE.device, device)
    .attribute(ROUTE.preferredSource, addressBytes(source))
  if (prefix.length > 0) request.attribute(ROUTE.destination, addressBytes(prefix.address))
  if (metric > 0) request.attribute(ROUTE.priority, metric)
  return request
}

function addressRequest(type: number, flags: number, device: number, prefix: RoutePrefix): NetlinkRequest {
  return new NetlinkRequest(type, flags)
    .u8(AF_INET, prefix.length, 0, 0)
    .u32(device)
    .attribute(ADDRESS.local, addressBytes(prefix.address))
    .attribute(ADDRESS.address, addressBytes(prefix.address))
}
