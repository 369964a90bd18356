/**
 * Plugins that run although nobody would let them in again. The one idea: what runs goes on, since ending it is the
 * operator's to say; but a change of trust tells whose signer it has put out.
 */
import type { TrustStore } from '../../execution-env/certificates/index.ts'
import { TrustVerifier } from '../../execution-env/index.ts'
import { controlErrorOf } from '../control/errors.ts'
import type { Registry } from '../state/registry.ts'

/** A line for each plugin that `before` lets start again and `after` does not. */
export function newlyDisbelieved(
  registry: Registry,
  before: TrustStore,
  after: TrustStore,
  calendarMs: () => number,
): string[] {
  const refusal = (store: TrustStore, file: string): string | undefined => {
    try {
      new TrustVerifier(store, calendarMs).verify(registry.readBundle(file), 'again')
      return undefined
    } catch (error) {
      return controlErrorOf(error).message
    }
  }
  return registry.entries.flatMap(({ id, file }) => {
    if (refusal(before, file) !== undefined) return []
    const why = refusal(after, file)
    return why === undefined ? [] : [`plugin ${id} runs on, but would not start again: ${why}`]
  })
}
