/** All commands that speak to a router, in the order in which help shows them. */
import type { Command } from '../command.ts'
import { call, list, load, logs, rollback, unload, upgrade } from './router-plugins.ts'
import { classes, explain, flows, query, queues, stats, tunnels } from './router-tables.ts'
import { health, reload, watch } from './router-watch.ts'

export const routerCommands: readonly Command[] = [
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
  reload,
  health,
]
