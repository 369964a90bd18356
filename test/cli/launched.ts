/** Launchers as real processes: a copy of launcher.mjs with a stand-in for the command, and what became of them. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/** The stand-in: does as its first argument says. */
const STAND_IN = `
import { watchStop } from ${JSON.stringify(join(ROOT, 'cli', 'stop.ts'))}
const stop = watchStop()
const [mode, argument] = process.argv.slice(2)
const say = (text: string) => process.stdout.write(text + '\\n')
const hold = () => setInterval(() => {}, 1000)
say(\`pid \${process.pid}\`)
if (mode === 'exit') process.exitCode = Number(argument)
else if (mode === 'tell') say(JSON.stringify({ argv: process.argv.slice(2), node: process.version, pipe: process.env['PRONTO_LAUNCHER_PIPE'] ?? null }))
else if (mode === 'echo') process.stdin.pipe(process.stdout)
else if (mode === 'die') process.kill(process.pid, argument)
else if (mode === 'careless') { hold(); say('ready') }
else {
  const signal = stop.claim()
  const held = hold()
  signal.addEventListener('abort', () => {
    say(\`stopping \${signal.reason.signal}\`)
    if (mode === 'orderly') setTimeout(() => { say('stopped'); clearInterval(held) }, 50)
  })
  say('ready')
  if (mode === 'busy') setTimeout(() => { for (;;); }, 300)
}
`

/** A folder like a clone: launcher, stand-in, and the installed packages. */
export function makeClone(packages: 'installed' | 'missing' = 'installed'): string {
  const folder = mkdtempSync(join(tmpdir(), 'pronto-launcher-'))
  mkdirSync(join(folder, 'cli'))
  for (const file of ['launcher.mjs', 'runtime.mjs'])
    copyFileSync(join(ROOT, 'cli', file), join(folder, 'cli', file))
  writeFileSync(join(folder, 'cli', 'main.ts'), STAND_IN)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  if (packages === 'installed') symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** The environment without what npm puts first in the path, so that `node` is the machine's own. */
export function bareEnvironment(): NodeJS.ProcessEnv {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((each) => !each.includes('node_modules'))
  return { ...process.env, PATH: path.join(delimiter) }
}

/** Major version of the machine's own Node, or undefined where there is none. */
export function machineNodeMajor(): number | undefined {
  const run = spawnSync('/usr/bin/env', ['node', '-p', 'process.versions.node'], {
    env: bareEnvironment(),
    encoding: 'utf8',
  })
  return run.status === 0 ? Number(run.stdout.split('.')[0]) : undefined
}

/** A launcher that was started: its output so far, and how it ended. */
export class Launched {
  readonly process: ChildProcess
  out = ''
  err = ''
  readonly ended: Promise<number | string>

  constructor(command: string, words: readonly string[], options: { group?: boolean } = {}) {
    this.process = spawn(command, [...words], {
      env: bareEnvironment(),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: options.group ?? false,
    })
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.out += text))
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.err += text))
    this.ended = new Promise((settle, reject) => {
      this.process.on('error', reject)
      this.process.on('close', (code, signal) => settle(code ?? signal ?? 'unknown'))
    })
  }

  /** Waits until the output has a text. */
  async until(text: string): Promise<void> {
    while (!this.out.includes(text)) {
      if (this.process.exitCode !== null || this.process.signalCode !== null)
        throw new Error(`ended before it said ${text}: ${this.out}${this.err}`)
      await pause(10)
    }
  }

  /** Process id of the command, which may be the launcher's own. */
  get commandPid(): number {
    return Number(/pid (\d+)/.exec(this.out)?.[1])
  }

  /** Sends a signal to the launcher only. */
  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }

  /** Sends a signal to launcher and command, as a terminal does. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.process.pid!, signal)
  }

  /** Makes sure that nothing is left of a failed test. */
  clean(): void {
    for (const pid of [this.process.pid, this.commandPid])
      if (pid !== undefined && !Number.isNaN(pid) && isAlive(pid)) process.kill(pid, 'SIGKILL')
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((settle) => setTimeout(settle, ms))
}

/** Whether a process runs; one that has ended but was not waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  if (process.platform !== 'linux') return true
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Waits until a process has ended; false when it has not within the time. */
export async function isGoneWithin(pid: number, ms: number): Promise<boolean> {
  for (let waited = 0; isAlive(pid); waited += 20) {
    if (waited > ms) return false
    await pause(20)
  }
  return true
}

/** Builds the package without checking types (that is its own check); gives what the compiler said, nothing when well. */
export function build(outFolder: string): string {
  const compiler = join(ROOT, 'node_modules', '.bin', 'tsc')
  try {
    return execFileSync(
      compiler,
      ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', outFolder, '--noCheck'],
      {
        encoding: 'utf8',
      },
    )
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}
