/**
 * The guest as text, for the sandbox's `LoadOptions.runtime`. The one idea: the guest is made of functions that are
 * checked and tested as TypeScript, each of which is its own text once types are stripped or compiled away; the text
 * is put together here, whichever of the two it was, and needs nothing from outside but its layout.
 */
import { createActions } from './actions.ts'
import { createFlows } from './flows.ts'
import { createGuest } from './guest.ts'
import { LAYOUT } from './layout.ts'
import { createResources } from './resources.ts'
import { createServices } from './services.ts'
import { createSubscriptions } from './subscriptions.ts'
import { createTalk } from './talk.ts'
import { createValues } from './values.ts'

const PARTS = [
  createValues,
  createResources,
  createActions,
  createSubscriptions,
  createFlows,
  createTalk,
  createServices,
  createGuest,
]

/** An expression that evaluates to a `Runtime`. */
export const GUEST_RUNTIME = `(() => {
'use strict';
${PARTS.join('\n')}
const layout = ${JSON.stringify(LAYOUT)};
return (host, exports) => createGuest(host, exports, layout);
})()`
