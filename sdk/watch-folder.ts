/**
 * Changes of a plugin's folder. The one idea: editors write in bursts, and builds write beside their sources; what
 * matters is told once, when it has become quiet.
 */
import { type FSWatcher, watch } from 'node:fs'

const QUIET_MS = 60
const IGNORED = ['**/node_modules', '**/node_modules/**', '**/.*', '**/.*/**', '**/*.pronto', '**/*~']

/**
 * Calls `changed` after changes of files anywhere below `folder`, but for node_modules, hidden files and bundles.
 * @returns how to end it
 */
export function watchFolder(folder: string, changed: () => void, failed: (error: Error) => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const watcher: FSWatcher = watch(folder, { recursive: true, ignore: IGNORED }, () => {
    clearTimeout(timer)
    timer = setTimeout(changed, QUIET_MS)
  })
  watcher.on('error', failed)
  return () => {
    clearTimeout(timer)
    watcher.close()
  }
}
