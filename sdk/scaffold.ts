/**
 * A new plugin's folder. The one idea: the smallest plugin that builds, does something, is typed and tested, with a lab
 * to watch it in; everything else is in the guide.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ContractError, parseManifest } from '../execution-env/contract/index.ts'
import { PluginError } from './plugin-error.ts'
import { manifestOf, scaffoldFiles } from './scaffold-files.ts'

/**
 * Makes a folder called `name` below `parent`.
 * @param command how `pronto` is called from a script of the folder
 * @returns the files, in the order of reading
 * @throws PluginError `invalid` for what cannot be a plugin's name, `exists`, `unreadable`
 */
export function scaffoldPlugin(parent: string, name: string, command = 'pronto'): readonly string[] {
  try {
    parseManifest(JSON.stringify(manifestOf(name)))
  } catch (error) {
    if (!(error instanceof ContractError)) throw error
    throw new PluginError('invalid', [{ file: name, message: error.reason }])
  }
  const folder = join(parent, name)
  const texts = scaffoldFiles(name, command)
  try {
    mkdirSync(folder)
    for (const [file, text] of Object.entries(texts)) writeFileSync(join(folder, file), text, { flag: 'wx' })
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST'
    const message = exists ? 'is there already' : (error as Error).message
    throw new PluginError(exists ? 'exists' : 'unreadable', [{ file: folder, message }])
  }
  return Object.keys(texts).map((file) => join(folder, file))
}
