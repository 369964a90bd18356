/**
 * What a plugin's module exports: one object with `setup`. The one idea: setup says everything once and is a
 * transaction; what it returns are the two halves of moving state to the next version.
 */
import type { JsonValue } from '../json.ts'
import type { Router } from './router.ts'

/** State on its way from one version of a plugin to another, or over a crash. */
export interface ExportedState {
  /** Of the state's form; a whole number of at least 0. */
  readonly version: number
  readonly [key: string]: JsonValue
}

/** What setup may return. */
export interface Hooks {
  /** Called each second and at an upgrade; must change nothing. Bounded by the limit `stateBytes`. */
  exportState?(): ExportedState
  /** Called once, after setup, when there is a state. Throwing refuses it, and with it the upgrade. */
  importState?(state: ExportedState): void
  /** Versions that `importState` reads. Default: whatever comes. */
  readonly stateVersions?: readonly number[]
}

export interface PluginDefinition<Config = JsonValue> {
  // biome-ignore lint/suspicious/noConfusingVoidType: a setup without hooks returns nothing
  setup(router: Router, config: Config): Hooks | void
}
