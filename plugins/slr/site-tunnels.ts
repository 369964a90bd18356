/**
 * Tunnels to the servers of a site. The one idea: a server that is there has its way watched, and a tunnel as soon as
 * there is a way; what the way costs is r_j, learnt from the routing table and never asked for a flow.
 */
import type { FlowKey, Router, RouteView, Subscription, Tunnel } from 'pronto-router/sdk'
import type { HostSite } from './host-site.ts'
import type { Server } from './server.ts'

const TCP = 6
/** Most flows that are taken out of the table in one call. */
const UNPIN_MOST = 500

interface Way {
  readonly watch: Subscription
  tunnel: Tunnel | undefined
}

export class SiteTunnels {
  readonly #router: Router
  readonly #site: HostSite
  readonly #ways = new Map<Server, Way>()
  readonly #byTunnel = new Map<Tunnel, Server>()
  #forsaken: FlowKey[] = []

  constructor(router: Router, site: HostSite) {
    this.#router = router
    this.#site = site
  }

  /** A server has appeared. */
  open(server: Server): void {
    const { routes } = this.#router
    const watch = routes.watch(server.address, (route) => this.#rerouted(server, route))
    this.#ways.set(server, { watch, tunnel: undefined })
    // What is watched tells the way later; the first flows need not wait for it.
    this.#rerouted(server, routes.lookup(server.address))
  }

  /** A server has gone: flows that are pinned keep its tunnel until they are over. */
  close(server: Server): void {
    const way = this.#ways.get(server)
    if (way === undefined) return
    this.#ways.delete(server)
    this.#router.routes.unwatch(way.watch)
    if (way.tunnel === undefined) return
    this.#byTunnel.delete(way.tunnel)
    this.#router.tunnels.close(way.tunnel)
  }

  /** The tunnel of a server that has a way. */
  of(server: Server): Tunnel | undefined {
    return this.#ways.get(server)?.tunnel
  }

  serverOf(tunnel: Tunnel): Server | undefined {
    return this.#byTunnel.get(tunnel)
  }

  /**
   * Lets the flows of a server that is gone be decided anew, where that loses nothing: a TCP connection would be reset
   * by any other server, while its own may only be unable to speak; it stays until it is over. Call before `close`.
   */
  release(server: Server): void {
    const tunnel = this.of(server)
    if (tunnel === undefined) return
    this.#router.flows.each((flow) => {
      if (flow.tunnel !== tunnel || flow.protocol === TCP) return
      const { from, to, protocol, fromPort, toPort } = flow
      this.#forsaken.push({ from, to, protocol, fromPort, toPort })
    })
    this.#unpin()
  }

  #unpin(): void {
    for (const flow of this.#forsaken.splice(0, UNPIN_MOST)) this.#router.flows.unpin(flow)
    if (this.#forsaken.length > 0) this.#router.timers.after('20ms', () => this.#unpin())
  }

  #rerouted(server: Server, route: RouteView | undefined): void {
    const way = this.#ways.get(server)
    if (way === undefined) return
    const usable = route?.kind === 'via' || route?.kind === 'connected'
    if (usable && way.tunnel === undefined) {
      way.tunnel = this.#router.tunnels.open({ to: server.address })
      this.#byTunnel.set(way.tunnel, server)
    }
    if (usable !== (server.routing !== undefined))
      this.#router.log.info(`${server.address} ${usable ? 'can' : 'cannot'} be reached`)
    this.#site.reroute(server, usable ? route.cost : undefined)
  }
}
