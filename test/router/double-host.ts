/** A plugin host without plugins: keeps what it was told, and refuses what a bundle's code says it shall refuse. */
import { buildBundle, readBundle } from '../../execution-env/bundle/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import type {
  DryRun,
  PluginHost,
  PluginLogLine,
  PluginReport,
  PluginSettings,
} from '../../router/plugins/plugin-host.ts'

/** An error as the execution environment throws it, known by its name and code. */
export class RefusedByHost extends Error {
  override readonly name = 'EnvironmentError'
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** A bundle, well-formed and unsigned. `code` may be `refuse`, `refuse-restore`, `slow`. */
export function bundleOf(name: string, version: string, code = ''): Uint8Array {
  return buildBundle({
    manifest: { name, version, apiVersion: 1, entry: 'plugin.ts', capabilities: {} },
    code,
    sourceMap: '{}',
  })
}

interface Running {
  readonly name: string
  readonly version: string
  readonly digest: string
  readonly settings: PluginSettings
}

interface Instance {
  running: Running
  previous: Running | undefined
  state: string
  readonly logs: PluginLogLine[]
}

export class DoubleHost implements PluginHost {
  readonly instances = new Map<string, Instance>()
  /** Everything that was asked, in order. */
  readonly calls: string[] = []
  /** Lets go what is slow. */
  release: () => void = () => {}
  readonly #slow = new Promise<void>((settle) => {
    this.release = settle
  })

  async dryRun(bytes: Uint8Array, id: string | undefined, settings: PluginSettings): Promise<DryRun> {
    const running = await this.#judge(bytes, settings, 'load')
    this.calls.push(`dry-run ${id ?? running.name} ${running.version}`)
    return {
      id: id ?? running.name,
      version: running.version,
      signer: 'CN=double',
      warnings: [],
      granted: ['flows: to 198.18.0.0/15'],
      changes: [{ do: 'open-tunnel', name: 't', tunnel: { to: '10.0.2.2' } }],
    }
  }

  async load(
    bytes: Uint8Array,
    id: string | undefined,
    settings: PluginSettings,
    occasion: 'load' | 'restore',
  ): Promise<PluginReport> {
    const running = await this.#judge(bytes, settings, occasion)
    const name = id ?? running.name
    this.calls.push(`${occasion} ${name} ${running.version}`)
    if (this.instances.has(name)) throw new RefusedByHost('exists', `${name} is installed already`)
    this.instances.set(name, { running, previous: undefined, state: 'running', logs: [] })
    return this.#report(name)
  }

  async upgrade(
    id: string,
    bytes: Uint8Array,
    settings: PluginSettings,
    state: 'move' | 'discard',
    occasion: 'load' | 'restore' = 'load',
  ): Promise<PluginReport> {
    const running = await this.#judge(bytes, settings, occasion)
    this.calls.push(`upgrade ${id} ${running.version} ${state}`)
    const instance = this.#get(id)
    instance.previous = instance.running
    instance.running = running
    return this.#report(id)
  }

  async rollback(id: string): Promise<PluginReport> {
    this.calls.push(`rollback ${id}`)
    const instance = this.#get(id)
    if (instance.previous === undefined) throw new RefusedByHost('busy', 'there is no version to go back to')
    const { running } = instance
    instance.running = instance.previous
    instance.previous = running
    return this.#report(id)
  }

  async unload(id: string, flows: 'drain' | 'purge'): Promise<void> {
    this.calls.push(`unload ${id} ${flows}`)
    this.#get(id)
    this.instances.delete(id)
  }

  sandboxes() {
    return []
  }

  list(): PluginReport[] {
    return [...this.instances.keys()].map((id) => this.#report(id))
  }

  logs(id: string): readonly PluginLogLine[] {
    return this.#get(id).logs
  }

  /** Adds a line to a log. */
  say(id: string, text: string, atNs: number): void {
    this.#get(id).logs.push({ atNs, by: 'plugin', level: 'info', text })
  }

  async call(id: string, topic: string, body: JsonValue, operator: string): Promise<JsonValue> {
    this.calls.push(`call ${id} ${topic} by ${operator}`)
    this.#get(id)
    if (topic === 'silence') await new Promise(() => {})
    if (topic === 'throw') throw new RefusedByHost('threw', 'oops')
    if (topic === 'fault') throw new TypeError('the secret name of something')
    return { topic, body }
  }

  async ask(id: string, name: string, argument: JsonValue): Promise<JsonValue> {
    this.#get(id)
    return { asked: name, argument }
  }

  async #judge(bytes: Uint8Array, settings: PluginSettings, occasion: string): Promise<Running> {
    const { manifest, code, digest } = readBundle(bytes)
    if (code === 'slow') await this.#slow
    if (code === 'refuse' || (code === 'refuse-restore' && occasion === 'restore'))
      throw new RefusedByHost('refused', `setup of ${manifest.name} threw`)
    return { name: manifest.name, version: manifest.version, digest, settings }
  }

  #get(id: string): Instance {
    const instance = this.instances.get(id)
    if (instance === undefined) throw new RefusedByHost('unknown', `no plugin ${id}`)
    return instance
  }

  #report(id: string): PluginReport {
    const { running, previous, state } = this.#get(id)
    return {
      id,
      name: running.name,
      version: running.version,
      digest: running.digest,
      signer: 'CN=double',
      state,
      trusted: running.settings.trusted,
      previous: previous?.version,
      granted: [],
      restarts: 0,
      flows: 0,
      decisions: 0,
      lastFailure: '',
    }
  }
}
