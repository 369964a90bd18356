/**
 * Least load: the backend that has the least to do for its weight (weighted least connections, as in the Linux
 * Virtual Server, Zhang 2000, when the load is a number of flows).
 *
 * A load that is reported now and then sends everything to one backend until the next report. An author who adds to
 * `load` at every choice what a flow is expected to cost prevents that.
 */
import { type Backend, candidateState, isCandidate, weightOf } from './backend.ts'
import { type HashKey, hashOf } from './hash.ts'

export interface LoadedBackend extends Backend {
  /** Of any unit, the same for all; 0 or more. No finite number: gets no new flows. */
  readonly load: number
}

/**
 * The backend of least load / weight, or undefined when none may get a flow.
 * @param key decides among equals; without it the first of them
 */
export function leastLoad<B extends LoadedBackend>(backends: readonly B[], key: HashKey = 0): B | undefined {
  const state = candidateState(backends)
  let least = Number.POSITIVE_INFINITY
  let equals = 0
  for (const backend of backends) {
    const burden = burdenOf(backend, state)
    if (burden < least) {
      least = burden
      equals = 1
    } else if (burden === least) equals++
  }
  if (least === Number.POSITIVE_INFINITY) return undefined
  let turn = hashOf(key) % equals
  for (const backend of backends) if (burdenOf(backend, state) === least && turn-- === 0) return backend
  return undefined
}

function burdenOf(backend: LoadedBackend, state: Backend['state']): number {
  if (!isCandidate(backend, state) || !Number.isFinite(backend.load)) return Number.POSITIVE_INFINITY
  return backend.load / weightOf(backend)
}
