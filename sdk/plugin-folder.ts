/** A plugin's folder: `pronto.json` and the sources that it names. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  ContractError,
  MANIFEST_LIMITS,
  type Manifest,
  parseManifest,
} from '../execution-env/contract/index.ts'
import { fileProblems, PluginError } from './plugin-error.ts'

export const MANIFEST_FILE = 'pronto.json'

/**
 * The manifest of a folder, whose entry is there.
 * @throws PluginError `unreadable`, `manifest`
 */
export function readPluginFolder(folder: string): Manifest {
  const file = join(folder, MANIFEST_FILE)
  const text = readManifest(file)
  let manifest: Manifest
  try {
    manifest = parseManifest(text)
  } catch (error) {
    if (error instanceof ContractError) throw new PluginError('manifest', fileProblems(file, error.problems))
    throw error
  }
  const entry = statSync(join(folder, manifest.entry), { throwIfNoEntry: false })
  if (entry?.isFile() !== true)
    throw new PluginError('manifest', [{ file, key: 'entry', message: `there is no file ${manifest.entry}` }])
  return manifest
}

function readManifest(file: string): Uint8Array {
  try {
    const { size } = statSync(file)
    if (size <= MANIFEST_LIMITS.maxBytes) return readFileSync(file)
    const message = `${size} bytes, expected at most ${MANIFEST_LIMITS.maxBytes}`
    throw new PluginError('manifest', [{ file, message }])
  } catch (error) {
    if (error instanceof PluginError) throw error
    const { code } = error as NodeJS.ErrnoException
    const message =
      code === 'ENOENT' || code === 'ENOTDIR'
        ? 'there is no such file: a plugin is a folder with a manifest'
        : (error as Error).message
    throw new PluginError('unreadable', [{ file, message }])
  }
}
