/** What a lab asks of its plugins did not happen, or they brought their sandbox down: the lab fails, in these words. */
export class LabPluginError extends Error {
  override readonly name = 'LabPluginError'
  readonly code = 'failed'
}
