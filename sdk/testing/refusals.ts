/** What goes wrong in a test's router, as errors: the plugin's own faults, and what a router would refuse. */

/** A handler of the plugin threw, or asked for what it may not have. The message names the line. */
export class PluginFault extends Error {
  override readonly name = 'PluginFault'
}

/** A router would refuse this: `code` for programs, `message` for people. */
export class TestRefusal extends Error {
  override readonly name = 'TestRefusal'
  readonly code: string

  constructor(code: string, reason: string) {
    super(`${code}: ${reason}`)
    this.code = code
  }
}
