/** `pronto lab run` and `pronto lab up`: a lab brought to life, its report told and written. */
import { accessSync, constants, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isSuccess, keepLabUp, type Report, runLab, summarize } from '../../lab/index.ts'
import { type Call, type Command, CommandError, DONE, type ExitCode, FAILED } from '../command.ts'
import { ProgressLine } from '../progress.ts'
import { tellingLabFailures } from './lab-failures.ts'
import {
  BACKEND_OPTION,
  backendName,
  FILE,
  LOAD_OPTIONS,
  loadLab,
  OUTPUT_OPTIONS,
  pathOption,
} from './lab-options.ts'

const OPTIONS = { ...BACKEND_OPTION, ...LOAD_OPTIONS, ...OUTPUT_OPTIONS }

export const labRun: Command = {
  words: ['lab', 'run'],
  summary: 'Run a lab to its end as fast as possible, print its report and judge its expectations',
  parameters: [FILE],
  options: OPTIONS,
  run: (call) => tellingLabFailures(() => bringToLife(call, 'run')),
}

export const labUp: Command = {
  words: ['lab', 'up'],
  summary: 'Run a lab at the pace of the wall clock until it ends or Ctrl-C',
  parameters: [FILE],
  options: {
    ...OPTIONS,
    trust: {
      value: 'T',
      describes: 'whose plugins its routers take besides its own: a folder with ca.crt and crl.pem',
    },
  },
  run: (call) => tellingLabFailures(() => bringToLife(call, 'up')),
}

async function bringToLife(call: Call, how: 'run' | 'up'): Promise<ExitCode> {
  const backend = backendName(call)
  const labFile = loadLab(call)
  const reportFile = pathOption(call, 'report')
  if (reportFile !== undefined) checkWritable(reportFile)
  const opened = await call.backends.open(backend)
  const progress = new ProgressLine(call.terminal, call.clock)
  const signal = call.stop.claim()
  const run = how === 'run' ? runLab : keepLabUp
  let report: Report
  try {
    report = await run(labFile, opened, {
      captureFolder: pathOption(call, 'pcap'),
      onProgress: (each) => progress.update(each),
      signal,
      trust: how === 'up' ? pathOption(call, 'trust') : undefined,
      clock: call.clock,
    })
  } finally {
    progress.end()
  }
  if (reportFile !== undefined) await writeReport(reportFile, report)
  if (call.json) call.terminal.printJson(report)
  else call.terminal.print(...summarize(report, call.terminal.paint))
  if (how === 'up' && signal.aborted) return DONE
  return isSuccess(report) ? DONE : FAILED
}

/** Better now than after a long run. */
function checkWritable(file: string): void {
  const folder = dirname(file)
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
      throw new CommandError('unreadable', `--report: expected a file, but ${file} is a folder`)
    accessSync(folder, constants.W_OK)
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError('unreadable', `--report: expected a folder that can be written to: ${folder}`)
  }
}

async function writeReport(file: string, report: Report): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(report, null, 2)}\n`)
  } catch (error) {
    throw new CommandError('unreadable', `--report: cannot write ${file}: ${(error as Error).message}`)
  }
}
