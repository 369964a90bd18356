/** Where programs for other threads and processes are, both as TypeScript here and as JavaScript once built. */
import { fileURLToPath } from 'node:url'

/**
 * The path of a module beside the caller's.
 * @param caller the caller's `import.meta.url`
 * @param name without its ending, e.g. `./watchdog`
 */
export function entryPath(caller: string, name: string): string {
  const ending = caller.endsWith('.ts') ? '.ts' : '.js'
  return fileURLToPath(new URL(name + ending, caller))
}
