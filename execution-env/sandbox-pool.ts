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
  type SandboxStats,
} from './sandbox/index.ts'

/** Gives programs their place. */
export interface Sandboxes {
  /** The sandbox for programs of a signer; `onEvent` hears of it from then on. */
  sandboxFor(signer: string, trusted: boolean, onEvent: (event: SandboxEvent) => void): Sandbox
  /** Tells nothing any more to whoever heard of sandboxes. */
  leave(onEvent: (event: SandboxEvent) => void): void
}

type Listener = (event: SandboxEvent) => void

interface Place {
  readonly signer: string
  readonly sandbox: Sandbox
  readonly listeners: Set<Listener>
}

export class SandboxPool implements Sandboxes {
  readonly #options: Omit<ProcessSandboxOptions, 'onEvent'>
  readonly #sandboxes = new Map<string, Place>()

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
      entry = { signer, sandbox, listeners }
      this.#sandboxes.set(key, entry)
    }
    entry.listeners.add(onEvent)
    return entry.sandbox
  }

  leave(onEvent: Listener): void {
    for (const { listeners } of this.#sandboxes.values()) listeners.delete(onEvent)
  }

  /** Writes into `into` what becomes readable when a sandbox has something to say. Polled pools only. */
  addDescriptors(into: number[]): void {
    for (const { sandbox } of this.#sandboxes.values())
      if (sandbox instanceof ProcessSandbox && sandbox.readFd !== undefined) into.push(sandbox.readFd)
  }

  /** Whether a sandbox waits for room to send: poll without waiting. */
  get isSending(): boolean {
    for (const { sandbox } of this.#sandboxes.values())
      if (sandbox instanceof ProcessSandbox && sandbox.isSending) return true
    return false
  }

  /** Every sandbox with the name of its signer. */
  stats(): readonly (SandboxStats & { readonly signer: string })[] {
    return [...this.#sandboxes.values()].map(({ signer, sandbox }) => ({ signer, ...sandbox.stats() }))
  }

  /** Ends all sandboxes. */
  async close(): Promise<void> {
    await Promise.all([...this.#sandboxes.values()].map(({ sandbox }) => sandbox.close()))
    this.#sandboxes.clear()
  }
}
