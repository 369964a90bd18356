/**
 * Time of day: which servers get the new flows of a virtual host follows from the hour of the week; among those of
 * the hour they go in turn. Flows that run are left alone when the hour is over.
 */
import { definePlugin, type Tunnel } from 'pronto-router/sdk'
import { RoundRobin, TimeOfDay, type TimeWindow } from 'pronto-router/sdk/policies'

interface Config {
  virtualHost: string
  utcOffset: string
  windows: (TimeWindow & { servers: string[] })[]
}

interface Server {
  readonly tunnel: Tunnel
}

export default definePlugin({
  setup(router, config: Config) {
    const servers = new Map<string, Server>()
    const serverOf = (address: string): Server => {
      let server = servers.get(address)
      if (server === undefined) {
        server = { tunnel: router.tunnels.open({ to: address }) }
        servers.set(address, server)
      }
      return server
    }
    const windows = config.windows.map((each) => ({ ...each, use: each.servers.map(serverOf) }))
    const schedule = new TimeOfDay(windows, { utcOffset: config.utcOffset })
    const turns = new RoundRobin<Server>()

    router.flows.claim({ to: config.virtualHost }, () => {
      const open = schedule.at(router.clock())
      const server = open === undefined ? undefined : turns.pick(open)
      return server === undefined ? { drop: 'no-server' } : { tunnel: server.tunnel }
    })

    const hours = (schedule.changesAt(router.clock()) - router.clock()) / 3_600_000
    router.log.info(`the servers change in ${hours.toFixed(2)} hours`)
  },
})
