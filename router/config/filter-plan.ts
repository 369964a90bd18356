/**
 * Which filters go and come. The one idea: among filters of one priority and specificity the older goes first, so
 * age is part of what the file says; of each priority the longest unchanged beginning stays, the rest is installed
 * anew in the order of the file.
 */
import type { Action, Change } from '../../engine/index.ts'
import { textOf } from './plan-text.ts'

type InstallFilter = Extract<Change, { do: 'install-filter' }>

/**
 * Changes that remove and install filters.
 * @param tunnels names of tunnels that are opened anew: whatever sends into them must be told
 */
export function planFilters(
  before: readonly Change[],
  after: readonly Change[],
  tunnels: ReadonlySet<string>,
): { readonly gone: readonly Change[]; readonly come: readonly Change[] } {
  const [had, has] = [filtersOf(before), filtersOf(after)]
  const kept = new Set<InstallFilter>()
  for (const priority of new Set(has.map(priorityOf))) {
    const old = had.filter((each) => priorityOf(each) === priority)
    const wanted = has.filter((each) => priorityOf(each) === priority)
    for (const [index, each] of wanted.entries()) {
      const present = old[index]
      if (present === undefined || textOf(present) !== textOf(each)) break
      if (tunnelsIn(each.action).some((name) => tunnels.has(name))) break
      kept.add(present).add(each)
    }
  }
  return {
    gone: had.filter((each) => !kept.has(each)).map(({ name }) => ({ do: 'remove-filter', name })),
    come: has.filter((each) => !kept.has(each)),
  }
}

function filtersOf(policy: readonly Change[]): InstallFilter[] {
  return policy.filter((each): each is InstallFilter => each.do === 'install-filter')
}

const priorityOf = ({ priority }: InstallFilter): number => priority ?? 0

/** Names of all tunnels that an action sends into. */
function tunnelsIn(action: Action): string[] {
  switch (action.kind) {
    case 'tunnel':
      return [action.tunnel]
    case 'rewrite':
    case 'class':
      return tunnelsIn(action.then)
    case 'decide':
      return tunnelsIn(action.otherwise)
    case 'replicate':
      return action.to.flatMap(tunnelsIn)
    case 'spread':
      return action.to.flatMap((each) => tunnelsIn(each.action))
    default:
      return []
  }
}
