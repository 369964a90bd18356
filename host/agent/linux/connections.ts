/**
 * Open TCP connections of virtual addresses, as the kernel lists them (/proc/net/tcp). The one idea: a list is counted
 * where it lies, without taking it apart into lines.
 */
import { readFileSync } from 'node:fs'
import type { RoutePrefix } from '../../../engine/ports/linux/index.ts'
import { prefixMask } from '../../../engine/wire/index.ts'

const ESTABLISHED = '01'
const LINE = /^ *\d+: ([0-9A-F]{8}|0{16}FFFF0000[0-9A-F]{8}):[0-9A-F]{4} [0-9A-F:]+ ([0-9A-F]{2}) /gm

/** How many connections are established whose own address lies in one of the prefixes. */
export function countConnections(prefixes: readonly RoutePrefix[]): number {
  return ['/proc/net/tcp', '/proc/net/tcp6'].reduce((sum, file) => sum + countIn(readList(file), prefixes), 0)
}

/** The same of a text of that form; IPv4 addresses in IPv6 count too. */
export function countIn(list: string, prefixes: readonly RoutePrefix[]): number {
  let count = 0
  for (const [, address, state] of list.matchAll(LINE))
    if (state === ESTABLISHED && prefixes.some((each) => isIn(addressOf(address!), each))) count++
  return count
}

/** The number of an address as a little-endian machine writes it. */
function addressOf(text: string): number {
  const swapped = Number.parseInt(text.slice(-8), 16)
  return ((swapped << 24) | ((swapped & 0xff00) << 8) | ((swapped >>> 8) & 0xff00) | (swapped >>> 24)) >>> 0
}

function isIn(address: number, { address: first, length }: RoutePrefix): boolean {
  return (address & prefixMask(length)) >>> 0 === first
}

/** A kernel without IPv6 has one list only. */
function readList(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
