#!/usr/bin/env node
/**
 * The `pronto` command as the shell starts it, on whatever Node there is. The one idea: find the pinned runtime that
 * was installed as a package beside this one, run the real command with it, and be one with it: same input and
 * output, same exit code, same signals, same end.
 *
 * Signals. A terminal sends Ctrl-C to the launcher and to the command, `kill` only to the launcher; nobody can tell
 * which it was. So the launcher writes every signal that it gets to a pipe, and the command counts what comes
 * together once (stop.ts). When the launcher dies, however it dies, the pipe closes and the command ends itself.
 *
 * Plain JavaScript without dependencies: Node strips no types under node_modules.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { fail, findRuntime, RUNTIME_FLAGS } from './runtime.mjs'

/** What the launcher passes on. @type {readonly NodeJS.Signals[]} */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

/** Being asked this often ends a command that does not answer; what comes within SAME_REQUEST_MS is one request. */
const PATIENCE = 3
const SAME_REQUEST_MS = 500

/** Tells the command which of its file descriptors is the pipe; stop.ts reads it. */
const PIPE_VARIABLE = 'PRONTO_LAUNCHER_PIPE'
const PIPE_DESCRIPTOR = 3

/** How the system's loader ends a program whose libraries are missing; no command ends so. */
const NOT_LOADED = 127
const LIBRARY = 'on Debian and Ubuntu: apt-get install libatomic1'

const here = dirname(fileURLToPath(import.meta.url))

/**
 * The command itself: TypeScript in a clone, built JavaScript where it was installed.
 * @returns {string}
 */
function findEntry() {
  const source = join(here, 'main.ts')
  const built = join(here, '..', 'dist', 'cli', 'main.js')
  const installed = here.split(sep).includes('node_modules')
  if (!installed && existsSync(source)) return source
  if (existsSync(built)) return built
  return fail(`${built} is missing: the package is incomplete, install pronto-router again`)
}

/**
 * Runs the command in a process of its own and ends as it ends.
 * @param {string} runtime
 * @param {string} entry
 */
function launch(runtime, entry) {
  const child = spawn(runtime, [...RUNTIME_FLAGS, entry, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, [PIPE_VARIABLE]: String(PIPE_DESCRIPTOR) },
  })
  const pipe = /** @type {import('node:stream').Writable} */ (child.stdio[PIPE_DESCRIPTOR])
  pipe.on('error', () => {}) // the command has ended: its exit tells

  let requests = 0
  let lastMs = Number.NEGATIVE_INFINITY
  for (const signal of SIGNALS)
    process.on(signal, () => {
      pipe.write(`${signal}\n`)
      const now = performance.now()
      if (now - lastMs < SAME_REQUEST_MS) return
      lastMs = now
      if (++requests >= PATIENCE) child.kill('SIGKILL')
    })

  child.on('error', (error) => fail(`cannot start ${runtime}: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (code === NOT_LOADED) fail(`${runtime} cannot be loaded on this machine; ${LIBRARY}`)
    process.exit(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0))
  })
}

const runtime = findRuntime()
const entry = findEntry()
if (runtime === process.execPath) await import(pathToFileURL(entry).href)
else launch(runtime, entry)
