/** What a new plugin's folder holds. */

const PLUGIN = `import { definePlugin } from 'pronto-router/sdk'
import { leastLoad } from 'pronto-router/sdk/policies'

interface Config {
  virtualHost: string
  servers: string[]
}

export default definePlugin({
  setup(router, config: Config) {
    const servers = config.servers.map((to) => ({ tunnel: router.tunnels.open({ to }), load: 0 }))

    // Called once for a flow, with its first packet; the rest of the flow follows.
    router.flows.claim({ to: config.virtualHost }, (flow) => {
      const server = leastLoad(servers, flow)
      if (server === undefined) return { drop: 'no-server' }
      server.load++
      return { tunnel: server.tunnel }
    })
  },
})
`

const TEST = `import { assert, describe, it, testRouter } from 'pronto-router/sdk/testing'

const config = { virtualHost: '198.18.0.0/15', servers: ['10.0.2.2', '10.0.3.2'] }

describe('the policy', () => {
  it('spreads flows over the servers', async () => {
    const router = await testRouter('.', { config })
    const servers = [1, 2, 3, 4].map(() => router.send({ to: '198.18.0.80' }).tunnel)
    assert.deepEqual(servers.sort(), ['10.0.2.2', '10.0.2.2', '10.0.3.2', '10.0.3.2'])
  })

  it('leaves a flow where it began', async () => {
    const router = await testRouter('.', { config })
    const flow = { to: '198.18.0.80', fromPort: 4000 }
    const { tunnel } = router.send(flow)
    router.send({ to: '198.18.0.80' })
    assert.equal(router.send({ ...flow, flags: ['ack'] }).tunnel, tunnel)
  })
})
`

const lab = (
  name: string,
): string => `# A client, a router with the plugin of this folder, two servers: pronto plugin dev --lab lab.yaml
name: ${name}
duration: 10s
nodes:
  c1:
    kind: host
    addresses: { eth0: 10.0.1.2/24 }
    gateway: 10.0.1.1
    clients: [{ protocol: http, to: "198.18.0.80:80", rate: 20/s, bytes: 0 }]
  r1:
    kind: router
    addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24 }
    plugins:
      - { plugin: ., config: { virtualHost: 198.18.0.0/15, servers: [10.0.2.2, 10.0.3.2] } }
  s1:
    kind: host
    addresses: { eth0: 10.0.2.2/24 }
    gateway: 10.0.2.1
    virtualHosts: [198.18.0.0/15]
    services: [{ protocol: http, port: 80, bytes: 1k }]
  s2:
    kind: host
    addresses: { eth0: 10.0.3.2/24 }
    gateway: 10.0.3.1
    virtualHosts: [198.18.0.0/15]
    services: [{ protocol: http, port: 80, bytes: 1k }]
links:
  - { endpoints: ["c1:eth0", "r1:eth0"], rate: 100Mbps, delay: 2ms }
  - { endpoints: ["r1:eth1", "s1:eth0"], rate: 100Mbps, delay: 1ms, mtu: 1520 }
  - { endpoints: ["r1:eth2", "s2:eth0"], rate: 100Mbps, delay: 1ms, mtu: 1520 }
expect:
  - { path: "clients.c1[0].failed", is: "== 0" }
  - { path: "conservation", is: "== true" }
`

/** The manifest of a new plugin. */
export function manifestOf(name: string): object {
  return {
    name,
    version: '0.1.0',
    apiVersion: 1,
    entry: 'plugin.ts',
    capabilities: {
      flows: { to: ['198.18.0.0/15'], actions: ['drop', 'tunnel'] },
      tunnels: { open: ['10.0.0.0/8'] },
    },
    configSchema: {
      type: 'object',
      required: ['virtualHost', 'servers'],
      additionalProperties: false,
      properties: {
        virtualHost: { type: 'string', format: 'ipv4-prefix' },
        servers: { type: 'array', minItems: 1, maxItems: 100, items: { type: 'string' } },
      },
    },
  }
}

/** How an author's sources are compiled where their folder does not say. */
export const AUTHOR_COMPILER_OPTIONS = {
  target: 'es2024',
  lib: ['es2024'],
  module: 'nodenext',
  types: [],
  strict: true,
  noEmit: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
} as const

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`

/**
 * Texts by file name, in the order of reading.
 * @param command how `pronto` is called from a script of the folder
 */
export function scaffoldFiles(name: string, command: string): Readonly<Record<string, string>> {
  const scripts = {
    dev: `${command} plugin dev --lab lab.yaml`,
    test: `${command} plugin test`,
    build: `${command} plugin build`,
  }
  return {
    'pronto.json': json(manifestOf(name)),
    'plugin.ts': PLUGIN,
    'plugin.test.ts': TEST,
    'lab.yaml': lab(name),
    'package.json': json({ name, version: '0.1.0', private: true, type: 'module', scripts }),
    'tsconfig.json': json({ compilerOptions: AUTHOR_COMPILER_OPTIONS, include: ['**/*.ts'] }),
  }
}
