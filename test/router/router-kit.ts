/** Whole routers for tests: a real engine, registry and audit log in a temporary folder, a double for the plugins. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine } from '../../engine/index.ts'
import { LocalEngine } from '../../router/engine-access.ts'
import type { PluginSettings } from '../../router/plugins/plugin-host.ts'
import { Router } from '../../router/router.ts'
import { AuditLog } from '../../router/state/audit-log.ts'
import { type Disk, REAL_DISK } from '../../router/state/disk.ts'
import { Registry } from '../../router/state/registry.ts'
import { Trust } from '../../router/trust.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { engineFor, SAMPLE } from './config/kit.ts'
import { DoubleHost } from './double-host.ts'

export const SETTINGS: PluginSettings = { config: {}, priority: 0, limits: {}, trusted: false }
const NOW = 5_000_000

export class RouterKit {
  readonly folder: string
  /** Text of the configuration file; undefined: there is none. */
  text: string | undefined
  host = new DoubleHost()
  engine: Engine
  disk: Disk = REAL_DISK
  router: Router
  clockMs = 1_767_225_600_000
  readonly #now: () => number

  /** @param engine one that is configured and has packets to forward; the router has no configuration file then */
  constructor(
    text: string | undefined = SAMPLE,
    folder = temporaryFolder('pronto-router-'),
    engine?: { readonly engine: Engine; readonly now: () => number },
  ) {
    this.folder = folder
    this.text = engine === undefined ? text : undefined
    this.engine = engine?.engine ?? engineFor(['eth0', 'eth1'])
    this.#now = engine?.now ?? (() => NOW)
    this.router = this.#make()
  }

  /** Ends the process that the router would be, as kill -9 does, and makes it anew. */
  async restart(): Promise<void> {
    this.host = new DoubleHost()
    this.engine = engineFor(['eth0', 'eth1'])
    this.router = this.#make()
    await this.router.start()
  }

  /** Lines of the audit log. */
  audited(): Record<string, unknown>[] {
    const text = readFileSync(join(this.folder, 'audit.log'), 'utf8')
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  #make(): Router {
    mkdirSync(this.folder, { recursive: true })
    const source = () => ({ file: 'router.yaml', folder: this.folder, text: this.text! })
    return new Router({
      name: 'r1',
      version: '0.0.0',
      engine: new LocalEngine(this.engine, this.#now),
      plugins: this.host,
      registry: Registry.open(join(this.folder, 'state'), {
        ...REAL_DISK,
        rename: (from, to) => this.disk.rename(from, to),
      }),
      audit: new AuditLog(this.folder, { clock: () => this.clockMs }),
      trust: new Trust(),
      ...(this.text === undefined ? {} : { source }),
      clock: () => this.clockMs,
    })
  }
}

/** A router that has come up. */
export async function startedKit(text?: string): Promise<RouterKit> {
  const kit = new RouterKit(text)
  await kit.router.start()
  return kit
}

/** What a promise was refused with; fails when it was not. */
export async function refusalOf(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
  throw new Error(`not refused: ${JSON.stringify(value)}`)
}
