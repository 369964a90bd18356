/** All commands that speak to a running router, in the order in which help shows them. */
import type { Command } from '../command.ts'
import { capture } from './router-capture.ts'
import { call, list, load, logs, rollback, unload, upgrade } from './router-plugins.ts'
import { classes, explain, flows, query, queues, stats, tunnels } from './router-tables.ts'
import { health, reload, watch } from './router-watch.ts'

export const operatorCommands: readonly Command[] = [load, upgrade, rollback, unload, call, reload]

export const viewerCommands: readonly Command[] = [
  health,
  list,
  logs,
  stats,
  flows,
  tunnels,
  classes,
  queues,
  query,
  explain,
  watch,
  capture,
]
