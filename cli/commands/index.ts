/** The command table: what there is, under headings, in the order in which help shows it. */
import type { Command, CommandGroup } from '../command.ts'
import { helpCommand, versionCommand } from './about.ts'
import { caInit, caIssue, caList, caRevoke } from './ca.ts'
import { doctor } from './doctor.ts'
import { hostCommands } from './host.ts'
import { labDown, labGraph, labSchemaCommand, labValidate } from './lab.ts'
import { labExec } from './lab-exec.ts'
import { labRun, labUp } from './lab-run.ts'
import { pluginBuild, pluginInspect, pluginNew, pluginSign, pluginVerify } from './plugin.ts'
import { pluginDev } from './plugin-dev.ts'
import { pluginTest } from './plugin-test.ts'
import { operatorCommands, viewerCommands } from './router.ts'
import { routerRun } from './router-run.ts'
import { showcase } from './showcase.ts'

const groups: readonly CommandGroup[] = [
  { heading: 'To begin with', commands: [showcase, doctor, helpCommand(() => groups), versionCommand] },
  {
    heading: 'Networks in a file',
    commands: [labValidate, labRun, labUp, labExec, labDown, labGraph, labSchemaCommand],
  },
  {
    heading: 'Writing plugins',
    commands: [pluginNew, pluginDev, pluginTest, pluginBuild, pluginSign, pluginVerify, pluginInspect],
  },
  { heading: 'Authorities and certificates', commands: [caInit, caIssue, caRevoke, caList] },
  { heading: 'Real machines', commands: [routerRun, ...hostCommands] },
  { heading: 'A running router: change it', commands: operatorCommands },
  { heading: 'A running router: look at it', commands: viewerCommands },
]

export const commands: readonly Command[] = groups.flatMap((group) => group.commands)
