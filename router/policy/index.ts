/** The door of the policy: a router's addresses, routes and static policy as files have them, and as changes. */
export * from './limits.ts'
export { checkOwnNetworks } from './own-networks.ts'
export { resolvePolicy } from './policy.ts'
export { addresses, policyDefinitions, routerRoute } from './policy-schema.ts'
export type * from './raw.ts'
export { type Interface, type InterfaceAddress, type RouterRoute, RouterView } from './router-view.ts'
