/**
 * How a machine becomes a host of virtual addresses (R-SLR-09). The one idea: one list of changes in reading order,
 * each made only where the machine is not so already.
 *
 * Settings. A virtual address is nobody's on the link: no answer to ARP for it (arp_ignore), none of our own requests
 * in its name (arp_announce). Clients' packets may arrive elsewhere than answers leave: strict reverse path filtering
 * becomes loose (rp_filter), never none.
 */
import type { RoutePrefix } from '../../../engine/ports/linux/index.ts'
import type { ChangeBook } from './change-book.ts'
import type { HostConfig } from './config.ts'
import { HostError } from './errors.ts'
import { GATEWAY_TABLE, LOOPBACK, type Machine, REPLY_TABLE } from './machine.ts'

const STRICT = 1
const LOOSE = 2
const ONLY_OWN_OF_LINK = 1
const BEST_OF_LINK = 2
const PROTOCOL_ICMP = 1
/** Before the local table, which stands at 2 then. */
const ICMP_RULE = 1
/** Before the main table at 32766, behind what administrators put. */
const REPLY_RULE = 32_700
const ALL_BITS = 32

/** Where a virtual address answers by: found before anything is changed. @throws LinuxError, HostError */
export function checkDevices(machine: Machine, config: HostConfig): void {
  for (const name of config.devices) {
    const link = machine.device(name)
    if (!link.isUp)
      throw new HostError('invalid', `${name} is down; bring it up first: ip link set ${name} up`)
  }
}

/** Settings and local routes. @throws HostError, LinuxError */
export function prepareHost(book: ChangeBook, machine: Machine, config: HostConfig): void {
  if (!machine.device(LOOPBACK).isUp) book.make({ kind: 'link-up', device: LOOPBACK })
  for (const device of config.devices) {
    changeSetting(book, machine, device, 'arp_ignore', (value) => value < ONLY_OWN_OF_LINK, ONLY_OWN_OF_LINK)
    changeSetting(book, machine, device, 'arp_announce', (value) => value < BEST_OF_LINK, BEST_OF_LINK)
    loosenReversePath(book, machine, device)
  }
  for (const { prefix } of config.virtualHosts) book.make({ kind: 'local-route', prefix })
}

/** A device that packets without a tunnel enter by has its own setting. */
export function loosenReversePath(book: ChangeBook, machine: Machine, device: string): void {
  changeSetting(book, machine, device, 'rp_filter', (value) => value === STRICT, LOOSE)
}

/**
 * Answers to ICMP messages whose source is a virtual address, which this host has too: they go by the gateway, not to
 * the host itself. Needs a rule before the one that asks the local table.
 */
export function prepareIcmp(book: ChangeBook, machine: Machine, config: HostConfig): void {
  const { gateway, address, devices, virtualHosts } = config
  const [device] = devices
  if (gateway === undefined || device === undefined) return
  for (const each of devices) changeSetting(book, machine, each, 'accept_local', (value) => value < 1, 1)
  book.make({ kind: 'gateway-route', device, table: GATEWAY_TABLE, gateway })
  for (const { prefix } of virtualHosts)
    book.make({
      kind: 'rule',
      rule: {
        priority: ICMP_RULE,
        table: GATEWAY_TABLE,
        from: { address, length: ALL_BITS },
        to: prefix,
        protocol: PROTOCOL_ICMP,
      },
    })
  book.make({ kind: 'late-local-rule' })
}

/** What virtual addresses send is routed by a table of its own, where clients are told a smaller segment. */
export function prepareReplies(book: ChangeBook, prefixes: readonly RoutePrefix[]): void {
  book.make({ kind: 'reply-table' })
  for (const from of prefixes)
    book.make({ kind: 'rule', rule: { priority: REPLY_RULE, table: REPLY_TABLE, from } })
}

/** The kernel goes by the larger of the device's value and that of all devices. */
function changeSetting(
  book: ChangeBook,
  machine: Machine,
  device: string,
  name: string,
  mustChange: (value: number) => boolean,
  wanted: number,
): void {
  const path = `conf/${device}/${name}`
  const before = machine.setting(path)
  const value = Math.max(Number(before), Number(machine.setting(`conf/all/${name}`)))
  if (mustChange(value)) book.make({ kind: 'setting', path, before, after: String(wanted) })
}
