/**
 * Where the plugin under test comes from. The one idea: a folder is built as `pronto plugin build` does, so that what
 * a router would refuse is refused here; a definition is taken as it is, closures and all.
 */
import { url as inspectorUrl } from 'node:inspector'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readBundle } from '../../execution-env/bundle/index.ts'
import type { PluginDefinition } from '../../execution-env/contract/api/index.ts'
import {
  ACTION_NAMES,
  type Capabilities,
  type Manifest,
  normalise,
} from '../../execution-env/contract/index.ts'
import type { AuthenticBundle, BundleVerifier } from '../../execution-env/index.ts'
import type { InProcessOptions, VettedCode } from '../../execution-env/sandbox/index.ts'
import { buildPlugin } from '../build.ts'
import type { PluginUnderTest, TestMessage, TestRouterOptions } from './test-router.ts'

const EVERYWHERE = ['0.0.0.0/0']
const ANYTHING = ['*']

/** What a definition may do unless the test says less. */
const EVERYTHING: Capabilities = {
  flows: { to: EVERYWHERE, from: EVERYWHERE, actions: ACTION_NAMES, targets: EVERYWHERE, payloadBytes: 128 },
  tunnels: { open: EVERYWHERE },
  classes: { linkShare: 1, ports: ANYTHING },
  routes: { announce: EVERYWHERE, lookup: EVERYWHERE, watch: EVERYWHERE },
  messages: { on: ANYTHING, send: ANYTHING, hops: 255 },
  query: { get: ANYTHING, watch: ANYTHING, answer: ANYTHING },
  timers: { perSecond: 100_000 },
  http: { get: ANYTHING },
  certificates: { lookup: ANYTHING },
  keys: { sign: ANYTHING, verify: ANYTHING },
}

type ModuleFunction = ReturnType<NonNullable<InProcessOptions['moduleOf']>>

/** Plugins of one test's router: what they are called there, and how they run. */
export class PluginSources implements BundleVerifier {
  readonly #bundles: AuthenticBundle[] = []
  readonly #definitions = new Map<string, object>()

  /** Makes a plugin ready. @returns what stands for its bundle @throws PluginError */
  async add(plugin: PluginUnderTest, options: TestRouterOptions): Promise<Uint8Array> {
    const bundle = typeof plugin === 'string' ? await builtBundle(plugin) : this.#define(plugin, options)
    return Uint8Array.of(this.#bundles.push(bundle) - 1)
  }

  /** Believes everything: it is the author's own. */
  verify([number]: Uint8Array): AuthenticBundle {
    return this.#bundles[number!]!
  }

  /** The module of a definition; undefined for code that came from a folder. */
  moduleOf({ source }: VettedCode): ModuleFunction {
    const definition = this.#definitions.get(source)
    if (definition === undefined) return undefined
    return ((module: { exports: unknown }) => {
      module.exports = { default: definition }
    }) as ModuleFunction
  }

  #define(definition: object, { configSchema = { type: 'object' }, id }: TestRouterOptions): AuthenticBundle {
    const version = `1.0.${this.#bundles.length}`
    const code = `module.exports = ${this.#bundles.length}`
    this.#definitions.set(code, definition)
    const manifest: Manifest = {
      name: id ?? 'plugin',
      version,
      apiVersion: 1,
      entry: 'plugin.ts',
      capabilities: normalise(EVERYTHING),
      configSchema,
    }
    return authentic(manifest, code, '', version)
  }
}

function authentic(manifest: Manifest, code: string, sourceMap: string, digest: string): AuthenticBundle {
  const { capabilities: grant } = manifest
  return { manifest, code, sourceMap, digest, signer: 'author', grant, warnings: [] }
}

async function builtBundle(folder: string): Promise<AuthenticBundle> {
  const { manifest, code, sourceMap, digest } = readBundle((await buildPlugin(folder)).bytes)
  const forDebugger = inspectorUrl() === undefined ? '' : sourceMapComment(resolve(folder), sourceMap)
  return authentic(manifest, code + forDebugger, sourceMap, digest)
}

/** Tells a debugger where the sources are. */
function sourceMapComment(folder: string, sourceMap: string): string {
  const map = JSON.parse(sourceMap) as { sources: string[] }
  map.sources = map.sources.map((each) =>
    each.includes(':') ? each : pathToFileURL(join(folder, each)).href,
  )
  const encoded = Buffer.from(JSON.stringify(map)).toString('base64')
  return `\n//# sourceMappingURL=data:application/json;base64,${encoded}`
}

/** A plugin that listens to everything. */
export function listener(id: string, received: TestMessage[]): PluginDefinition<never> {
  return {
    setup(router) {
      router.messages.on('*', (body, _from, topic) => {
        received.push({ plugin: id, topic, body })
      })
    },
  }
}
