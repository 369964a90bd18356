/**
 * How `pronto` is called from a script of a new plugin's package.json. The one idea: npm looks for commands in the
 * node_modules of all folders above; where this package is not among them, the script says where it is.
 */
import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'

/**
 * @param folder of the plugin, which need not be there yet
 * @param root of this package
 */
export function authorCommand(folder: string, root: string): string {
  for (let above = dirname(resolve(folder)); ; above = dirname(above)) {
    if (existsSync(join(above, 'node_modules', '.bin', 'pronto'))) return 'pronto'
    if (above === dirname(above)) break
  }
  if (root.split(sep).includes('node_modules')) return 'npx pronto-router'
  const launcher = relative(resolve(folder), join(root, 'cli', 'launcher.mjs'))
    .split(sep)
    .join('/')
  return `node ${/^[\w./-]+$/.test(launcher) ? launcher : JSON.stringify(launcher)}`
}
