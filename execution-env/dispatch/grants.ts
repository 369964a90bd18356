/**
 * What a program was granted, ready to be asked. The one idea: prefixes are parsed once, when the program is made;
 * every question afterwards is a comparison. What is not granted is an empty set.
 */
import { type Capabilities, isInOrigins, PrefixSet, parseHttpUrl, patternCovers } from '../contract/index.ts'

const prefixes = (texts: readonly string[] | undefined): PrefixSet => PrefixSet.parse(texts ?? [])

export class Grants {
  readonly capabilities: Capabilities
  readonly flowsTo: PrefixSet
  readonly flowsFrom: PrefixSet
  /** Addresses that actions may name. */
  readonly targets: PrefixSet
  readonly actions: ReadonlySet<string>
  readonly payloadBytes: number
  readonly tunnels: PrefixSet
  readonly routesLookup: PrefixSet
  readonly routesWatch: PrefixSet
  readonly linkShare: number
  readonly timersPerSecond: number
  readonly cpuShare: number
  /** From which the HTTP proxy may fetch. */
  readonly origins: readonly string[]

  /** @param capabilities of the schema, in normal form */
  constructor(capabilities: Capabilities) {
    const { flows, tunnels, routes, classes, timers, cpu, http } = capabilities
    this.capabilities = capabilities
    this.flowsTo = prefixes(flows?.to)
    this.flowsFrom = prefixes(flows?.from)
    this.targets = prefixes(flows?.targets)
    this.actions = new Set(flows?.actions ?? [])
    this.payloadBytes = flows?.payloadBytes ?? 0
    this.tunnels = prefixes(tunnels?.open)
    this.routesLookup = prefixes(routes?.lookup)
    this.routesWatch = prefixes(routes?.watch)
    this.linkShare = classes?.linkShare ?? 0
    this.timersPerSecond = timers?.perSecond ?? 0
    this.cpuShare = cpu?.share ?? 0
    this.origins = http?.get ?? []
  }

  mayListen(topic: string): boolean {
    return covers(this.capabilities.messages?.on, topic)
  }

  maySend(topic: string): boolean {
    return covers(this.capabilities.messages?.send, topic)
  }

  mayUsePort(port: string): boolean {
    return covers(this.capabilities.classes?.ports, port)
  }

  mayQuery(verb: 'get' | 'watch' | 'answer', name: string): boolean {
    return covers(this.capabilities.query?.[verb], name)
  }

  mayFetch(text: string): boolean {
    const url = parseHttpUrl(text)
    return url !== undefined && isInOrigins(url, this.origins)
  }

  mayLookup(name: string): boolean {
    return covers(this.capabilities.certificates?.lookup, name)
  }

  mayUseKey(verb: 'sign' | 'verify', name: string): boolean {
    return covers(this.capabilities.keys?.[verb], name)
  }
}

function covers(patterns: readonly string[] | undefined, name: string): boolean {
  return patterns?.some((pattern) => patternCovers(pattern, name)) === true
}
