/**
 * Service level routing, embodiment 1 (R-SLR-02): the router at a site's gateway picks a server for each new flow to a
 * virtual host, and tunnels the flow to it; the server answers the client directly. Messages and wiring only; what is
 * decided is in virtual-host.ts, who is there in host-site.ts.
 *
 * The procedure of Fig 6 (R-SLR-12), per packet: x100 strip the outer header if it came by tunnel, and look up the
 * virtual host (the engine; a claim per virtual host). x200 a known flow? x300 then on its path (the engine, which
 * asks nobody). x400 else a new label, x500 the choice (virtual-host.ts). x600 the new header and the tunnel, x700
 * send (the engine).
 */
import {
  type Decision,
  type Duration,
  definePlugin,
  type Flow,
  type JsonValue,
  type Router,
} from 'pronto-router/sdk'
import { type Change, type ConfiguredServer, HostSite } from './host-site.ts'
import {
  DRAIN_SCHEMA,
  GONE_SCHEMA,
  type Gone,
  HELLO_SCHEMA,
  type Hello,
  orderRefusalOf,
  RESUME_SCHEMA,
  type Report,
  refusalOf,
  STATE_SCHEMA,
} from './messages.ts'
import { parsePrefix } from './prefix.ts'
import { type Server, type ServerState, stateOf } from './server.ts'
import { exportSite, importSite, STATE_VERSION } from './site-state.ts'
import { SiteTunnels } from './site-tunnels.ts'
import { VirtualHost, type VirtualHostConfig } from './virtual-host.ts'

interface Config {
  virtualHosts: VirtualHostConfig[]
  servers: ConfiguredServer[]
  learn: { from: string[]; most: number; silenceMs: number }
  tableMs: number
}

/** Senders whose first refusal is logged. */
const REFUSED_LOGGED = 64

/** A datagram is not sent again: it had better come late, as a SYN that was lost would. */
const PATIENCE = { wait: '1s' } as const

const duration = (ms: number): Duration => `${ms}ms`

export default definePlugin({
  setup(router, config: Config) {
    const { learn, tableMs } = config
    const site = new HostSite({
      virtualHosts: config.virtualHosts.map(({ to }) => parsePrefix(to)),
      servers: config.servers,
      from: learn.from.map(parsePrefix),
      most: learn.most,
      silenceNs: learn.silenceMs * 1e6,
    })
    const virtualHosts = config.virtualHosts.map((each) => new VirtualHost(each, site))
    const tunnels = new SiteTunnels(router, site)
    for (const server of site.servers) tunnels.open(server)

    for (const virtualHost of virtualHosts) routeFlows(router, virtualHost, tunnels)
    router.flows.ended({}, (ends) => {
      for (const { tunnel } of ends) {
        const server = tunnel === undefined ? undefined : tunnels.serverOf(tunnel)
        if (server !== undefined && server.open > 0) server.open--
      }
    })

    const heed = heedChanges(router, tunnels)
    listenToHosts(router, site, heed)
    obeyOperators(router, site, heed)
    router.timers.every(duration(learn.silenceMs / 4), () => {
      for (const change of site.expire(router.now())) heed(change)
    })
    if (tableMs > 0)
      router.timers.every(duration(Math.max(tableMs, 100)), () => {
        for (const { table } of virtualHosts) table.compute()
      })

    router.query.answer('servers', () => describeServers(site))
    router.query.answer('table', () => virtualHosts.flatMap((each) => each.lines()) as unknown as JsonValue)
    router.query.answer('aggregate', () => virtualHosts.flatMap((each) => each.aggregates()))

    return {
      stateVersions: [STATE_VERSION],
      exportState: () => exportSite(site, router.now()),
      importState(state) {
        for (const server of importSite(site, state, router.now())) tunnels.open(server)
      },
    }
  },
})

/** Everything that is heard goes through here: it is put into effect, logged, or refused. */
type Heed = (change: Change) => JsonValue

function routeFlows(router: Router, virtualHost: VirtualHost, tunnels: SiteTunnels): void {
  const { prefix, idleMs } = virtualHost
  const idle = idleMs === undefined ? {} : { idle: duration(idleMs) }
  // x100: the claim is the look-up of the virtual host. x200, x300: a flow that is known never comes here.
  const decide = (flow: Flow): Decision => {
    const server = virtualHost.route(flow, router.clock())
    const tunnel = server === undefined ? undefined : tunnels.of(server)
    // x600, x700: the answer is pinned (R-SLR-11), and the engine sends this packet and the next ones into the tunnel.
    return tunnel === undefined ? { drop: 'no-server' } : { tunnel, ...idle }
  }
  router.flows.claim({ to: prefix.text }, decide, PATIENCE)
}

function heedChanges(router: Router, tunnels: SiteTunnels): Heed {
  return (change) => {
    if (change.kind === 'refused') return { error: change.reason }
    if (change.kind === 'noted') return { address: change.address, presence: 'absent' }
    const { kind, server } = change
    const name = server.host === server.address ? server.address : `${server.host} (${server.address})`
    if (kind === 'appeared') tunnels.open(server)
    if (kind === 'left' || kind === 'silent') tunnels.release(server)
    if (kind === 'left') tunnels.close(server)
    if (kind === 'appeared' || kind === 'changed')
      router.log.info(`${name} ${kind}: ${server.presence}, ${stateOf(server)}`)
    if (kind === 'left' || kind === 'silent') router.log.warn(`${name} ${kind}`)
    return describe(server)
  }
}

function listenToHosts(router: Router, site: HostSite, heed: Heed): void {
  const logged = new Set<string>()
  const listen = <T extends { readonly address: string }>(
    topic: string,
    schema: typeof HELLO_SCHEMA,
    act: (said: T) => Change,
  ) =>
    router.messages.on(
      topic,
      (body, from) => {
        const said = body as unknown as T
        const reason = refusalOf(from, said.address)
        const change: Change = reason === undefined ? act(said) : { kind: 'refused', reason }
        if (change.kind === 'refused' && logged.size < REFUSED_LOGGED && !logged.has(from.name)) {
          logged.add(from.name)
          router.log.warn(`${topic} refused: ${change.reason}`)
        }
        return heed(change)
      },
      schema,
    )
  listen<Hello>('host/hello', HELLO_SCHEMA, (said) => site.hello(said, router.now()))
  listen<Report>('host/state', STATE_SCHEMA, (said) => site.report(said, router.now()))
  listen<Gone>('host/gone', GONE_SCHEMA, (said) => site.gone(said.address, said.reason))
}

function obeyOperators(router: Router, site: HostSite, heed: Heed): void {
  const obey = (topic: string, schema: typeof DRAIN_SCHEMA, usual: ServerState) =>
    router.messages.on(
      topic,
      (body, from) => {
        const { address, state = usual } = body as { address: string; state?: ServerState }
        const reason = orderRefusalOf(from)
        return heed(reason === undefined ? site.order(address, state) : { kind: 'refused', reason })
      },
      schema,
    )
  obey('slr/drain', DRAIN_SCHEMA, 'draining')
  obey('slr/resume', RESUME_SCHEMA, 'active')
  router.messages.on('slr/servers', () => describeServers(site))
}

const describeServers = (site: HostSite): JsonValue => [...site.servers].map(describe)

function describe(server: Server): JsonValue {
  const { address, host, presence, weight, backup, connections, open, routing } = server
  return {
    ...{ address, host, presence, state: stateOf(server), weight, backup, connections, open },
    routing: routing ?? null,
    services: server.services.map(({ prefix, load, begun }) => ({ prefix: prefix.text, load, begun })),
  }
}
