/**
 * Network namespaces and cables for benchmarks on real devices. The one idea: what is made is noted, under a mark that
 * nobody else has, and exactly that is removed; no device does the work of others, so that all contestants get and
 * send whole packets.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'

export interface CableEnd {
  readonly namespace: string
  readonly device: string
  /** With its prefix length; none: no address. */
  readonly address?: string
}

/** Runs a tool to its end. @throws Error with what it said */
export function run(words: string): string {
  const [tool, ...args] = words.split(' ')
  const done = spawnSync(tool!, args, { encoding: 'utf8' }) as SpawnSyncReturns<string>
  if (done.status !== 0) throw new Error(`${words}: ${done.stderr}`)
  return done.stdout
}

/** Why namespaces cannot be made here, or one of these tools is missing; undefined when all is well. */
export function missingFor(tools: readonly (readonly [tool: string, flag: string])[]): string | undefined {
  if (process.platform !== 'linux') return 'this is not Linux'
  if (process.getuid?.() !== 0) return 'it needs root, for network namespaces and raw sockets'
  for (const [tool, flag] of tools)
    if (spawnSync(tool, [flag]).error !== undefined) return `${tool} is not installed`
  return undefined
}

export class Namespaces {
  readonly #mark = randomBytes(3).toString('hex')
  readonly #made: string[] = []

  /** Makes a namespace without IPv6; the answer is its full name. */
  make(name: string): string {
    const full = `b${this.#mark}${name}`
    run(`ip netns add ${full}`)
    this.#made.push(full)
    this.inside(full, 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1')
    this.inside(full, 'ip link set lo up')
    return full
  }

  /** The path of a namespace's file. */
  path(full: string): string {
    return `/run/netns/${full}`
  }

  /** Runs a tool in a namespace. @throws Error */
  inside(full: string, words: string): string {
    return run(`ip netns exec ${full} ${words}`)
  }

  /** Drops whatever reaches a namespace. */
  makeSink(full: string): void {
    const chain = 'add chain ip sink everything { type filter hook prerouting priority raw ; policy drop ; }'
    this.inside(full, 'nft add table ip sink')
    this.inside(full, `nft ${chain}`)
  }

  /** Puts a cable between two namespaces. */
  cable(one: CableEnd, other: CableEnd, mtu = 1500): void {
    run(
      `ip -n ${one.namespace} link add name ${one.device} mtu ${mtu} type veth ` +
        `peer name ${other.device} mtu ${mtu} netns ${other.namespace}`,
    )
    for (const { namespace, device, address } of [one, other]) {
      if (address !== undefined) run(`ip -n ${namespace} addr add ${address} dev ${device}`)
      run(`ip -n ${namespace} link set ${device} up`)
      this.inside(namespace, `ethtool -K ${device} tx off tso off gso off gro off`)
    }
  }

  /** Removes all that was made. Idempotent. */
  remove(): void {
    for (const each of this.#made.splice(0)) run(`ip netns del ${each}`)
  }
}
