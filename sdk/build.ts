/**
 * Building: from a plugin's folder to an unsigned bundle. The one idea: what a router would refuse is refused here,
 * at its line; same sources, same bytes.
 *
 * Types are stripped and not checked: `tsc --noEmit` does that.
 */
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { BundleError, buildBundle, bundleFileName, readBundle } from '../execution-env/bundle/index.ts'
import type { Manifest } from '../execution-env/contract/index.ts'
import { CODE_LENGTH_MAX, findProblems } from '../execution-env/sandbox/index.ts'
import { findMissingGlobals, MARKED_GLOBALS } from './missing-globals.ts'
import { PluginError, type PluginErrorCode, type PluginProblem } from './plugin-error.ts'
import { readPluginFolder } from './plugin-folder.ts'
import { type BundledSources, bundleSources } from './sources.ts'

const NO_PLUGIN = 'exports no plugin: expected export default definePlugin({ setup(router, config) { ... } })'

/** Files of the bundle that are nowhere else. */
const BUILT: ReadonlySet<string> = new Set(['plugin.js', 'plugin.js.map'])

/** A bundle that was built. */
export interface BuiltPlugin {
  readonly manifest: Manifest
  /** The unsigned bundle. */
  readonly bytes: Uint8Array
  /** `NAME-VERSION.pronto`. */
  readonly fileName: string
  /** SHA-256 of what a signature covers, hexadecimal. */
  readonly digest: string
  /** Bytes of the script. */
  readonly codeBytes: number
  readonly warnings: readonly PluginProblem[]
}

/**
 * Builds the plugin of a folder.
 * @throws PluginError; its problems name files as `folder` was given, joined with their names below it
 */
export async function buildPlugin(folder: string): Promise<BuiltPlugin> {
  const manifest = readPluginFolder(folder)
  const place = (problem: PluginProblem): PluginProblem => placed(folder, problem)
  try {
    const sources = await bundleAndCheck(realpathSync(folder), manifest)
    const bytes = bundle(manifest, sources)
    return {
      manifest,
      bytes,
      fileName: bundleFileName(manifest),
      digest: readBundle(bytes).digest,
      codeBytes: Buffer.byteLength(sources.code),
      warnings: sources.warnings.map(place),
    }
  } catch (error) {
    if (error instanceof PluginError) throw new PluginError(error.code, error.problems.map(place))
    throw error
  }
}

/** Files of the kit and the bundle itself are not the author's. */
function placed(folder: string, problem: PluginProblem): PluginProblem {
  const { file } = problem
  return file.includes(':') || BUILT.has(file) ? problem : { ...problem, file: join(folder, file) }
}

async function bundleAndCheck(folder: string, manifest: Manifest): Promise<BundledSources> {
  const { entry } = manifest
  const marked = await bundleSources(folder, entry, { format: 'esm', define: MARKED_GLOBALS })
  const missing = findMissingGlobals(marked.code, marked.sourceMap)
  const isForeign = ({ file }: PluginProblem): boolean => file.includes('node_modules/')
  refuseAny(
    'source',
    missing.filter((each) => !isForeign(each)),
  )
  if (!marked.exports.includes('default'))
    refuseAny('source', [{ file: entry, line: 1, column: 1, message: NO_PLUGIN }])
  const sources = await bundleSources(folder, entry, { format: 'cjs' })
  const { length } = sources.code
  if (length > CODE_LENGTH_MAX)
    throw tooLarge('plugin.js', `${length} characters, expected at most ${CODE_LENGTH_MAX}`, sources)
  const found = findProblems(sources.code, 'plugin.js', sources.sourceMap)
  refuseAny(
    'refused',
    found.map(({ position, reason }) => ({ ...position, message: reason })),
  )
  // A library may ask for what is not there and go without: that cannot be told from here.
  return { ...sources, warnings: [...sources.warnings, ...missing.filter(isForeign)] }
}

function refuseAny(code: PluginErrorCode, problems: readonly PluginProblem[]): void {
  if (problems.length > 0) throw new PluginError(code, problems)
}

function bundle(manifest: Manifest, sources: BundledSources): Uint8Array {
  const { code, sourceMap } = sources
  try {
    return buildBundle({ manifest, code, sourceMap })
  } catch (error) {
    if (error instanceof BundleError) throw tooLarge(error.place, error.reason, sources)
    throw error
  }
}

/** Names the parts that are worth looking at. */
function tooLarge(file: string, reason: string, { sizes }: BundledSources): PluginError {
  const largest = [...sizes].slice(0, 3).map(([part, bytes]) => `${part} ${bytes}`)
  const message = `${reason}; the largest parts are ${largest.join(', ')}`
  return new PluginError('limit', [{ file, message }])
}
