/**
 * One change of a transaction, carried out so that it can be taken back. The one idea: a step acts at once, knows
 * how to undo itself, and leaves what cannot be undone (giving up a table entry, sending a packet) to `settle`,
 * which runs only when the whole transaction has succeeded.
 */
import type { Nanoseconds } from '../clock.ts'
import type { NamedResources } from '../named-resources.ts'
import type { Stages } from '../stages.ts'

export interface Step {
  /** Takes the change back. Steps are undone in reverse order. */
  undo(): void
  /** Completes it. Must not fail. */
  settle?(): void
}

/** What every change works on. */
export interface ChangeContext {
  readonly stages: Stages
  readonly names: NamedResources
  /** Index of a named port. */
  portIndex(name: string): number | undefined
  /** Carries out an action row on a parsed packet. */
  apply(packet: number, row: number, now: Nanoseconds): void
}

/** What the changes of one transaction have left for their settling, so that later ones see it as done. */
export interface Pending {
  /** Handles of flows that will be removed. */
  readonly leaving: Set<number>
  /** Upcalls that will be answered. */
  readonly answered: Set<number>
}
