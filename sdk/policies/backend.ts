/**
 * Backends: what a policy chooses among. The one idea: every policy asks here who may get a new flow, so that states
 * and weights mean the same everywhere. Objects of the author's own are used as they are, with whatever else they
 * hold; weight and state are read at every choice and may change at any time.
 */

/**
 * What may come to a backend (as Cilium's backend states): `active` new flows; `terminating` the flows it has, and
 * new ones only where no backend is active (as Kubernetes does, KEP-1669); `maintenance` nothing new in any case.
 * Flows that a backend has stay pinned to it in every state; to take them away is the plugin's own step.
 */
export type BackendState = 'active' | 'terminating' | 'maintenance'

/** Something that new flows may be sent to. */
export interface Backend {
  /** Its share in proportion to the others'. Default 1; 0 or less, or no finite number: gets no new flows. */
  readonly weight?: number
  /** Default `active`. */
  readonly state?: BackendState
}

/** A backend that is told by its name, which is the same on every router and after every restart. */
export interface NamedBackend extends Backend {
  readonly name: string
}

/** The weight of a backend; 0 where it gets nothing. */
export function weightOf(backend: Backend): number {
  const { weight = 1 } = backend
  return weight > 0 && weight < Number.POSITIVE_INFINITY ? weight : 0
}

/** The state that a backend must be in to get a new flow now, or undefined when none may. */
export function candidateState(backends: readonly Backend[]): BackendState | undefined {
  let found: BackendState | undefined
  for (const backend of backends) {
    const { state = 'active' } = backend
    if (state === 'maintenance' || weightOf(backend) === 0) continue
    if (state === 'active') return state
    found = state
  }
  return found
}

/** Whether a backend may get a new flow when those in `state` may (`candidateState` of all). */
export function isCandidate(backend: Backend, state: BackendState | undefined): boolean {
  return (backend.state ?? 'active') === state && weightOf(backend) > 0
}

/** The backends that may get a new flow, in their order. */
export function candidates<B extends object & Backend>(backends: readonly B[]): B[] {
  const state = candidateState(backends)
  return backends.filter((each) => isCandidate(each, state))
}
