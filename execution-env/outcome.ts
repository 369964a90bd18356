/** How something ended that took time: plain data, and when. */
import { describe, isLoss } from './dispatch/turn-runner.ts'
import type { EnvironmentFailure } from './errors.ts'
import type { SandboxFailure } from './sandbox/index.ts'

export type Outcome<T = undefined> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false
      readonly failure: EnvironmentFailure
      /** Of the sandbox, where it was that. */
      readonly cause?: SandboxFailure
    }

/** Called once. */
export type Done<T = undefined> = (outcome: Outcome<T>, now: number) => void

export const DONE: Outcome = { ok: true, value: undefined }

/** A sandbox's failure as one of the environment's. */
export function refusal(cause: SandboxFailure): Extract<Outcome, { ok: false }> {
  const reason = describe(cause.message, cause.stack)
  const isLost = isLoss(cause) && cause.code !== 'refused'
  const code = cause.code === 'timeout' ? 'timeout' : isLost ? 'lost' : 'refused'
  return { ok: false, failure: { code, reason }, cause }
}
