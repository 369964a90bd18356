/**
 * Tools of the system, run to their end. The one idea: a tool is a program and a list of words, never a line for a
 * shell; it says what went wrong on its standard error, and that is passed on with what was attempted.
 */
import { spawnSync } from 'node:child_process'
import { LabFailure } from '../lab-failure.ts'

const TIMEOUT_MS = 20_000
const MAX_OUTPUT_BYTES = 64 << 20
const MAX_TOLD = 500

/** Where Debian has its tools; not everybody's PATH names the places of root's. */
export const TOOL_PATH = [process.env['PATH'] ?? '', '/usr/sbin', '/sbin', '/usr/bin', '/bin']
  .filter((each) => each !== '')
  .join(':')

/** What tools and programs of a lab see of the environment: nothing that changes their language or behaviour. */
export function toolEnvironment(): Record<string, string> {
  const { HOME = '/', TMPDIR } = process.env
  return { PATH: TOOL_PATH, HOME, LC_ALL: 'C', ...(TMPDIR === undefined ? {} : { TMPDIR }) }
}

export interface ToolResult {
  /** Undefined where the tool could not be started. */
  readonly status: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** Runs a tool, whatever comes of it. */
export function tryTool(tool: string, args: readonly string[], input = ''): ToolResult {
  const { status, stdout, stderr, error } = spawnSync(tool, [...args], {
    input,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
    env: toolEnvironment(),
  })
  if (error !== undefined) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return { status: undefined, stdout: '', stderr: missing ? 'not installed' : error.message }
  }
  return { status: status ?? 1, stdout, stderr }
}

/** Runs a tool and returns what it printed. @throws LabFailure with what it said */
export function runTool(tool: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = tryTool(tool, args, input)
  if (status === 0) return stdout
  const said = stderr.trim().slice(0, MAX_TOLD)
  throw new LabFailure(`${[tool, ...args].join(' ')}: ${said === '' ? `ended with ${status}` : said}`)
}

/**
 * Runs commands of `ip` in one process, in a namespace if one is named; the first that fails ends it.
 * @throws LabFailure naming the command that failed
 */
export function runIp(commands: readonly (readonly string[])[], namespace?: string): void {
  if (commands.length === 0) return
  const where = namespace === undefined ? [] : ['-n', namespace]
  const lines = commands.map((words) => words.join(' '))
  const { status, stderr } = tryTool('ip', [...where, '-batch', '-'], `${lines.join('\n')}\n`)
  if (status === 0) return
  const failed = /Command failed -:(\d+)/.exec(stderr)
  const command = failed === null ? 'ip' : `ip ${lines[Number(failed[1]) - 1]}`
  const said = stderr.split('\n')[0]!.slice(0, MAX_TOLD)
  throw new LabFailure(`${command}${namespace === undefined ? '' : ` in ${namespace}`}: ${said}`)
}
