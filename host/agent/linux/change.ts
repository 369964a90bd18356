/**
 * What the agent changes on its machine. The one idea: every change is plain data that says how it is undone, so that
 * it can be kept in a file before it is made, and undone by another process than the one that made it.
 */

import type { GatewayRoute, LocalRoute, RoutingRule } from '../../../engine/ports/linux/index.ts'
import { formatIpv4Address } from '../../../engine/wire/index.ts'

/** Devices are named: an index may belong to another device when the change is undone. */
export type Change =
  /** A setting below /proc/sys/net/ipv4, as it was and as it shall be. */
  | { readonly kind: 'setting'; readonly path: string; readonly before: string; readonly after: string }
  | { readonly kind: 'link-up'; readonly device: string }
  /** All addresses of a prefix are this host's. */
  | { readonly kind: 'local-route'; readonly prefix: LocalRoute['prefix'] }
  | ({ readonly kind: 'gateway-route'; readonly device: string } & Pick<GatewayRoute, 'table' | 'gateway'>)
  | { readonly kind: 'rule'; readonly rule: RoutingRule }
  /** The rule that asks the local table first is gone; another stands behind those of the agent. */
  | { readonly kind: 'late-local-rule' }
  /** The table of routes for answers belongs to the agent. */
  | { readonly kind: 'reply-table' }
  | { readonly kind: 'clsact'; readonly device: string }
  | { readonly kind: 'exit'; readonly device: string }

/** The device that a change is on, by name; undefined where it is on none. */
export function deviceOf(change: Change): string | undefined {
  if ('device' in change) return change.device
  return change.kind === 'setting' ? change.path.split('/')[1] : undefined
}

/** A change in words, for messages. */
export function describeChange(change: Change): string {
  switch (change.kind) {
    case 'setting':
      return `setting ${change.path.replaceAll('/', '.')} to ${change.after}`
    case 'link-up':
      return `bringing up ${change.device}`
    case 'local-route':
      return `taking the virtual addresses ${formatIpv4Address(change.prefix.address)}/${change.prefix.length}`
    case 'gateway-route':
      return `adding a route by the gateway on ${change.device}`
    case 'rule':
      return `adding the routing rule ${change.rule.priority}`
    case 'late-local-rule':
      return 'moving the rule for local addresses back'
    case 'reply-table':
      return 'adding routes for answers'
    case 'clsact':
      return `preparing ${change.device} for a tunnel exit`
    case 'exit':
      return `attaching the tunnel exit to ${change.device}`
  }
}
