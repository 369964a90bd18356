/** All commands that speak to a router, in the order in which help shows them. */
import type { Command } from '../command.ts'
import { capture } from './router-capture.ts'
import { call, list, load, logs, rollback, unload, upgrade } from './router-plugins.ts'
import { routerRun } from './router-run.ts'
import { classes, explain, flows, query, queues, stats, tunnels } from './router-tables.ts'
import { health, reload, watch } from './router-watch.ts'

export const routerCommands: readonly Command[] = [
  routerRun,
  load,
  upgrade,
  rollback,
  unload,
  list,
  logs,
  call,
  flows,
  tunnels,
  classes,
  queues,
  stats,
  query,
  explain,
  watch,
  capture,
  reload,
  health,
]
