/**
 * The sandboxes of a lab. The one idea: no limit that is measured by a wall clock may change what happens in virtual
 * time, so a plugin gets far more of it than on a router, and one that uses even that up, or brings its process down,
 * ends the lab with its name: the run could not be repeated.
 */
import { type Sandboxes, SandboxPool } from '../../execution-env/index.ts'
import type { LoadOptions, Sandbox, SandboxEvent } from '../../execution-env/sandbox/index.ts'
import { LabPluginError } from '../lab-plugin-error.ts'

/** Wall time that a call, a batch or a load may take. */
const PATIENCE_MS = 5_000

export class PatientSandboxes implements Sandboxes {
  readonly #pool = new SandboxPool({ blocking: true })
  readonly #patient = new Map<Sandbox, Sandbox>()
  #failure: Error | undefined

  /** Why the lab cannot go on, once it cannot. */
  get failure(): Error | undefined {
    return this.#failure
  }

  sandboxFor(signer: string, trusted: boolean, onEvent: (event: SandboxEvent) => void): Sandbox {
    this.#pool.sandboxFor(signer, trusted, this.#watch)
    const sandbox = this.#pool.sandboxFor(signer, trusted, onEvent)
    let patient = this.#patient.get(sandbox)
    if (patient === undefined) this.#patient.set(sandbox, (patient = patientOf(sandbox)))
    return patient
  }

  leave(onEvent: (event: SandboxEvent) => void): void {
    this.#pool.leave(onEvent)
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }

  readonly #watch = (event: SandboxEvent): void => {
    if (event.kind !== 'crashed' || this.#failure !== undefined) return
    const culprit = event.culprit === undefined ? 'a plugin' : `plugin ${event.culprit}`
    this.#failure = new LabPluginError(
      `${culprit} ended its sandbox (${event.reason}): the lab cannot be repeated and ends here`,
    )
  }
}

/** The sandbox with more time for everything that it loads. */
function patientOf(sandbox: Sandbox): Sandbox {
  const limits = { loadMs: PATIENCE_MS, callMs: PATIENCE_MS, batchMs: PATIENCE_MS }
  return {
    load: (instance, code, options, at, done) => {
      const patient: LoadOptions = { ...options, limits: { ...options.limits, ...limits } }
      sandbox.load(instance, code, patient, at, done)
    },
    unload: (instance, done) => sandbox.unload(instance, done),
    call: (instance, entry, argument, at, done) => sandbox.call(instance, entry, argument, at, done),
    decide: (instance, entry, batch, at, done) => sandbox.decide(instance, entry, batch, at, done),
    poll: (now) => sandbox.poll(now),
    pollAt: () => sandbox.pollAt(),
    stats: () => sandbox.stats(),
    close: () => sandbox.close(),
  }
}
