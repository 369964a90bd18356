/**
 * Three namespaces in a row for benchmarks on real devices: a source, a router and a sink that drops what reaches
 * it. The one idea: the same senders, devices and settings for every contestant; only who forwards is another.
 */
import { readFileSync } from 'node:fs'
import { inNamespace } from '../engine/ports/linux/index.ts'
import { missingFor, Namespaces } from './namespaces.ts'

/** Where everything is; all names are new. */
export const ADDRESSES = {
  router: '10.0.0.1',
  routerOut: '10.1.0.1',
  sink: '10.1.0.2',
  flows: '198.18.0.0/15',
}

/** Why the rig cannot be built here; undefined when it can. */
export function missing(): string | undefined {
  return missingFor([
    ['ip', '-V'],
    ['nft', '--version'],
    ['ethtool', '--version'],
  ])
}

/** Frames that have reached a device in a namespace. */
export function arrivedAt(path: string, device: string): number {
  const text = inNamespace(path, () => readFileSync('/proc/thread-self/net/dev', 'utf8'))
  return Number(new RegExp(`${device}:\\s*\\d+\\s+(\\d+)`).exec(text)![1])
}

export class LinuxRig {
  readonly #namespaces = new Namespaces()
  readonly source: string
  readonly router: string
  readonly sink: string

  constructor() {
    const namespaces = this.#namespaces
    try {
      this.source = namespaces.make('s')
      this.router = namespaces.make('r')
      this.sink = namespaces.make('d')
      this.#build()
    } catch (error) {
      this.remove()
      throw error
    }
  }

  /** The path of a namespace's file. */
  path(name: string): string {
    return this.#namespaces.path(name)
  }

  /** Whether the kernel of the router forwards. */
  setForwarding(on: boolean): void {
    const namespaces = this.#namespaces
    namespaces.inside(this.router, `sysctl -qw net.ipv4.ip_forward=${on ? 1 : 0}`)
    // While the engine forwards, the kernel must neither answer ARP for it nor take packets in.
    namespaces.inside(this.router, `sysctl -qw net.ipv4.conf.all.arp_ignore=${on ? 0 : 8}`)
  }

  /** Frames that have reached the sink. */
  arrived(): number {
    return arrivedAt(this.path(this.sink), 'd0')
  }

  remove(): void {
    this.#namespaces.remove()
  }

  #build(): void {
    const { source, router, sink } = this
    const namespaces = this.#namespaces
    const { router: near, routerOut: far, sink: end, flows } = ADDRESSES
    namespaces.cable(
      { namespace: source, device: 's0' },
      { namespace: router, device: 'r0', address: `${near}/16` },
    )
    namespaces.cable(
      { namespace: router, device: 'r1', address: `${far}/16` },
      { namespace: sink, device: 'd0', address: `${end}/16` },
    )
    namespaces.inside(router, `ip route add ${flows} via ${end}`)
    namespaces.makeSink(sink)
  }
}
