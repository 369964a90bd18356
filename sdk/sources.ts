/**
 * From a plugin's sources to one script, with esbuild. The one idea: what comes out follows from the sources alone:
 * no settings of the surroundings (tsconfig.json, environment), no paths of the machine, and this package's own kit
 * under its name wherever it is installed.
 */
import { readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { extname, join } from 'node:path'
import {
  type BuildOptions,
  build,
  type Message,
  type Metafile,
  type OnResolveArgs,
  type Plugin,
} from 'esbuild'
import { PLUGIN_KIT } from './kit-names.ts'
import { PluginError, type PluginProblem } from './plugin-error.ts'

/** Before the names of the kit's files in stacks and maps. */
const KIT_SPACE = 'pronto-router'
const KIT_FOLDER = import.meta.dirname
/** The kit runs from its sources, or built. */
const KIT_FORM = extname(import.meta.filename)

/** Marks a question of ours to esbuild, so that it is not asked back. */
const ASKED = Symbol('asked')

/** How sources become a script. */
export interface SourceOptions {
  /** `cjs` is what routers run; `esm` tells what is exported. */
  readonly format: 'cjs' | 'esm'
  /** Free identifiers -> what stands in their place. */
  readonly define?: Readonly<Record<string, string>>
}

export interface BundledSources {
  readonly code: string
  readonly sourceMap: string
  readonly exports: readonly string[]
  /** File -> bytes that it takes in the code. */
  readonly sizes: ReadonlyMap<string, number>
  readonly warnings: readonly PluginProblem[]
}

/**
 * One script of `entry` and everything that it imports.
 * @param folder absolute, without symbolic links
 * @throws PluginError `source`; files are named relative to the folder
 */
export async function bundleSources(
  folder: string,
  entry: string,
  options: SourceOptions,
): Promise<BundledSources> {
  const settings = {
    ...FIXED,
    absWorkingDir: folder,
    entryPoints: [`./${entry}`],
    format: options.format,
    define: { ...options.define },
    plugins: [resolution],
  } satisfies BuildOptions
  try {
    const { outputFiles, metafile, warnings } = await build(settings)
    const text = (ending: string): string => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? ''
    const output = Object.values(metafile.outputs).find((each) => each.entryPoint !== undefined)!
    return {
      code: text('plugin.js'),
      sourceMap: text('plugin.js.map'),
      exports: output.exports,
      sizes: sizesOf(output),
      warnings: warnings.map(problemOf),
    }
  } catch (error) {
    const { errors } = error as { errors?: Message[] }
    if (errors === undefined) throw error
    throw new PluginError('source', errors.map(problemOf))
  }
}

/** Everything that must not depend on where and by whom a plugin is built. */
const FIXED = {
  bundle: true,
  write: false,
  metafile: true,
  outfile: 'plugin.js',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: [],
  target: 'es2024',
  charset: 'utf8',
  sourcemap: 'external',
  sourcesContent: true,
  legalComments: 'none',
  logLevel: 'silent',
  tsconfigRaw: '{}',
  nodePaths: [],
  resolveExtensions: ['.ts', '.mts', '.js', '.mjs', '.json'],
} as const satisfies BuildOptions

/** How imports are found: the kit by its name, nothing of the machine's, nothing later. */
const resolution: Plugin = {
  name: 'pronto',
  setup(esbuild) {
    const refusal = (text: string) => ({ errors: [{ text }] })
    esbuild.onResolve({ filter: /^pronto-router(?:\/|$)/ }, ({ path }) => {
      const file = Object.hasOwn(PLUGIN_KIT, path) ? PLUGIN_KIT[path] : undefined
      if (file !== undefined) return { path: file, namespace: KIT_SPACE, sideEffects: false }
      return refusal(`${path} cannot be used in a plugin, expected ${Object.keys(PLUGIN_KIT).join(' or ')}`)
    })
    esbuild.onResolve({ filter: /^\./, namespace: KIT_SPACE }, ({ path, importer }) => {
      const file = join(importer, '..', path).replace(/\.[jt]s$/, '')
      return { path: file, namespace: KIT_SPACE, sideEffects: false }
    })
    esbuild.onLoad({ filter: /.*/, namespace: KIT_SPACE }, async ({ path }) => {
      const contents = await readFile(join(KIT_FOLDER, path + KIT_FORM), 'utf8')
      return { contents, loader: KIT_FORM === '.ts' ? 'ts' : 'js' }
    })
    esbuild.onResolve({ filter: /.*/ }, async (asked: OnResolveArgs) => {
      const { path, kind, importer, resolveDir, pluginData } = asked
      if (pluginData === ASKED) return undefined
      if (kind === 'dynamic-import')
        return refusal(
          'import() cannot be used: a bundle holds all of its code, and handlers are synchronous',
        )
      if (!isBuiltin(path)) return undefined
      const found = await esbuild.resolve(path, { kind, importer, resolveDir, pluginData: ASKED })
      if (found.errors.length === 0 && !found.external) return found
      return refusal(`${path} cannot be used: a plugin has no system around it, only its router`)
    })
  },
}

function sizesOf(output: Metafile['outputs'][string]): ReadonlyMap<string, number> {
  const entries = Object.entries(output.inputs).map(
    ([file, { bytesInOutput }]) => [file, bytesInOutput] as const,
  )
  return new Map(entries.sort((one, other) => other[1] - one[1]))
}

/** esbuild counts columns in bytes and from 0. */
function problemOf({ text, location }: Message): PluginProblem {
  if (location === null) return { file: 'plugin.js', message: text }
  const { file, line, column, lineText } = location
  const before = Buffer.from(lineText).subarray(0, column).toString()
  return { file, line, column: before.length + 1, message: text }
}
