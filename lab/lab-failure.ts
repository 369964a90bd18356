/** A lab could not be brought to life, or not be kept alive, for a reason outside this program: told in words. */
export class LabFailure extends Error {
  override readonly name = 'LabFailure'
  readonly code: 'failed' | 'busy' | 'unknown' | 'forbidden'
  constructor(message: string, code: LabFailure['code'] = 'failed') {
    super(message)
    this.code = code
  }
}
