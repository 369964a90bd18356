/** Installing and removing filters as steps of a transaction. */
import { compileAction } from '../actions/compile-action.ts'
import { compileFilter } from '../classifier/filter.ts'
import type { Change } from '../control.ts'
import { EngineError } from '../errors.ts'
import { actionScope } from './flow-changes.ts'
import type { ChangeContext, Step } from './step.ts'

type Install = Extract<Change, { do: 'install-filter' }>
type Remove = Extract<Change, { do: 'remove-filter' }>

/** Priorities stand within this distance of 0. */
const MOST_PRIORITY = 1_000_000

export function installFilter(context: ChangeContext, owner: number, change: Install, place: string): Step {
  const { actions, filters } = context.stages
  const { priority = 0 } = change
  if (!Number.isInteger(priority) || Math.abs(priority) > MOST_PRIORITY)
    throw new EngineError(
      'invalid',
      `expected a whole number of -${MOST_PRIORITY}..${MOST_PRIORITY}`,
      `${place}.priority`,
    )
  const compiled = compileFilter(change.filter, context.portIndex, `${place}.filter`)
  const row = compileAction(actions, change.action, actionScope(context, owner), `${place}.action`)
  let filter = -1
  try {
    filter = filters.add(compiled, priority, row, owner)
    context.names.bind(owner, 'filter', change.name, filter, `${place}.name`)
  } catch (error) {
    if (filter >= 0) filters.remove(filter)
    actions.release(row)
    throw error
  }
  return {
    undo: () => {
      context.names.unbind(owner, 'filter', change.name, place)
      dropFilter(context, filter)
    },
  }
}

export function removeFilter(context: ChangeContext, owner: number, change: Remove, place: string): Step {
  const filter = context.names.unbind(owner, 'filter', change.name, `${place}.name`)
  return {
    undo: () => context.names.bind(owner, 'filter', change.name, filter, place),
    settle: () => dropFilter(context, filter),
  }
}

/** Takes a filter out of the table and gives up its action. */
export function dropFilter(context: ChangeContext, filter: number): void {
  const { actions, filters } = context.stages
  const row = filters.payloadOf(filter)
  filters.remove(filter)
  actions.release(row)
}
