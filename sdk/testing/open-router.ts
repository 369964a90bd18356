/** `testRouter`: a router with a plugin, ready for packets. */
import { Harness } from './harness.ts'
import type { PluginUnderTest, TestRouter, TestRouterOptions } from './test-router.ts'

/**
 * A router that runs the plugin of a folder (relative to the working directory, which `pronto plugin test` sets to the
 * plugin's own: `.`) or of a definition.
 * @throws where a router would refuse the plugin, and what its setup throws
 */
export async function testRouter(
  plugin: PluginUnderTest,
  options: TestRouterOptions = {},
): Promise<TestRouter> {
  const harness = new Harness(options)
  await harness.load(plugin)
  return harness
}
