/** Commands that follow or change a whole router: watch, reload, health. */
import { type Answer, TABLE_NAMES } from '../../engine/index.ts'
import { DURATION, hint } from '../../lab/index.ts'
import type {
  Health,
  InstalledReport,
  LogLine,
  ReloadReport,
  Update,
} from '../../router/control-client/index.ts'
import { type Call, type Command, CommandError, DONE, FAILED, UsageError } from '../command.ts'
import { harmless } from './refusals.ts'
import { ROUTER_OPTIONS, withRouter } from './router-options.ts'
import { logLine, pluginLines, untilStopped } from './router-plugins.ts'
import { rowLines, rowParams } from './router-tables.ts'

const LEAST_MS = 100

export const watch: Command = {
  words: ['watch'],
  summary: 'Follow a table of a router, or its plugins and their logs, until Ctrl-C',
  parameters: [{ name: 'TABLE', describes: 'a table; default plugins and logs', optional: true }],
  options: {
    every: { value: 'TIME', describes: 'between two looks; default 1s' },
    where: { value: 'COLUMN=VALUE,...', describes: 'only rows with these values' },
    limit: { value: 'N', describes: 'most rows' },
    ...ROUTER_OPTIONS,
  },
  run(call) {
    const [table] = call.arguments
    if (table !== undefined && !TABLE_NAMES.some((each) => each === table))
      throw new UsageError(
        `TABLE: expected ${TABLE_NAMES.join(', ')}, got ${table}${hint(table, TABLE_NAMES)}`,
      )
    const everyMs = everyOf(call)
    const rows = rowParams(call)
    const subjects = table === undefined ? [{ plugins: true }, { logs: {} }] : [{ query: { table, ...rows } }]
    return withRouter(call, 'read', async (client) => {
      const stopped = call.stop.claim()
      const ended = new Promise<never>((_, reject) => {
        const sink = (update: Update) => {
          if (update.kind === 'ended')
            reject(new CommandError(String(update.params['code']), String(update.params['message'])))
          else tellUpdate(call, update.params)
        }
        for (const subject of subjects)
          client.watch({ ...subject, ...(everyMs === undefined ? {} : { everyMs }) }, sink).catch(reject)
      })
      return Promise.race([untilStopped(stopped, client), ended])
    })
  },
}

function everyOf(call: Call): number | undefined {
  const text = call.option('every')
  if (text === undefined) return undefined
  const everyMs = (DURATION.parse(text) ?? Number.NaN) / 1e6
  if (!(everyMs >= LEAST_MS && everyMs <= 3_600_000))
    throw new UsageError(`--every: expected a duration from 100ms to 1h, got ${text}`)
  return Math.round(everyMs)
}

function tellUpdate(call: Call, params: Update['params']): void {
  const { terminal } = call
  const { watch: _, ...news } = params
  if (call.json) return terminal.print(JSON.stringify(news))
  const { answer, plugins, lines, skipped } = news
  if (skipped !== undefined) terminal.tell(`${skipped} updates were left out`)
  for (const line of (lines ?? []) as unknown as LogLine[]) terminal.print(logLine(line))
  if (plugins !== undefined) terminal.print(...pluginLines(call, plugins as unknown as InstalledReport[]))
  if (answer === undefined) return
  const { table, atNs, rows } = answer as unknown as Answer
  terminal.print(`${table} at ${(atNs / 1e9).toFixed(3)} s`, ...rowLines(call, table, rows))
}

export const reload: Command = {
  words: ['reload'],
  summary: 'Let a router read its configuration again and apply what is new, all of it or nothing',
  parameters: [],
  options: { 'dry-run': { describes: 'only tell what would change' }, ...ROUTER_OPTIONS },
  run: (call) =>
    withRouter(call, 'operate', async (client) => {
      const dryRun = call.flag('dry-run')
      const report = (await client.call('reload', dryRun ? { dryRun } : {})) as unknown as ReloadReport
      if (call.json) call.terminal.printJson(report)
      else call.terminal.print(...reloadLines(report, dryRun))
      return DONE
    }),
}

function reloadLines({ changes, plugins, restart, warnings = [] }: ReloadReport, dryRun: boolean): string[] {
  const steps = [
    ...changes,
    ...plugins.map((each) => [each.do, each.id, each.version ?? ''].join(' ').trimEnd()),
  ]
  const heading = steps.length === 0 ? 'nothing has changed' : dryRun ? 'would change' : 'changed'
  return [
    heading,
    ...steps.map((each) => `  ${harmless(each)}`),
    ...(restart.length === 0 ? [] : [`from the next start on: ${restart.join(', ')}`]),
    ...warnings.map((each) => `warning: ${harmless(each)}`),
  ]
}

export const health: Command = {
  words: ['health'],
  summary: 'Tell whether all is well with a router; exit code 1 when it is not',
  parameters: [],
  options: ROUTER_OPTIONS,
  run: (call) =>
    withRouter(call, 'read', async (client) => {
      const result = (await client.call('health')) as unknown as Health
      if (call.json) call.terminal.printJson(result)
      else call.terminal.print(...healthLines(result))
      return result.well ? DONE : FAILED
    }),
}

function healthLines({ router, version, well, plugins, unwell, warnings, auditLinesLost }: Health): string[] {
  return [
    `${router} (pronto ${version}) is ${well ? 'well' : 'not well'}; ${plugins} ${plugins === 1 ? 'plugin' : 'plugins'}`,
    ...unwell.map(({ id, state, lastFailure }) => {
      return `  ${id} is ${state}${lastFailure === '' ? '' : `: ${harmless(lastFailure)}`}`
    }),
    ...warnings
      .flatMap((each) => harmless(each.replaceAll('\n', '; ')).split('\n'))
      .map((each) => `  ${each}`),
    ...(auditLinesLost === 0 ? [] : [`  ${auditLinesLost} lines of the audit log could not be written`]),
  ]
}
