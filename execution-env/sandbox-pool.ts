/**
 * The sandboxes of a process. The one idea: programs of one signer trust one another as far as a crash goes, so there
 * is one sandbox process for each signer, however many routers a lab has; what is trusted runs in this process.
 */
import {
  InProcessSandbox,
  ProcessSandbox,
  type ProcessSandboxOptions,
  type Sandbox,
  type SandboxEvent,
} from './sandbox/index.ts'

/** Gives programs their place. */
export interface Sandboxes {
  /** The sandbox for programs of a signer; `onEvent` hears of it from then on. */
  sandboxFor(signer: string, trusted: boolean, onEvent: (event: SandboxEvent) => void): Sandbox
  /** Tells nothing any more to whoever heard of sandboxes. */
  leave(onEvent: (event: SandboxEvent) => void): void
}

type Listener = (event: SandboxEvent) => void

export class SandboxPool implements Sandboxes {
  readonly #options: Omit<ProcessSandboxOptions, 'onEvent'>
  readonly #sandboxes = new Map<string, { readonly sandbox: Sandbox; readonly listeners: Set<Listener> }>()

  constructor(options: Omit<ProcessSandboxOptions, 'onEvent'>) {
    this.#options = options
  }

  sandboxFor(signer: string, trusted: boolean, onEvent: Listener): Sandbox {
    const key = `${trusted ? 'trusted' : 'isolated'} ${signer}`
    let entry = this.#sandboxes.get(key)
    if (entry === undefined) {
      const listeners = new Set<Listener>()
      const tell: Listener = (event) => {
        for (const each of listeners) each(event)
      }
      const sandbox = trusted
        ? new InProcessSandbox()
        : new ProcessSandbox({ ...this.#options, onEvent: tell })
      entry = { sandbox, listeners }
      this.#sandboxes.set(key, entry)
    }
    entry.listeners.add(onEvent)
    return entry.sandbox
  }

  leave(onEvent: Listener): void {
    for (const { listeners } of this.#sandboxes.values()) listeners.delete(onEvent)
  }

  /** Ends all sandboxes. */
  async close(): Promise<void> {
    await Promise.all([...this.#sandboxes.values()].map(({ sandbox }) => sandbox.close()))
    this.#sandboxes.clear()
  }
}
