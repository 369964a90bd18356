/**
 * Where `npm run bench -- netns` takes place: a client, two servers and a sink, and between them two routers side by
 * side: one is ours, the other one is the kernel's with HAProxy on it. The one idea: the same cables for both, so that
 * contestants alternate without being started again; who is asked decides which way packets go.
 *
 * Answers of servers to the client go directly, past both routers (HAProxy's cannot: a proxy is in the way of both
 * directions).
 */
import { describeDevice, inNamespace } from '../engine/ports/linux/index.ts'
import { arrivedAt } from './linux-rig.ts'
import { missingFor, Namespaces } from './namespaces.ts'

/** Virtual addresses of the web service, by contestant. */
export const SERVICES = { pronto: '198.19.0.80', haproxy: '198.19.1.80', plain: '198.19.2.80' } as const
export type Contestant = keyof typeof SERVICES

export const VIRTUAL_HOSTS = '198.19.0.0/16'
/** Destinations of the generator's flows. */
export const FLOWS = '198.18.0.0/16'
/** Two devices towards the servers, by router: the servers' own addresses there. */
export const SERVERS = { ours: ['10.1.1.2', '10.1.2.2'], kernel: ['10.2.1.2', '10.2.2.2'] } as const
export const SINK = { ours: '10.4.1.2', kernel: '10.4.2.2' } as const

/** Addresses of our router, by device. */
export const OUR_ADDRESSES = {
  client: '10.5.1.1/24',
  server1: '10.1.1.1/24',
  server2: '10.1.2.1/24',
  sink: '10.4.1.1/24',
} as const

/** Room for the outer header on the servers' cables, for all contestants. */
const SERVER_MTU = 1520

/** Why the rig cannot be built here; undefined when it can. */
export function missing(): string | undefined {
  return missingFor([
    ['ip', '-V'],
    ['nft', '--version'],
    ['ethtool', '--version'],
    ['nginx', '-v'],
    ['haproxy', '-v'],
    ['wrk', '-v'],
  ])
}

export class NetnsRig {
  readonly namespaces = new Namespaces()
  readonly client: string
  readonly ours: string
  readonly kernel: string
  readonly servers: readonly [string, string]
  readonly sink: string

  constructor() {
    const { namespaces } = this
    try {
      this.client = namespaces.make('c')
      this.ours = namespaces.make('a')
      this.kernel = namespaces.make('b')
      this.servers = [namespaces.make('s1'), namespaces.make('s2')]
      this.sink = namespaces.make('d')
      this.#layCables()
      this.#setUp()
    } catch (error) {
      this.remove()
      throw error
    }
  }

  path(namespace: string): string {
    return this.namespaces.path(namespace)
  }

  /** Frames that have reached the sink by one of the routers. */
  arrived(router: 'ours' | 'kernel'): number {
    return arrivedAt(this.path(this.sink), router)
  }

  /** The MAC of a router's device towards the client. */
  mac(router: 'ours' | 'kernel'): Uint8Array {
    return inNamespace(this.path(this[router]), () => describeDevice('client')).mac
  }

  remove(): void {
    this.namespaces.remove()
  }

  #layCables(): void {
    const { namespaces, client, ours, kernel, servers, sink } = this
    for (const [name, router, net] of [
      ['ours', ours, 1],
      ['kernel', kernel, 2],
    ] as const) {
      // The addresses of our router are the engine's, not its namespace's.
      const at = (address: string): { address?: string } => (name === 'ours' ? {} : { address })
      namespaces.cable(
        { namespace: client, device: name, address: `10.5.${net}.2/24` },
        { namespace: router, device: 'client', ...at(`10.5.${net}.1/24`) },
      )
      namespaces.cable(
        { namespace: router, device: 'sink', ...at(`10.4.${net}.1/24`) },
        { namespace: sink, device: name, address: `10.4.${net}.2/24` },
        SERVER_MTU,
      )
      servers.forEach((server, i) => {
        namespaces.cable(
          { namespace: router, device: `server${i + 1}`, ...at(`10.${net}.${i + 1}.1/24`) },
          { namespace: server, device: name, address: `10.${net}.${i + 1}.2/24` },
          SERVER_MTU,
        )
      })
    }
    servers.forEach((server, i) => {
      namespaces.cable(
        { namespace: server, device: 'direct', address: `10.3.${i + 1}.2/24` },
        { namespace: client, device: `direct${i + 1}`, address: `10.3.${i + 1}.1/24` },
      )
    })
  }

  #setUp(): void {
    const { namespaces, client, kernel, servers, sink } = this
    const inside = (namespace: string, ...commands: string[]): void => {
      for (const each of commands) namespaces.inside(namespace, each)
    }
    for (const each of [client, kernel, ...servers])
      inside(each, 'sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0')
    for (const each of [client, kernel])
      inside(each, 'sysctl -qw net.ipv4.ip_local_port_range=1024\t65000 net.ipv4.tcp_tw_reuse=1')
    const { pronto, haproxy, plain } = SERVICES
    inside(
      client,
      `ip route add ${pronto} via 10.5.1.1`,
      `ip route add ${haproxy} via 10.5.2.1`,
      `ip route add ${plain} via 10.5.2.1`,
    )
    const [first, second] = SERVERS.kernel
    inside(
      kernel,
      'sysctl -qw net.ipv4.ip_forward=1 net.ipv4.fib_multipath_hash_policy=1',
      `ip addr add ${haproxy}/32 dev lo`,
      `ip route add ${FLOWS} via ${SINK.kernel}`,
      `ip route add ${plain} nexthop via ${first} nexthop via ${second}`,
    )
    servers.forEach((server, i) => {
      for (const net of [1, 2]) inside(server, `ip route add 10.5.${net}.0/24 via 10.3.${i + 1}.1`)
    })
    namespaces.makeSink(sink)
  }
}
