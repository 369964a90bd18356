/** What a reload did, or would do, in words. */
import type { Change } from '../engine/index.ts'
import type { DryRun } from './plugins/plugin-host.ts'
import type { PluginStep } from './plugins/plugin-plan.ts'

/** What a reload did, or would do. */
export interface ReloadReport {
  readonly changes: readonly string[]
  readonly plugins: readonly {
    readonly do: PluginStep['do']
    readonly id: string
    readonly version?: string
  }[]
  /** Keys whose new value holds from the next start on. */
  readonly restart: readonly string[]
  /** What the operator should know. */
  readonly warnings?: readonly string[]
  /** What the plugins would be granted and change; only of a dry run. */
  readonly dryRuns?: readonly DryRun[]
}

/** What is done with a plugin. */
export function describeStep(step: PluginStep): ReloadReport['plugins'][number] {
  if (step.do === 'unload') return { do: 'unload', id: step.id }
  return { do: step.do, id: step.plugin.id, version: step.plugin.version }
}

/** `open-tunnel s1`, `add-route 10.0.0.0/8`. */
export function describeChange(change: Change): string {
  switch (change.do) {
    case 'create-class':
      return `${change.do} ${change.class.name}`
    case 'add-route':
    case 'remove-route':
      return `${change.do} ${change.prefix}`
    case 'add-address':
    case 'remove-address':
      return `${change.do} ${change.port} ${change.address}`
    default:
      return 'name' in change ? `${change.do} ${change.name}` : change.do
  }
}
