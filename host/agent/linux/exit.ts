/**
 * The tunnel exit that a host gets. The one idea: the wish is in the configuration, the machine decides: where the
 * kernel takes no program, this process does its work, and says so.
 */
import { addressesOf, LinuxError } from '../../../engine/ports/linux/index.ts'
import { BpfExit, type BpfExitOptions, type ExitCounters } from './bpf-exit.ts'
import type { ChangeBook } from './change-book.ts'
import type { ExitKind, HostConfig } from './config.ts'
import { HostError } from './errors.ts'
import type { Machine } from './machine.ts'
import { loosenReversePath } from './preparation.ts'
import { TUN_DEVICE, TunExit } from './tun-exit.ts'

export interface TunnelExit {
  readonly kind: ExitKind
  /** Undefined where there is none. */
  counters(): ExitCounters | undefined
  close(): void
}

const NO_EXIT: TunnelExit = { kind: 'none', counters: () => undefined, close() {} }

/**
 * @param warn hears why the exit is another than wished for
 * @throws HostError, LinuxError
 */
export function openExit(
  book: ChangeBook,
  machine: Machine,
  config: HostConfig,
  warn: (message: string) => void,
): TunnelExit {
  if (config.exit === 'none') return NO_EXIT
  const prefixes = config.virtualHosts.map((each) => each.prefix)
  const options: BpfExitOptions = { addresses: ownAddresses(machine, config), prefixes }
  if (config.exit === 'bpf') {
    try {
      return openInKernel(book, machine, config, options)
    } catch (error) {
      const isRefused = error instanceof LinuxError || error instanceof HostError
      if (!isRefused || error.code === 'busy') throw error
      warn(`the tunnel exit runs in this process, not in the kernel, and is slower: ${error.message}`)
    }
  }
  const exit = new TunExit(options)
  loosenReversePath(book, machine, TUN_DEVICE)
  return { kind: 'tun', counters: () => exit.counters(), close: () => exit.close() }
}

function openInKernel(
  book: ChangeBook,
  machine: Machine,
  { devices }: HostConfig,
  options: BpfExitOptions,
): TunnelExit {
  for (const name of devices)
    if (!machine.device(name).isEthernet)
      throw new HostError('unsupported', `${name} is no Ethernet device, which the program needs`)
  const exit = new BpfExit(options)
  machine.exit = exit
  try {
    for (const device of devices) {
      book.make({ kind: 'clsact', device })
      book.make({ kind: 'exit', device })
    }
  } catch (error) {
    exit.close()
    throw error
  }
  return { kind: 'bpf', counters: () => exit.counters(), close: () => exit.close() }
}

/** Tunnels may lead to any address that the host has on its devices; more than the program can take are left out. */
function ownAddresses(machine: Machine, { address, devices }: HostConfig): number[] {
  const others = devices.flatMap((name) => addressesOf(machine.netlink, machine.device(name).index))
  const all = [...new Set([address, ...others])]
  if (!others.includes(address))
    throw new HostError('invalid', `none of the devices ${devices.join(', ')} has the host's address`)
  return all.slice(0, MAX_ADDRESSES)
}

const MAX_ADDRESSES = 64
