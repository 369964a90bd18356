/** Commands about the plugins of a router: load, upgrade, rollback, unload, list, logs, call. */
import { readDocument, readDocumentFile } from '../../document/index.ts'
import { BundleError, MAX_BUNDLE_BYTES, readBundle } from '../../execution-env/bundle/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import { formatTable } from '../../lab/index.ts'
import {
  type ControlClient,
  type DryRun,
  describeChange,
  type InstalledReport,
  type LogLine,
} from '../../router/control-client/index.ts'
import { type Call, type Command, CommandError, DONE, type ExitCode, type Parameter } from '../command.ts'
import { readInput } from '../files.ts'
import { harmless } from './refusals.ts'
import { jsonArgument, numberOption, ROUTER_OPTIONS, withRouter } from './router-options.ts'

const BUNDLE: Parameter = { name: 'BUNDLE', describes: 'a signed bundle, NAME-VERSION.pronto' }
const ID: Parameter = { name: 'ID', describes: 'a plugin of the router' }
const CONFIG = { value: 'FILE', describes: 'its configuration, YAML or JSON' }
const DRY_RUN = { describes: 'only tell what would be granted and changed' }

export const load: Command = {
  words: ['load'],
  summary: 'Start a plugin on a running router',
  parameters: [BUNDLE],
  options: {
    id: { value: 'ID', describes: "what it is called; default the plugin's name" },
    config: CONFIG,
    priority: { value: 'N', describes: 'of its claims among those of others, -1000 to 1000; default 0' },
    allow: { value: 'FILE', describes: 'capabilities that this router gives at most, YAML or JSON' },
    'dry-run': DRY_RUN,
    ...ROUTER_OPTIONS,
  },
  run(call) {
    const bundle = readBundleFile(call.arguments[0]!)
    const id = call.option('id')
    const priority = numberOption(call, 'priority', -1_000, 1_000)
    const capabilities = fileOption(call, 'allow')
    const params = {
      ...(id === undefined ? {} : { id }),
      ...configOf(call),
      ...(priority === undefined ? {} : { priority }),
      ...(capabilities === undefined ? {} : { capabilities }),
      ...dryRunOf(call),
    }
    return withRouter(call, 'install', async (client) =>
      tell(call, 'runs', await client.call('load', { upload: await client.upload(bundle), ...params })),
    )
  },
}

export const upgrade: Command = {
  words: ['upgrade'],
  summary: 'Put another version in the place of a running plugin, with its state',
  parameters: [ID, BUNDLE],
  options: {
    config: { ...CONFIG, describes: 'configuration in place of the one it has, YAML or JSON' },
    'discard-state': { describes: 'begin without the state of the version before' },
    'dry-run': DRY_RUN,
    ...ROUTER_OPTIONS,
  },
  run(call) {
    const [id, file] = call.arguments as [string, string]
    const bundle = readBundleFile(file)
    const state = call.flag('discard-state') ? { state: 'discard' } : {}
    const params = { id, ...configOf(call), ...state, ...dryRunOf(call) }
    return withRouter(call, 'install', async (client) =>
      tell(call, 'runs', await client.call('upgrade', { upload: await client.upload(bundle), ...params })),
    )
  },
}

export const rollback: Command = {
  words: ['rollback'],
  summary: 'Go back to the version of a plugin before its last upgrade',
  parameters: [ID],
  options: ROUTER_OPTIONS,
  run: (call) =>
    withRouter(call, 'operate', async (client) =>
      tell(call, 'runs again', await client.call('rollback', { id: call.arguments[0]! })),
    ),
}

export const unload: Command = {
  words: ['unload'],
  summary: 'End a plugin; its flows go on until they are over',
  parameters: [ID],
  options: { purge: { describes: 'end its flows with it' }, ...ROUTER_OPTIONS },
  run(call) {
    const [id] = call.arguments as [string]
    const flows = call.flag('purge') ? 'purge' : 'drain'
    return withRouter(call, 'operate', async (client) => {
      const result = await client.call('unload', { id, flows })
      if (call.json) call.terminal.printJson(result)
      else call.terminal.print(flows === 'purge' ? `${id} is gone` : `${id} decides no more; its flows drain`)
      return DONE
    })
  },
}

export const list: Command = {
  words: ['list'],
  summary: 'List the plugins of a router',
  parameters: [],
  options: ROUTER_OPTIONS,
  run: (call) =>
    withRouter(call, 'read', async (client) => {
      const plugins = (await client.call('list')) as unknown as InstalledReport[]
      if (call.json) call.terminal.printJson(plugins)
      else call.terminal.print(...pluginLines(call, plugins))
      return DONE
    }),
}

/** Lines of a list of plugins, with what is wrong with each below it. */
export function pluginLines({ terminal }: Call, plugins: readonly InstalledReport[]): string[] {
  if (plugins.length === 0) return ['no plugins']
  const { paint } = terminal
  const heading = [
    'id',
    'plugin',
    'version',
    'before',
    'state',
    'priority',
    'flows',
    'decisions',
    'restarts',
    'by',
  ]
  const rows = plugins.map((each) => [
    each.id,
    each.name,
    each.version,
    each.previous ?? '-',
    { text: each.state, paint: each.state === 'running' ? paint.good : paint.bad },
    each.priority,
    each.flows,
    each.decisions,
    each.restarts,
    harmless(each.by),
  ])
  const unwell = plugins.filter((each) => each.state !== 'running' && each.lastFailure !== '')
  return [
    ...formatTable(heading, rows, paint),
    ...unwell.map((each) => paint.bad(`  ${each.id}: ${harmless(each.lastFailure)}`)),
  ]
}

export const logs: Command = {
  words: ['logs'],
  summary: 'Show the last lines that plugins have logged',
  parameters: [{ ...ID, optional: true }],
  options: {
    lines: { value: 'N', describes: 'how many; default 200' },
    follow: { describes: 'go on with new ones until Ctrl-C' },
    ...ROUTER_OPTIONS,
  },
  run(call) {
    const [id] = call.arguments
    const limit = numberOption(call, 'lines', 1, 1_000)
    const of = id === undefined ? {} : { id }
    return withRouter(call, 'read', async (client) => {
      if (call.flag('follow')) return followLogs(call, client, of)
      const lines = await client.call('logs', { ...of, ...(limit === undefined ? {} : { limit }) })
      if (call.json) call.terminal.printJson(lines)
      else for (const line of lines as unknown as LogLine[]) call.terminal.print(logLine(line))
      return DONE
    })
  },
}

async function followLogs(call: Call, client: ControlClient, of: object): Promise<ExitCode> {
  const stopped = call.stop.claim()
  await client.watch({ logs: of }, ({ params }) => {
    for (const line of (params['lines'] ?? []) as unknown as LogLine[])
      call.terminal.print(call.json ? JSON.stringify(line) : logLine(line))
  })
  return untilStopped(stopped, client)
}

/** Waits for Ctrl-C, which is the end as it should be, or for the end of the session, which is not. */
export async function untilStopped(stopped: AbortSignal, client: ControlClient): Promise<ExitCode> {
  const asked = new Promise<undefined>((settle) => {
    if (stopped.aborted) settle(undefined)
    stopped.addEventListener('abort', () => settle(undefined))
  })
  const why = await Promise.race([asked, client.ended])
  if (why === undefined) return DONE
  throw new CommandError('unreachable', `the router closed the connection${why === '' ? '' : `: ${why}`}`)
}

/** What a plugin logs is a stranger's text. */
export function logLine({ atNs, id, by, level, text }: LogLine): string {
  const at = (atNs / 1e9).toFixed(3).padStart(10)
  return `${at} ${id} ${level}${by === 'router' ? ' (router)' : ''}: ${harmless(text)}`
}

export const call: Command = {
  words: ['call'],
  summary: 'Send a message to a plugin and show its answer',
  parameters: [
    ID,
    { name: 'NAME', describes: 'the topic of the message' },
    { name: 'JSON', describes: 'what it says; default null', optional: true },
  ],
  options: ROUTER_OPTIONS,
  run(each) {
    const [id, name, text] = each.arguments as [string, string, string?]
    const argument = jsonArgument('JSON', text)
    return withRouter(each, 'operate', async (client) => {
      const params = { id, name, ...(argument === undefined ? {} : { argument }) }
      each.terminal.printJson(await client.call('call', params))
      return DONE
    })
  },
}

/** The bytes of a bundle. What is none is told here, with its name, not by the router. */
function readBundleFile(file: string): Uint8Array {
  const bytes = readInput(file, MAX_BUNDLE_BYTES)
  try {
    readBundle(bytes)
    return bytes
  } catch (error) {
    if (!(error instanceof BundleError)) throw error
    throw new CommandError(error.code, `${file}: ${error.message} (pronto plugin build makes bundles)`)
  }
}

function configOf(each: Call): { config?: JsonValue } {
  const config = fileOption(each, 'config')
  return config === undefined ? {} : { config }
}

/** The mapping in a file that an option names. */
export function fileOption(each: Call, name: string): JsonValue | undefined {
  const file = each.option(name)
  if (file === undefined) return undefined
  const { value } = readDocument(readDocumentFile(file, 'a file'), file)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonValue
  throw new CommandError('invalid', `${file}: expected a mapping`)
}

const dryRunOf = (each: Call): object => (each.flag('dry-run') ? { dryRun: true } : {})

/** Tells what a load, upgrade or rollback has done, or would do. */
function tell(each: Call, what: string, result: JsonValue): ExitCode {
  const { terminal } = each
  if (each.json) terminal.printJson(result)
  else if (each.flag('dry-run')) terminal.print(...dryRunLines(result as unknown as DryRun))
  else {
    const { id, name, version, signer, granted } = result as unknown as InstalledReport
    terminal.print(
      `${id} ${what}: ${name} ${version}, signed by ${harmless(signer)}`,
      ...listed('may', granted),
    )
  }
  return DONE
}

function dryRunLines({ id, version, signer, warnings, granted, changes }: DryRun): string[] {
  return [
    `${id} ${version}, signed by ${harmless(signer)}, would be accepted; nothing was changed`,
    ...listed('may', granted),
    ...listed('changes', changes.map(describeChange)),
    ...warnings.map((each) => `warning: ${harmless(each)}`),
  ]
}

function listed(heading: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => `  ${(index === 0 ? heading : '').padEnd(8)} ${harmless(line)}`)
}
