/**
 * Round robin: new flows to a virtual host go to its servers in turn, in proportion to their weights. A flow stays
 * where it began.
 *
 *   pronto call round-robin server/state '{ "address": "10.0.2.2", "state": "maintenance" }'
 */
import { definePlugin, type Tunnel } from 'pronto-router/sdk'
import { type BackendState, RoundRobin } from 'pronto-router/sdk/policies'

interface Config {
  virtualHost: string
  servers: { address: string; weight: number }[]
}

interface Server {
  readonly address: string
  readonly weight: number
  readonly tunnel: Tunnel
  state: BackendState
  flows: number
}

const STATE_MESSAGE = {
  type: 'object',
  required: ['address', 'state'],
  additionalProperties: false,
  properties: {
    address: { type: 'string' },
    state: { type: 'string', enum: ['active', 'terminating', 'maintenance'] },
  },
}

export default definePlugin({
  setup(router, config: Config) {
    const turns = new RoundRobin<Server>()
    const servers = config.servers.map(({ address, weight }): Server => {
      return { address, weight, tunnel: router.tunnels.open({ to: address }), state: 'active', flows: 0 }
    })

    router.flows.claim({ to: config.virtualHost }, () => {
      const server = turns.pick(servers)
      if (server === undefined) return { drop: 'no-server' }
      server.flows++
      return { tunnel: server.tunnel, idle: '60s' }
    })

    router.messages.on(
      'server/state',
      (body) => {
        const { address, state } = body as { address: string; state: BackendState }
        const server = servers.find((each) => each.address === address)
        if (server === undefined) return { error: `no server ${address}` }
        server.state = state
        return servers.map((each) => ({ address: each.address, state: each.state, flows: each.flows }))
      },
      STATE_MESSAGE,
    )

    return {
      stateVersions: [1],
      exportState: () => ({
        version: 1,
        servers: servers.map(({ address, state, flows }) => ({ address, state, flows })),
      }),
      importState(old) {
        for (const { address, state, flows } of old['servers'] as unknown as Server[])
          for (const server of servers)
            if (server.address === address) Object.assign(server, { state, flows })
      },
    }
  },
})
