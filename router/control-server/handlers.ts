/**
 * What the methods do. The one idea: parameters have been checked and roles too; a handler turns them into one call of
 * the router and says what the audit log should tell of it.
 */
import type { Cell, FlowQuestion, Query } from '../../engine/index.ts'
import {
  type Capabilities,
  type JsonValue,
  type Limits,
  normalise,
} from '../../execution-env/contract/index.ts'
import { ControlError } from '../control/errors.ts'
import { LEAST_WATCH_MS, MAX_WATCHES_PER_SESSION } from '../control/limits.ts'
import type { MethodName } from '../control/methods.ts'
import type { InstalledReport } from '../plugins/installations.ts'
import type { DryRun, PluginSettings } from '../plugins/plugin-host.ts'
import type { Router } from '../router.ts'
import type { AuditEvent } from '../state/audit-log.ts'
import type { ServerCounters } from './counters.ts'
import { healthOf } from './health.ts'
import { lookAtCapture, lookAtLogs, lookAtPlugins, lookAtQuery } from './looks.ts'
import { nameOf, type Peer } from './peer.ts'
import type { SessionUpload } from './uploads.ts'
import type { Watches } from './watches.ts'

/** What a handler works with. */
export interface Context {
  readonly router: Router
  readonly peer: Peer
  readonly upload: SessionUpload
  readonly watches: Watches
  readonly counters: ServerCounters
}

export interface Handled {
  readonly result: unknown
  /** For the audit log. */
  readonly told?: Partial<AuditEvent>
}

type Params = Readonly<Record<string, JsonValue>>
type Handler = (context: Context, params: Params) => Promise<Handled> | Handled

const DEFAULT_WATCH_MS = 1_000

interface RowParams {
  readonly where?: Readonly<Record<string, Cell>>
  readonly limit?: number
}

function rows(table: string): Handler {
  return async ({ router }, params) => ({ result: await router.query(queryOf(table, params)) })
}

function queryOf(table: string, { where, limit }: RowParams): Query {
  return { table, ...(where === undefined ? {} : { where }), ...(limit === undefined ? {} : { limit }) }
}

export const HANDLERS: Readonly<Record<MethodName, Handler>> = {
  health: ({ router, peer, counters }) => ({ result: healthOf(router, peer, counters) }),
  list: ({ router }) => ({ result: router.list() }),
  logs: ({ router }, { id, limit }) => ({
    result: router.logs(id as string | undefined, limit as number | undefined),
  }),
  flows: rows('flows'),
  tunnels: rows('tunnels'),
  classes: rows('classes'),
  queues: rows('queues'),
  stats: async ({ router, counters }) => ({
    result: { ...(await router.stats()), control: { ...counters } },
  }),
  query: async ({ router }, params) => {
    const { name, argument = null } = params as { name: string; argument?: JsonValue }
    const slash = name.indexOf('/')
    if (slash < 0) return { result: await router.query(queryOf(name, params as RowParams)) }
    return { result: await router.ask(name.slice(0, slash), name.slice(slash + 1), argument) }
  },
  explain: async ({ router }, params) => ({
    result: await router.explain(params as unknown as FlowQuestion),
  }),
  watch,
  capture,
  unwatch: ({ watches }, params) => {
    watches.remove(params['watch'] as number)
    return { result: {} }
  },
  call: async ({ router, peer }, params) => {
    const { id, name, argument = null } = params as { id: string; name: string; argument?: JsonValue }
    return { result: await router.call(id, name, argument, nameOf(peer)), told: { detail: name } }
  },
  reload: async ({ router }, { dryRun }) => {
    const report = await router.reload(dryRun === true)
    const detail = `${dryRun === true ? 'dry run: ' : ''}${report.changes.length} changes, ${report.plugins.length} plugins`
    return { result: report, told: { detail } }
  },
  rollback: async ({ router, peer }, { id }) => reported(await router.rollback(id as string, nameOf(peer))),
  unload: async ({ router }, params) => {
    const { id, flows = 'drain' } = params as { id: string; flows?: 'drain' | 'purge' }
    await router.unload(id, flows)
    return { result: { id, flows }, told: { detail: flows } }
  },
  upload: ({ upload }, { bytes, sha256 }) => ({
    result: { upload: upload.begin(bytes as number, sha256 as string) },
    told: { bundle: sha256 as string },
  }),
  load: async ({ router, peer, upload }, params) => {
    const { upload: number, id, dryRun } = params as { upload: number; id?: string; dryRun?: boolean }
    const bundle = upload.take(number)
    const settings = settingsIn(params)
    if (dryRun === true) return tried(await router.tryLoad(bundle, id, settings))
    return reported(await router.load(bundle, id, settings, nameOf(peer)))
  },
  upgrade: async ({ router, peer, upload }, params) => {
    const {
      upload: number,
      id,
      config,
      state = 'move',
      dryRun,
    } = params as {
      upload: number
      id: string
      config?: JsonValue
      state?: 'move' | 'discard'
      dryRun?: boolean
    }
    const bundle = upload.take(number)
    if (dryRun === true) return tried(await router.tryUpgrade(id, bundle, config))
    return reported(await router.upgrade(id, bundle, config, state, nameOf(peer)))
  },
}

function reported(report: InstalledReport): Handled {
  const { id, name, version, digest, signer } = report
  return { result: report, told: { id, name, version, bundle: digest, signer } }
}

function tried(dryRun: DryRun): Handled {
  const { id, version, signer } = dryRun
  return { result: dryRun, told: { id, version, signer, detail: 'dry run' } }
}

/** Nobody who comes in over a socket is trusted to run code unisolated. */
function settingsIn(params: Params): PluginSettings {
  const { config = {}, priority = 0, capabilities, limits = {} } = params
  return {
    config,
    priority: priority as number,
    ...(capabilities === undefined ? {} : { allow: normalise(capabilities as Capabilities) }),
    limits: limits as Partial<Limits>,
    trusted: false,
  }
}

async function capture({ router, watches }: Context, params: Params): Promise<Handled> {
  const { port, snapBytes = 0 } = params as { port: string; snapBytes?: number }
  refuseMoreThan(watches)
  const part = await router.capture(port, snapBytes)
  const look = lookAtCapture(part)
  // With an engine that has gone there is nothing left to end.
  const end = () => void part.end().catch(() => {})
  return {
    result: { watch: watches.add(look, LEAST_WATCH_MS, end) },
    told: { detail: port },
  }
}

function refuseMoreThan(watches: Watches): void {
  if (watches.size >= MAX_WATCHES_PER_SESSION)
    throw new ControlError('limit', `more than ${MAX_WATCHES_PER_SESSION} watches`)
}

function watch({ router, watches }: Context, params: Params): Handled {
  const {
    query,
    logs,
    plugins,
    everyMs = DEFAULT_WATCH_MS,
  } = params as {
    query?: RowParams & { table: string }
    logs?: { id?: string }
    plugins?: true
    everyMs?: number
  }
  if ([query, logs, plugins].filter((each) => each !== undefined).length !== 1)
    throw new ControlError('invalid', 'expected exactly one of query, logs and plugins')
  refuseMoreThan(watches)
  const look =
    query !== undefined
      ? lookAtQuery(router, queryOf(query.table, query))
      : logs !== undefined
        ? lookAtLogs(router, logs.id)
        : lookAtPlugins(router)
  return { result: { watch: watches.add(look, everyMs) } }
}
