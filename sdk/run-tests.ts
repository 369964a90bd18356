/**
 * Running an author's tests with the test runner of the pinned runtime, every file in a process of its own. The one
 * idea: its events become plain results; how they are shown is the command's.
 */
import { spawn } from 'node:child_process'
import { extname, join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export type TestStatus = 'passed' | 'failed' | 'skipped' | 'todo'

/** A place in an author's file; the file as it is found from the working directory. */
export interface TestPlace {
  readonly file: string
  readonly line: number
  readonly column: number
}

export interface TestResult {
  /** Names of its groups, and its own. */
  readonly path: readonly string[]
  readonly file: string
  readonly status: TestStatus
  readonly milliseconds: number
  readonly failure?: {
    readonly message: string
    /** Where it failed, or where the test begins. */
    readonly place?: TestPlace
    readonly stack: string
  }
}

export interface TestRun {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly tests: readonly TestResult[]
}

export interface TestRequest {
  /** The plugin's, which becomes the tests' working directory. */
  readonly folder: string
  readonly files: readonly string[]
  readonly signal?: AbortSignal
  readonly onResult?: (result: TestResult) => void
  /** What tests print. */
  readonly onOutput?: (text: string) => void
}

const KIT_RESOLUTION = join(import.meta.dirname, 'testing', `kit-resolution${extname(import.meta.filename)}`)
const IMPORT_KIT = ['--import', pathToFileURL(KIT_RESOLUTION).href]
const FRAME = /\(?(file:\/\/[^\s()]+|\/[^\s():]+):(\d+):(\d+)\)?$/

/** Runs tests to their end. Fails only where the runner itself does. */
export async function runTests(request: TestRequest): Promise<TestRun> {
  const { folder, files, signal, onResult = () => {}, onOutput = () => {} } = request
  // Loaded where it is used: whoever runs tests is a test runner from then on.
  const { run } = await import('node:test')
  const tests: TestResult[] = []
  const events = run({
    files: files.map((each) => resolve(each)),
    cwd: resolve(folder),
    isolation: 'process',
    execArgv: IMPORT_KIT,
    ...(signal === undefined ? {} : { signal }),
  })
  const groups: string[] = []
  const errors = new Map<string, string>()
  const take = (event: RunnerEvent, passed: boolean): void => {
    if (event.details.type === 'suite' && !isOwnFailure(event)) return
    const result = resultOf(event, passed, groups, errors.get(event.file ?? '') ?? '')
    tests.push(result)
    onResult(result)
  }
  events.on('test:start', ({ name, nesting }) => {
    groups[nesting] = name
  })
  events.on('test:pass', (event) => take(event as RunnerEvent, true))
  events.on('test:fail', (event) => take(event as RunnerEvent, false))
  events.on('test:stdout', ({ message }) => onOutput(message))
  events.on('test:stderr', ({ file, message }) => {
    errors.set(file, (errors.get(file) ?? '') + message)
    onOutput(message)
  })
  events.resume()
  await new Promise<void>((settle, reject) => {
    events.on('end', settle)
    events.on('error', reject)
  })
  const count = (...statuses: TestStatus[]) => tests.filter((each) => statuses.includes(each.status)).length
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped', 'todo'), tests }
}

/** Runs tests in one process that waits for a debugger first. @returns its exit code */
export function debugTests({ folder, files, signal }: TestRequest): Promise<number> {
  const runner = ['--test', '--test-isolation=none', '--test-reporter=spec']
  const words = ['--inspect-wait', ...IMPORT_KIT, ...runner, ...files.map((each) => resolve(each))]
  const child = spawn(process.execPath, words, { cwd: folder, stdio: 'inherit' })
  const end = (): void => void child.kill()
  signal?.addEventListener('abort', end)
  return new Promise((settle, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => {
      signal?.removeEventListener('abort', end)
      settle(code ?? 1)
    })
  })
}

/** What of the runner's events is used. */
interface RunnerEvent {
  readonly name: string
  readonly nesting: number
  readonly file?: string
  readonly line?: number
  readonly column?: number
  readonly skip?: string | boolean
  readonly todo?: string | boolean
  readonly details: {
    readonly duration_ms: number
    readonly type?: string
    readonly error?: Error & { readonly cause?: unknown; readonly failureType?: string }
  }
}

/** A group that failed by itself, not by one of its tests. */
function isOwnFailure({ details }: RunnerEvent): boolean {
  return details.error !== undefined && details.error.failureType !== 'subtestsFailed'
}

function resultOf(
  event: RunnerEvent,
  passed: boolean,
  groups: readonly string[],
  printed: string,
): TestResult {
  const { name, nesting, file = '', skip, todo, details } = event
  const marked = skip !== undefined ? 'skipped' : todo !== undefined ? 'todo' : undefined
  const own = {
    path: [...groups.slice(0, nesting), name],
    file: shown(file),
    milliseconds: details.duration_ms,
  }
  if (passed || marked !== undefined) return { ...own, status: marked ?? 'passed' }
  const isWholeFile = resolve(name) === file && nesting === 0
  const path = isWholeFile ? [shown(file)] : own.path
  return { ...own, path, status: 'failed', failure: failureOf(event, isWholeFile ? printed : '') }
}

/** @param printed what a file wrote before it ended without having told of a test */
function failureOf({ file = '', line, column, details }: RunnerEvent, printed: string) {
  const cause = details.error?.cause ?? details.error
  const error = cause instanceof Error ? cause : new Error(String(cause))
  const stack = printed === '' ? String(error.stack ?? error.message) : printed
  const message = printed === '' ? error.message : printed.trim()
  const begins = line === undefined ? undefined : { file: shown(file), line, column: column ?? 1 }
  const place = placeIn(stack, file) ?? begins
  return { message, stack, ...(place === undefined ? {} : { place }) }
}

/** The first place of a stack that lies in a file. */
function placeIn(stack: string, file: string): TestPlace | undefined {
  for (const each of stack.split('\n')) {
    const match = FRAME.exec(each.trim())
    if (match === null) continue
    const named = match[1]!.startsWith('file:') ? fileURLToPath(match[1]!) : match[1]!
    if (named === file) return { file: shown(file), line: Number(match[2]), column: Number(match[3]) }
  }
  return undefined
}

const shown = (file: string): string => relative('', file) || file
