/** `definePlugin`: what a plugin's module exports, with its types. */

import type { PluginDefinition } from '../execution-env/contract/api/index.ts'
import type { JsonValue } from '../execution-env/contract/index.ts'

/**
 * The plugin itself: `export default definePlugin({ setup(router, config) { ... } })`. It returns what it is given;
 * its only work is to tell the compiler what `router` is. `config` has passed the manifest's `configSchema`: write its
 * type beside it (`config: Config`).
 */
export function definePlugin<Config = JsonValue>(
  definition: PluginDefinition<Config>,
): PluginDefinition<Config> {
  return definition
}
