/**
 * The sandboxes of one router in one of its lives. The one idea: the lab's routers share a process for each signer;
 * here each router gets a view of it that can be killed by itself.
 */
import type { Nanoseconds } from '../../engine/index.ts'
import type { Sandboxes } from '../../execution-env/index.ts'
import type { Sandbox, SandboxEvent } from '../../execution-env/sandbox/index.ts'
import { RouterSandbox } from './router-sandbox.ts'

export class RouterSandboxes implements Sandboxes {
  readonly #shared: Sandboxes
  readonly #views = new Map<Sandbox, RouterSandbox>()
  readonly #listeners = new Set<(event: SandboxEvent) => void>()

  constructor(shared: Sandboxes) {
    this.#shared = shared
  }

  sandboxFor(signer: string, trusted: boolean, onEvent: (event: SandboxEvent) => void): Sandbox {
    const shared = this.#shared.sandboxFor(signer, trusted, onEvent)
    // What is trusted runs in the router's own process and dies with that only.
    if (trusted) return shared
    this.#listeners.add(onEvent)
    let view = this.#views.get(shared)
    if (view === undefined) this.#views.set(shared, (view = new RouterSandbox(shared, this.#tell)))
    return view
  }

  leave(onEvent: (event: SandboxEvent) => void): void {
    this.#listeners.delete(onEvent)
    this.#shared.leave(onEvent)
  }

  /** Kills the router's sandbox processes; the next poll tells of it. */
  kill(now: Nanoseconds): void {
    for (const view of this.#views.values()) view.kill(now)
  }

  /** Ends all instances of this router: its life is over. */
  close(): void {
    for (const view of this.#views.values()) view.discard()
  }

  readonly #tell = (event: SandboxEvent): void => {
    for (const each of this.#listeners) each(event)
  }
}
