/**
 * Three namespaces in a row for benchmarks on real devices: a source, a router and a sink that drops what reaches
 * it. The one idea: the same senders, devices and settings for every contestant; only who forwards is another.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { inNamespace } from '../engine/ports/linux/index.ts'

/** Where everything is; all names are new. */
export const ADDRESSES = {
  router: '10.0.0.1',
  routerOut: '10.1.0.1',
  sink: '10.1.0.2',
  flows: '198.18.0.0/15',
}

/** Why the rig cannot be built here; undefined when it can. */
export function missing(): string | undefined {
  if (process.platform !== 'linux') return 'this is not Linux'
  if (process.getuid?.() !== 0) return 'it needs root, for network namespaces and raw sockets'
  for (const [tool, flag] of [
    ['ip', '-V'],
    ['nft', '--version'],
    ['ethtool', '--version'],
  ] as const)
    if (spawnSync(tool, [flag]).status !== 0) return `${tool} is not installed`
  return undefined
}

function run(words: string): void {
  const [tool, ...args] = words.split(' ')
  const done = spawnSync(tool!, args, { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`${words}: ${done.stderr}`)
}

export class LinuxRig {
  readonly #mark = randomBytes(3).toString('hex')
  readonly source = `b${this.#mark}s`
  readonly router = `b${this.#mark}r`
  readonly sink = `b${this.#mark}d`
  readonly #made: string[] = []

  constructor() {
    try {
      this.#build()
    } catch (error) {
      this.remove()
      throw error
    }
  }

  /** The path of a namespace's file. */
  path(name: string): string {
    return `/run/netns/${name}`
  }

  /** Whether the kernel of the router forwards. */
  setForwarding(on: boolean): void {
    this.#inside(this.router, `sysctl -qw net.ipv4.ip_forward=${on ? 1 : 0}`)
    // While the engine forwards, the kernel must neither answer ARP for it nor take packets in.
    this.#inside(this.router, `sysctl -qw net.ipv4.conf.all.arp_ignore=${on ? 0 : 8}`)
  }

  /** Frames that have reached the sink. */
  arrived(): number {
    const text = inNamespace(this.path(this.sink), () => readFileSync('/proc/thread-self/net/dev', 'utf8'))
    return Number(/d0:\s*\d+\s+(\d+)/.exec(text)![1])
  }

  remove(): void {
    for (const each of this.#made.splice(0)) run(`ip netns del ${each}`)
  }

  #build(): void {
    const { source, router, sink } = this
    for (const each of [source, router, sink]) {
      run(`ip netns add ${each}`)
      this.#made.push(each)
      this.#inside(each, 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1')
    }
    this.#cable(source, 's0', router, 'r0')
    this.#cable(router, 'r1', sink, 'd0')
    this.#inside(router, `ip addr add ${ADDRESSES.router}/16 dev r0`)
    this.#inside(router, `ip addr add ${ADDRESSES.routerOut}/16 dev r1`)
    this.#inside(router, `ip route add ${ADDRESSES.flows} via ${ADDRESSES.sink}`)
    this.#inside(sink, `ip addr add ${ADDRESSES.sink}/16 dev d0`)
    this.#inside(sink, 'nft add table ip sink')
    this.#inside(
      sink,
      'nft add chain ip sink everything { type filter hook prerouting priority raw ; policy drop ; }',
    )
  }

  #inside(name: string, words: string): void {
    run(`ip netns exec ${name} ${words}`)
  }

  #cable(one: string, device: string, other: string, far: string): void {
    run(`ip -n ${one} link add name ${device} type veth peer name ${far} netns ${other}`)
    for (const [name, each] of [
      [one, device],
      [other, far],
    ] as const) {
      run(`ip -n ${name} link set ${each} up`)
      this.#inside(name, `ethtool -K ${each} tx off tso off gso off gro off`)
    }
  }
}
