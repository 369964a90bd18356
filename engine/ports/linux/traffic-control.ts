/**
 * Programs on what comes into a device (the clsact queueing discipline). The one idea: a filter is known by its
 * priority and handle; one that others have put there is never touched, and the discipline below goes only when it is
 * empty.
 */
import type { BpfProgram } from './bpf.ts'
import {
  FLAG_CREATE,
  FLAG_EXCLUSIVE,
  type Netlink,
  NetlinkRequest,
  readAttributes,
  textOf,
} from './netlink.ts'
import { LinuxError } from './system-error.ts'

const NEW_DISCIPLINE = 36
const DELETE_DISCIPLINE = 37
const NEW_FILTER = 44
const DELETE_FILTER = 45
const LIST_FILTERS = 46

const CLSACT = 0xffff_fff1
const CLSACT_HANDLE = 0xffff_0000
const INGRESS = 0xffff_fff2
const EGRESS = 0xffff_fff3
/** Ethernet types in network order; without a VLAN tag. */
const PROTOCOLS = { ipv4: 0x0008, all: 0x0300 } as const

const KIND = 1
const OPTIONS = 2
const BPF_DESCRIPTOR = 6
const BPF_NAME = 7
const BPF_FLAGS = 8
const BPF_DIRECT_ACTION = 1
/** struct tcmsg: family and padding, device, handle, parent, info. */
const FIXED_BYTES = 20

/** Where a filter stands on a device. */
export interface FilterPlace {
  /** The device's index. */
  readonly device: number
  /** 1..65535; smaller is asked first. */
  readonly priority: number
  readonly handle: number
  /** What it sees. Default `ipv4`. */
  readonly protocol?: keyof typeof PROTOCOLS
}

function request(
  type: number,
  flags: number,
  fields: { device: number; handle?: number; parent: number; info?: number },
): NetlinkRequest {
  const { device, handle = 0, parent, info = 0 } = fields
  return new NetlinkRequest(type, flags).u32(0, device, handle, parent, info)
}

/** Makes room for filters on a device. False: there was. @throws LinuxError `forbidden`, `not-found`, `unsupported` */
export function addClsact(netlink: Netlink, device: number): boolean {
  const message = request(NEW_DISCIPLINE, FLAG_CREATE | FLAG_EXCLUSIVE, {
    device,
    handle: CLSACT_HANDLE,
    parent: CLSACT,
  }).attribute(KIND, 'clsact')
  try {
    netlink.ask(message, 'adding the clsact queueing discipline')
    return true
  } catch (error) {
    if (error instanceof LinuxError && error.code === 'busy') return false
    throw error
  }
}

/** Removes the room for filters unless somebody has a filter there. Whether it did. @throws LinuxError */
export function removeClsactIfEmpty(netlink: Netlink, device: number): boolean {
  if (listFilters(netlink, device).length > 0) return false
  try {
    const message = request(DELETE_DISCIPLINE, 0, { device, handle: CLSACT_HANDLE, parent: CLSACT })
    netlink.ask(message.attribute(KIND, 'clsact'), 'removing the clsact queueing discipline')
    return true
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

/**
 * Has a program decide about every packet of the protocol that comes in; its answer is the action.
 * @param name of the filter, less than 256 characters
 * @throws LinuxError `busy` where another filter has the place
 */
export function attachIngress(
  netlink: Netlink,
  place: FilterPlace,
  program: BpfProgram,
  name = program.name,
): void {
  const message = request(NEW_FILTER, FLAG_CREATE | FLAG_EXCLUSIVE, placed(place))
    .attribute(KIND, 'bpf')
    .nested(OPTIONS, (options) =>
      options
        .attribute(BPF_DESCRIPTOR, program.descriptor)
        .attribute(BPF_NAME, name)
        .attribute(BPF_FLAGS, BPF_DIRECT_ACTION),
    )
  netlink.ask(message, `attaching ${program.name} to what comes in`)
}

/** Whether there was such a filter. @throws LinuxError */
export function detachIngress(netlink: Netlink, place: FilterPlace): boolean {
  try {
    netlink.ask(request(DELETE_FILTER, 0, placed(place)).attribute(KIND, 'bpf'), 'detaching a filter')
    return true
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

/** Names of the filters of a device, in and out; kinds where they have no name. Empty where there are none. */
export function listFilters(netlink: Netlink, device: number): string[] {
  return [INGRESS, EGRESS].flatMap((parent) => {
    try {
      const bodies = netlink.list(request(LIST_FILTERS, 0, { device, parent }), 'listing filters')
      return bodies.flatMap((body) => {
        const attributes = readAttributes(body.subarray(FIXED_BYTES))
        const options = attributes.get(OPTIONS)
        // The kernel tells of each priority beside its filters.
        if (options === undefined) return []
        return [textOf(readAttributes(options).get(BPF_NAME)) ?? textOf(attributes.get(KIND)) ?? '']
      })
    } catch (error) {
      if (isGone(error)) return []
      throw error
    }
  })
}

function placed({ device, priority, handle, protocol = 'ipv4' }: FilterPlace) {
  return { device, handle, parent: INGRESS, info: ((priority << 16) | PROTOCOLS[protocol]) >>> 0 }
}

/** The kernel answers EINVAL where the discipline below is not there. */
function isGone(error: unknown): boolean {
  return error instanceof LinuxError && (error.code === 'not-found' || error.code === 'invalid')
}
