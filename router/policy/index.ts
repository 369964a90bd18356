/** The door of the policy: a router's addresses, routes and static policy as files have them, and as changes. */
export { resolveAction } from './action.ts'
export * from './limits.ts'
export { checkOwnNetworks } from './own-networks.ts'
export { policyNames, resolvePolicy } from './policy.ts'
export { action, addresses, policyDefinitions, routerRoute } from './policy-schema.ts'
export type * from './raw.ts'
export {
  type Interface,
  type InterfaceAddress,
  interfacesOf,
  type RouterRoute,
  RouterView,
} from './router-view.ts'
