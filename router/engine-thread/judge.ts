/**
 * Judging bundles where there is time for it. The one idea: signature, chain, revocation and vetting are worked out on
 * the main thread; the engine's thread is handed the result together with the bytes, and believes nothing else.
 */
import { type AuthenticBundle, type BundleVerifier, vetBundle } from '../../execution-env/index.ts'

/** @throws as the verifier; SandboxError `refused` for code that is not accepted */
export function judgeBundle(
  verifier: BundleVerifier,
  bytes: Uint8Array,
  occasion: 'first' | 'again',
): AuthenticBundle {
  const bundle = verifier.verify(bytes, occasion)
  return { ...bundle, vetted: vetBundle(bundle) }
}

/** The verifier of the engine's thread: knows the one bundle that it was handed for the call under way. */
export class HandedVerifier implements BundleVerifier {
  #judged: AuthenticBundle | undefined

  /** Runs a call that begins with one bundle. */
  during<Result>(judged: AuthenticBundle | undefined, work: () => Result): Result {
    this.#judged = judged
    try {
      return work()
    } finally {
      this.#judged = undefined
    }
  }

  verify(): AuthenticBundle {
    if (this.#judged === undefined) throw new Error('a bundle that nobody has judged')
    return this.#judged
  }
}
