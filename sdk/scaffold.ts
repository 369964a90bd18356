/**
 * A new plugin's folder. The one idea: the smallest plugin that builds, does something and is typed; everything else
 * is in the guide.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ContractError, parseManifest } from '../execution-env/contract/index.ts'
import { PluginError } from './plugin-error.ts'

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

function manifestOf(name: string): object {
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

const TSCONFIG = {
  compilerOptions: {
    target: 'es2024',
    lib: ['es2024'],
    module: 'nodenext',
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  },
  include: ['*.ts'],
}

/**
 * Makes a folder called `name` below `parent` with pronto.json, plugin.ts and tsconfig.json.
 * @returns the files, in the order of reading
 * @throws PluginError `invalid` for what cannot be a plugin's name, `exists`, `unreadable`
 */
export function scaffoldPlugin(parent: string, name: string): readonly string[] {
  const manifest = `${JSON.stringify(manifestOf(name), null, 2)}\n`
  try {
    parseManifest(manifest)
  } catch (error) {
    if (!(error instanceof ContractError)) throw error
    throw new PluginError('invalid', [{ file: name, message: error.reason }])
  }
  const folder = join(parent, name)
  const texts = {
    'pronto.json': manifest,
    'plugin.ts': PLUGIN,
    'tsconfig.json': `${JSON.stringify(TSCONFIG, null, 2)}\n`,
  }
  try {
    mkdirSync(folder)
    for (const [file, text] of Object.entries(texts)) writeFileSync(join(folder, file), text, { flag: 'wx' })
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST'
    const message = exists ? 'is there already' : (error as Error).message
    throw new PluginError(exists ? 'exists' : 'unreadable', [{ file: folder, message }])
  }
  return Object.keys(texts).map((file) => join(folder, file))
}
