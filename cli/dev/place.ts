/**
 * Where a plugin runs while it is written: on the routers of a lab, or on one that runs already. The one idea: a
 * version is put in its place as an operator would, through the router's own control; whatever is refused leaves the
 * one before where it was.
 */
import type { JsonValue } from '../../execution-env/contract/index.ts'
import {
  type ControlClient,
  ControlError,
  connectRouter,
  type DryRun,
  describeChange,
  type InstalledReport,
  type LogLine,
  routerAddress,
} from '../../router/control-client/index.ts'
import type { BuiltPlugin } from '../../sdk/tools.ts'

/** What became of a version on one router. */
export interface Placed {
  readonly router: string
  readonly id: string
  readonly ok: boolean
  /** Why not. */
  readonly reason?: string
  /** Whether a version ran there before: it goes on where this one is refused. */
  readonly replaces: boolean
  /** What it brought about in the engine, in words. */
  readonly changes: readonly string[]
  readonly warnings: readonly string[]
  /** Flows that it took over. */
  readonly flows: number
}

export interface Place {
  /** Puts a version in its place. */
  put(built: BuiltPlugin): Promise<readonly Placed[]>
  close(): Promise<void>
}

/** Logs of a plugin as they come. */
export type LogSink = (router: string, lines: readonly LogLine[]) => void

/** An instance on a router that answers. */
export class Instance {
  readonly router: string
  readonly id: string
  readonly #client: ControlClient

  private constructor(router: string, id: string, client: ControlClient) {
    this.router = router
    this.id = id
    this.#client = client
  }

  /** @throws ControlError */
  static async reach(router: string | undefined, id: string, onLogs: LogSink): Promise<Instance> {
    const address = await routerAddress(router)
    if (address.kind === 'remote')
      throw new ControlError('invalid', 'expected a router of this machine: sign and upgrade those elsewhere')
    const client = await connectRouter({ address, role: 'install' })
    const instance = new Instance(router ?? 'router', id, client)
    await client.watch({ logs: { id } }, ({ params }) =>
      onLogs(instance.router, (params['lines'] ?? []) as unknown as LogLine[]),
    )
    return instance
  }

  /** Loads a version, or upgrades to it. @param config in place of the one it has */
  async put(signed: Uint8Array, config: JsonValue | undefined): Promise<Placed> {
    const { router, id } = this
    let before: InstalledReport | undefined
    try {
      before = await this.#find()
      const method = before === undefined ? 'load' : 'upgrade'
      const params = { id, ...(config === undefined ? {} : { config }) }
      const upload = (): Promise<number> => this.#client.upload(signed)
      const dry = await this.#client.call(method, { ...params, dryRun: true, upload: await upload() })
      await this.#client.call(method, { ...params, upload: await upload() })
      const { changes, warnings } = dry as unknown as DryRun
      const told = { changes: changes.map(describeChange), warnings, flows: before?.flows ?? 0 }
      return { router, id, ok: true, replaces: before !== undefined, ...told }
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      const told = { reason: error.message, changes: [], warnings: [], flows: 0 }
      return { router, id, ok: false, replaces: before !== undefined, ...told }
    }
  }

  close(): void {
    this.#client.close()
  }

  async #find(): Promise<InstalledReport | undefined> {
    const all = (await this.#client.call('list')) as unknown as InstalledReport[]
    return all.find((each) => each.id === this.id)
  }
}
