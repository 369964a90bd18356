/**
 * Plugins that a configuration declares, and the way from one set of declarations to another. The one idea: what is
 * compared is what was applied from the file last time, not what runs: an operator's upgrade of a declared plugin
 * stands until the file says something new about it.
 */
import { readFileSync, statSync } from 'node:fs'
import { MAX_BUNDLE_BYTES, readBundle } from '../../execution-env/bundle/index.ts'
import type { PluginDeclaration } from '../config/index.ts'
import { textOf } from '../config/index.ts'
import { ControlError } from '../control/errors.ts'
import { fileOf } from '../state/registry.ts'

/** A declaration with the bundle that it names. */
export interface DeclaredPlugin {
  readonly id: string
  readonly version: string
  readonly bundle: Uint8Array
  readonly declaration: PluginDeclaration
  /** Equal when nothing about it has changed, the bytes of the bundle included. */
  readonly text: string
}

/** One thing to be done. */
export type PluginStep =
  | { readonly do: 'load' | 'upgrade'; readonly plugin: DeclaredPlugin }
  | { readonly do: 'unload'; readonly id: string }

/** Reads the bundles of declarations; what is wrong with one is told apart from the others. */
export function readDeclarations(declarations: readonly PluginDeclaration[]): {
  readonly plugins: readonly DeclaredPlugin[]
  readonly failures: ReadonlyMap<string, unknown>
} {
  const plugins: DeclaredPlugin[] = []
  const failures = new Map<string, unknown>()
  for (const declaration of declarations) {
    try {
      const plugin = readDeclaration(declaration)
      if (plugins.some((each) => each.id === plugin.id))
        throw new ControlError('conflict', `two plugins of id ${plugin.id}; give one another id`, {
          place: declaration.file,
        })
      plugins.push(plugin)
    } catch (error) {
      failures.set(declaration.id ?? declaration.file, error)
    }
  }
  return { plugins, failures }
}

function readDeclaration(declaration: PluginDeclaration): DeclaredPlugin {
  const bundle = readFile(declaration.file)
  const { manifest } = readBundle(bundle)
  const text = textOf({ ...declaration, id: declaration.id ?? null, bundle: fileOf(bundle) })
  return { id: declaration.id ?? manifest.name, version: manifest.version, bundle, declaration, text }
}

function readFile(file: string): Uint8Array {
  const place = { place: file }
  try {
    const status = statSync(file)
    if (!status.isFile()) throw new ControlError('invalid', `${file}: expected a bundle`, place)
    if (status.size > MAX_BUNDLE_BYTES)
      throw new ControlError('limit', `${file}: expected at most ${MAX_BUNDLE_BYTES} bytes`, place)
    return readFileSync(file)
  } catch (error) {
    if (error instanceof ControlError) throw error
    const { code } = error as NodeJS.ErrnoException
    throw new ControlError('unknown', `${file}: cannot be read (${code})`, place)
  }
}

/**
 * What leads from the declarations that were applied to those of a new file: what goes first, so that its place is
 * free.
 * @param applied text of each declaration by id
 * @param isInstalled whether an instance of that id is there
 */
export function planPlugins(
  applied: Readonly<Record<string, string>>,
  plugins: readonly DeclaredPlugin[],
  isInstalled: (id: string) => boolean,
): PluginStep[] {
  const wanted = new Set(plugins.map((each) => each.id))
  const gone = Object.keys(applied).filter((id) => !wanted.has(id) && isInstalled(id))
  const changed = plugins.filter((each) => applied[each.id] !== each.text)
  return [
    ...gone.map((id): PluginStep => ({ do: 'unload', id })),
    ...changed.map(
      (plugin): PluginStep => ({
        do: isInstalled(plugin.id) && Object.hasOwn(applied, plugin.id) ? 'upgrade' : 'load',
        plugin,
      }),
    ),
  ]
}
