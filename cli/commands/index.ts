/** The command table: one line a command, in the order in which help shows them. */
import type { Command } from '../command.ts'
import { helpCommand, versionCommand } from './about.ts'
import { caInit, caIssue, caList, caRevoke } from './ca.ts'
import { doctor } from './doctor.ts'
import { hostCommands } from './host.ts'
import { labDown, labGraph, labSchemaCommand, labValidate } from './lab.ts'
import { labRun, labUp } from './lab-run.ts'
import { pluginBuild, pluginInspect, pluginNew, pluginSign, pluginVerify } from './plugin.ts'
import { pluginDev } from './plugin-dev.ts'
import { pluginTest } from './plugin-test.ts'
import { routerCommands } from './router.ts'
import { showcase } from './showcase.ts'

export const commands: readonly Command[] = [
  showcase,
  labValidate,
  labRun,
  labUp,
  labDown,
  labGraph,
  labSchemaCommand,
  caInit,
  caIssue,
  caRevoke,
  caList,
  pluginNew,
  pluginDev,
  pluginTest,
  pluginBuild,
  pluginSign,
  pluginVerify,
  pluginInspect,
  ...routerCommands,
  ...hostCommands,
  doctor,
  helpCommand(() => commands),
  versionCommand,
]
