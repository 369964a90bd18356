/** From the API's actions to the engine's: classes get the names that they have there. */
import type { Action } from '../../engine/index.ts'
import type { WireFallback } from '../contract/api/index.ts'

/** @param className name in the engine of a class that an action names */
export function toEngineAction(action: WireFallback, className: (key: string) => string): Action {
  switch (action.kind) {
    case 'class':
      return {
        kind: 'class',
        class: className(action.class),
        // biome-ignore lint/suspicious/noThenProperty: a field of the action
        then: toEngineAction(action.then, className),
      }
    case 'rewrite':
      // biome-ignore lint/suspicious/noThenProperty: a field of the action
      return { ...action, then: toEngineAction(action.then, className) }
    case 'replicate':
      return { kind: 'replicate', to: action.to.map((each) => toEngineAction(each, className)) }
    case 'spread': {
      const to = action.to.map(({ action: each, weight }) => ({
        action: toEngineAction(each, className),
        weight,
      }))
      return { kind: 'spread', to }
    }
    default:
      return action
  }
}
