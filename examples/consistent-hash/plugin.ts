/**
 * Consistent hashing: a flow's server follows from the flow itself, by a Maglev table. A router that has never seen
 * the flow (restarted, or another one with the same configuration) sends it to the same server; when a server comes
 * or goes, hardly any flow but its own finds another one. Flows that are pinned stay in any case.
 */
import { definePlugin, type Tunnel } from 'pronto-router/sdk'
import { type BackendState, Maglev } from 'pronto-router/sdk/policies'

interface Config {
  virtualHost: string
  seed: number
  servers: { address: string; weight: number }[]
}

interface Server {
  readonly name: string
  readonly weight: number
  readonly tunnel: Tunnel
  state: BackendState
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
    const servers = config.servers.map(({ address, weight }): Server => {
      return { name: address, weight, tunnel: router.tunnels.open({ to: address }), state: 'active' }
    })
    const table = new Maglev(servers, { seed: config.seed })

    router.flows.claim({ to: config.virtualHost }, (flow) => {
      const server = table.pick(flow)
      return server === undefined ? { drop: 'no-server' } : { tunnel: server.tunnel }
    })

    router.messages.on(
      'server/state',
      (body) => {
        const { address, state } = body as { address: string; state: BackendState }
        const server = servers.find((each) => each.name === address)
        if (server === undefined) return { error: `no server ${address}` }
        server.state = state
        table.update(servers)
        return servers.map((each) => ({ address: each.name, state: each.state }))
      },
      STATE_MESSAGE,
    )

    return {
      stateVersions: [1],
      exportState: () => ({ version: 1, states: servers.map(({ name, state }) => ({ name, state })) }),
      importState(old) {
        for (const { name, state } of old['states'] as unknown as Server[])
          for (const server of servers) if (server.name === name) server.state = state
        table.update(servers)
      },
    }
  },
})
