/**
 * A router on real ports, from its configuration file to its end. The one idea: the same Router as in a laboratory,
 * with its engine in a thread of its own; here is decided in which order things come and, in reverse, go.
 */
import { dirname, join, resolve } from 'node:path'
import { DocumentError, readDocumentFile } from '../document/index.ts'
import { parseRouterConfig, type RouterConfig } from './config/index.ts'
import type { ConfigurationText } from './configurator.ts'
import { makeRouterFolder, removeRouterFolder } from './control/runtime-folder.ts'
import { ControlServer } from './control-server/server.ts'
import { EngineThread } from './engine-thread/engine-thread.ts'
import { HostServices } from './host-services.ts'
import { HostSignaling } from './host-signaling.ts'
import { trustVerifier } from './plugins/managed-plugins.ts'
import { Router } from './router.ts'
import { RouterKeys } from './router-keys.ts'
import { AuditLog } from './state/audit-log.ts'
import { StateLock } from './state/lock.ts'
import { Registry } from './state/registry.ts'
import { defaultStateFolder, makeStateFolder } from './state-folder.ts'
import { Trust } from './trust.ts'

export interface RouterProcessOptions {
  /** Path of the configuration. */
  readonly file: string
  /** Of this software. */
  readonly version: string
  /** In place of the configuration's state folder; a router whose file is broken comes up from it as it was. */
  readonly state?: string | undefined
}

/** How long packets that wait may take to leave when the router ends. */
const DRAIN_MS = 1_000

export class RouterProcess {
  readonly router: Router
  /** Folder of its control sockets. */
  readonly folder: string
  /** Rejects when the engine ends without having been asked to; never resolves. */
  readonly fault: Promise<never>
  readonly #server: ControlServer
  readonly #thread: EngineThread
  readonly #signaling: HostSignaling | undefined
  readonly #services: HostServices
  readonly #lock: StateLock

  private constructor(
    router: Router,
    folder: string,
    server: ControlServer,
    thread: EngineThread,
    signaling: HostSignaling | undefined,
    services: HostServices,
    lock: StateLock,
  ) {
    this.#lock = lock
    this.#services = services
    this.#signaling = signaling
    this.router = router
    this.folder = folder
    this.#server = server
    this.#thread = thread
    this.fault = thread.fault
  }

  /**
   * Comes up: state, engine, ports, configuration, plugins, and only then its operators.
   * @throws DocumentError, ControlError, StateError, CertificateError; everything is given up then
   */
  static async start(options: RouterProcessOptions): Promise<RouterProcess> {
    const source = () => readConfiguration(options.file)
    // Before anything in a folder is looked at: opening a registry tidies up.
    let lock = options.state === undefined ? undefined : StateLock.take(makeStateFolder(options.state))
    try {
      const config = configurationOf(source, options.state)
      const state = options.state ?? makeStateFolder(config.state ?? defaultStateFolder(config.name))
      lock ??= StateLock.take(state)
      return await RouterProcess.#startIn(state, lock, config, source, options.version)
    } catch (error) {
      lock?.release()
      throw error
    }
  }

  static async #startIn(
    state: string,
    lock: StateLock,
    config: RouterConfig,
    source: () => ConfigurationText,
    version: string,
  ): Promise<RouterProcess> {
    const folder = makeRouterFolder(config.name)
    const trust = new Trust()
    // Before the thread: what cannot be read must not leave it running.
    const registry = Registry.open(state)
    const audit = new AuditLog(state)
    const thread = new EngineThread(trustVerifier(trust, Date.now))
    const { engine, plugins } = thread
    const signaling = config.signaling && new HostSignaling(thread, trust)
    const keys = new RouterKeys()
    const services = new HostServices(thread, trust, keys, signaling)
    const router = new Router({
      name: config.name,
      version,
      engine,
      plugins,
      registry,
      audit,
      trust,
      keys,
      source,
      clock: Date.now,
    })
    try {
      await router.start()
      const { local, remote } = config
      const server = await ControlServer.open({
        router,
        folder,
        local,
        remote,
        uploads: join(state, 'uploads'),
      })
      return new RouterProcess(router, folder, server, thread, signaling, services, lock)
    } catch (error) {
      signaling?.close()
      services.close()
      await thread.close(0)
      throw error
    }
  }

  /** Ends in order: lets nobody in, lets what waits leave, gives up everything. */
  async close(): Promise<void> {
    try {
      await this.#server.close()
      await this.router.close(this.#thread.broken)
      this.#signaling?.close()
      this.#services.close()
    } finally {
      await this.#thread.close(DRAIN_MS)
      removeRouterFolder(this.folder)
      this.#lock.release()
    }
  }
}

function readConfiguration(file: string): ConfigurationText {
  return { file, folder: dirname(resolve(file)), text: readDocumentFile(file, 'a router configuration') }
}

/** What the file says, or, where it is broken and somebody says where its state lies, what it said last. */
function configurationOf(source: () => ConfigurationText, state: string | undefined): RouterConfig {
  try {
    const { text, file, folder } = source()
    return parseRouterConfig(text, file, folder)
  } catch (error) {
    const last = state === undefined ? undefined : Registry.open(state).readConfiguration()
    if (!(error instanceof DocumentError) || last === undefined) throw error
    return parseRouterConfig(last.text, last.file, last.folder)
  }
}
