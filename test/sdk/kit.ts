/** Plugins' folders for the tests of the tools, and bundles that run in an isolate. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { HardenedIsolate } from '../../execution-env/sandbox/isolate.ts'
import { INSTANCE_LIMITS } from '../../execution-env/sandbox/limits.ts'
import { buildPlugin } from '../../sdk/build.ts'
import { PluginError } from '../../sdk/plugin-error.ts'

export const ROOT = resolve(import.meta.dirname, '../..')
export const EXAMPLES = ['round-robin', 'consistent-hash', 'time-of-day'] as const

export const MANIFEST = { name: 'sample', version: '1.0.0', apiVersion: 1, entry: 'plugin.ts' }

/** Calls `work` with a new folder and removes it afterwards. */
export async function inFolder<Result>(work: (folder: string) => Result | Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'pronto-sdk-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Writes files below a folder: names with slashes make folders. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

/** Files of a plugin with this entry. */
export function pluginOf(
  source: string,
  more: Readonly<Record<string, string>> = {},
  manifest: object = MANIFEST,
): Record<string, string> {
  return { 'pronto.json': JSON.stringify(manifest), 'plugin.ts': source, ...more }
}

/** Code and problems, with files below `FOLDER`, of building a plugin that must be refused. */
export async function refusalOf(files: Readonly<Record<string, string>>): Promise<[string, ...string[]]> {
  return inFolder(async (folder) => {
    try {
      await buildPlugin(writeFiles(folder, files))
    } catch (error) {
      if (error instanceof PluginError)
        return [error.code, ...error.message.split('\n').map((line) => line.replace(`${folder}/`, 'FOLDER/'))]
      throw error
    }
    throw new Error('it was built')
  })
}

/** Runs `run(exports)` of a bundle's code in a hardened isolate and gives its result. */
export function runInIsolate(code: string, run: string): unknown {
  const isolate = new HardenedIsolate(
    {
      source: code,
      file: 'plugin.js',
      runtime: `(host, exports) => ({ calls: { run: () => (${run})(exports) } })`,
      seed: [1, 2, 3, 4],
      limits: INSTANCE_LIMITS,
      timed: true,
      at: { now: 0, clock: 0 },
    },
    () => '+null',
  )
  try {
    const answer = JSON.parse(isolate.call('run', 'null')) as {
      value?: unknown
      thrown?: { message: string }
    }
    if (answer.thrown !== undefined) throw new Error(answer.thrown.message)
    return answer.value
  } finally {
    isolate.dispose()
  }
}
