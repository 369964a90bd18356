/**
 * One run of a lab on a backend, from the checked file to the finished report. The one idea: what every caller needs
 * (the command, the showcase, scenarios) in the one right order: can the backend honour it, does it end, run, judge.
 */
import { mkdir } from 'node:fs/promises'
import { type Backend, checkBackend, checkEnds, type EnterableNode, type Progress } from './backend.ts'
import { completeReport } from './expectation.ts'
import type { LabFile } from './file/index.ts'
import type { Recorded } from './record/index.ts'
import type { Measurements, Report } from './report.ts'

export interface RunRequest {
  /** Folder for captures; made when it is not there. */
  readonly captureFolder?: string | undefined
  readonly onProgress?: (progress: Progress) => void
  /** Whom the routers of a lab that is kept up believe besides the lab's own authority: a folder or file. */
  readonly trust?: string | undefined
  /** Where to write down what operators ask of a lab that is kept up, for a replay; default: nowhere. */
  readonly record?: string | undefined
  /** Called at the end when operators have asked for something that was written down. */
  readonly onRecorded?: (file: string) => void
  /** What operators asked of the lab when it was up, to be asked again at the same virtual times. */
  readonly replay?: Recorded | undefined
  /** Given once when a lab is up whose nodes can be entered. */
  readonly onReady?: (nodes: readonly EnterableNode[]) => void
  /** Given about once a second while a lab is kept up. */
  readonly onSnapshot?: (measured: Measurements) => void
  /** Ends the run early; default: never. */
  readonly signal?: AbortSignal
  /** Monotonic milliseconds, for `wall.seconds`. */
  readonly clock?: () => number
}

/**
 * Runs a lab to its end, as fast as the backend can.
 * @throws LabFileError when the backend cannot honour the file, or the lab would never end
 */
export async function runLab(file: LabFile, backend: Backend, request: RunRequest = {}): Promise<Report> {
  checkBackend(file, backend)
  const { replay } = request
  const labFile = replay === undefined ? file : { ...file, lab: replay.lab }
  checkEnds(labFile)
  return await carryOut('run', labFile, backend, request)
}

/**
 * Runs a lab paced by the wall clock until its end or until `signal` is aborted.
 * @throws LabFileError when the backend cannot honour the file
 */
export async function keepLabUp(
  labFile: LabFile,
  backend: Backend,
  request: RunRequest = {},
): Promise<Report> {
  checkBackend(labFile, backend)
  return await carryOut('up', labFile, backend, request)
}

async function carryOut(
  how: 'run' | 'up',
  { lab }: LabFile,
  backend: Backend,
  request: RunRequest,
): Promise<Report> {
  const { captureFolder, onProgress = () => {}, onSnapshot, trust, record, onRecorded, replay } = request
  const { onReady, clock = () => performance.now() } = request
  const signal = request.signal ?? new AbortController().signal
  signal.throwIfAborted()
  if (captureFolder !== undefined) await mkdir(captureFolder, { recursive: true })
  const startMs = clock()
  const options = {
    captureFolder,
    onProgress,
    onReady,
    onSnapshot,
    trust,
    record,
    onRecorded,
    replay,
    signal,
  }
  const measured = await backend[how](lab, options)
  const seconds = (clock() - startMs) / 1000
  return completeReport({ ...measured, wall: { ...measured.wall, seconds } }, lab.expectations)
}
