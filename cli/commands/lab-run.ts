/** `pronto lab run` and `pronto lab up`: a lab brought to life, its report told and written. */
import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  defaultRecordFile,
  type EnterableNode,
  isSuccess,
  keepLabUp,
  type LabFile,
  LabRecordError,
  type Recorded,
  type Report,
  readLabRecord,
  runLab,
  summarize,
} from '../../lab/index.ts'
import { type Call, type Command, CommandError, DONE, type ExitCode, FAILED, UsageError } from '../command.ts'
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
  options: {
    ...OPTIONS,
    replay: {
      value: 'RECORD',
      describes: 'ask again what operators asked when it was up, at the same virtual times (sim)',
    },
  },
  run: (call) => tellingLabFailures(() => bringToLife(call, 'run')),
}

export const labUp: Command = {
  words: ['lab', 'up'],
  summary: 'Run a lab at the pace of the wall clock until it ends or Ctrl-C',
  parameters: [FILE],
  options: {
    ...OPTIONS,
    record: {
      value: 'FILE',
      describes: 'where to write down what operators ask, for --replay; default: beside its sockets',
    },
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
  if (reportFile !== undefined) checkWritable(reportFile, 'report')
  const captureFolder = pathOption(call, 'pcap')
  if (captureFolder !== undefined) makeFolder(captureFolder, 'pcap')
  const replay = how === 'run' ? replayOption(call, labFile) : undefined
  const recordFile = how === 'up' ? pathOption(call, 'record') : undefined
  if (recordFile !== undefined) {
    if (backend !== 'sim') throw new UsageError('--record: only a run on the backend sim can be repeated')
    checkWritable(recordFile, 'record')
  }
  const record = how === 'up' ? (recordFile ?? defaultRecordFile(labFile.lab)) : undefined
  let recorded: string | undefined
  const opened = await call.backends.open(backend)
  const progress = new ProgressLine(call.terminal, call.clock)
  const signal = call.stop.claim()
  const run = how === 'run' ? runLab : keepLabUp
  let report: Report
  try {
    report = await run(labFile, opened, {
      captureFolder,
      onProgress: (each) => progress.update(each),
      onReady: (nodes) => {
        progress.end()
        if (how === 'up') tellNodes(call, nodes)
      },
      signal,
      trust: how === 'up' ? pathOption(call, 'trust') : undefined,
      record,
      onRecorded: (file) => {
        recorded = file
      },
      replay,
      clock: call.clock,
    })
  } finally {
    progress.end()
    if (recorded !== undefined) tellRecord(call, recorded)
  }
  if (reportFile !== undefined) await writeReport(reportFile, report)
  if (call.json) call.terminal.printJson(report)
  else call.terminal.print(...summarize(report, call.terminal.paint))
  if (how === 'up' && signal.aborted) return DONE
  return isSuccess(report) ? DONE : FAILED
}

/** The record of a call. What a run follows from is in it. @throws UsageError, CommandError */
function replayOption(call: Call, { lab }: LabFile): Recorded | undefined {
  const file = pathOption(call, 'replay')
  if (file === undefined) return undefined
  if (backendName(call) !== 'sim') throw new UsageError('--replay: only the backend sim can repeat a run')
  for (const name of ['seed', 'duration'])
    if (call.option(name) !== undefined)
      throw new UsageError(`--${name}: the record says it; leave it out with --replay`)
  try {
    return readLabRecord(file, lab)
  } catch (error) {
    if (error instanceof LabRecordError) throw new CommandError(error.code, error.message)
    throw error
  }
}

/** Says how to run a program in a node. */
function tellNodes({ terminal }: Call, nodes: readonly EnterableNode[]): void {
  terminal.tell(
    'The lab is up. In its nodes:',
    ...nodes.map(({ node, enter }) => `  ${node}: ${enter} COMMAND`),
  )
}

/** Says where the record is. */
function tellRecord(call: Call, record: string): void {
  call.terminal.tell(
    `What operators asked for: ${record}`,
    `To repeat it: pronto lab run ${call.arguments[0]} --replay ${record}`,
  )
}

function makeFolder(folder: string, option: string): void {
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
  } catch (error) {
    throw new CommandError(
      'unreadable',
      `--${option}: cannot write to ${folder}: ${(error as Error).message}`,
    )
  }
}

/** Better now than after a long run. */
function checkWritable(file: string, option: string): void {
  const folder = dirname(file)
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
      throw new CommandError('unreadable', `--${option}: expected a file, but ${file} is a folder`)
    accessSync(folder, constants.W_OK)
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError('unreadable', `--${option}: expected a folder that can be written to: ${folder}`)
  }
}

async function writeReport(file: string, report: Report): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(report, null, 2)}\n`)
  } catch (error) {
    throw new CommandError('unreadable', `--report: cannot write ${file}: ${(error as Error).message}`)
  }
}
