/** Tunnels of a static policy: each leads to another node that the router can reach. */

import type { KeyPath, Resolver } from '../../document/index.ts'
import { addressOf, unusable } from '../../document/index.ts'
import type { Change, TunnelRequest } from '../../engine/index.ts'
import type { RawPolicy } from './raw.ts'
import type { RouterView } from './router-view.ts'

/** Tunnels between the same two ends (the engine's own bound). */
const MAX_PARALLEL = 256

/** Changes that open the tunnels. */
export function resolveTunnels(
  tunnels: NonNullable<RawPolicy['tunnels']>,
  path: KeyPath,
  router: RouterView,
  resolver: Resolver,
): Change[] {
  const parallel = new Map<string, number>()
  return Object.entries(tunnels).map(([name, given]) => {
    const tunnel: TunnelRequest = typeof given === 'string' ? { to: given } : given
    const at = [...path, name]
    const exit = typeof given === 'string' ? at : [...at, 'to']
    const why = wrongExit(tunnel, router)
    if (why !== undefined) resolver.fault('conflict', exit, why)
    checkOptions(tunnel, at, router, resolver)
    const count = (parallel.get(tunnel.to) ?? 0) + 1
    parallel.set(tunnel.to, count)
    if (count === MAX_PARALLEL + 1)
      resolver.fault('limit', exit, `too many: expected at most ${MAX_PARALLEL} tunnels to ${tunnel.to}`)
    return { do: 'open-tunnel', name, tunnel }
  })
}

function wrongExit({ to, kind }: TunnelRequest, router: RouterView): string | undefined {
  if (router.own.includes(to)) return `expected another node, but ${to} is an own address`
  const why = unusable(addressOf(to))
  if (why !== undefined) return `expected an address of a node, but ${to} ${why}`
  const reach = router.reach(to)
  if (reach === 'none') return `not reachable: the router has no route to ${to}`
  if (kind === 'mac-rewrite' && reach !== 'connected')
    return `expected an address on a connected network for mac-rewrite, but ${to} is further away`
  return undefined
}

function checkOptions(tunnel: TunnelRequest, path: KeyPath, router: RouterView, resolver: Resolver): void {
  if (tunnel.kind === 'mac-rewrite') {
    for (const key of ['from', 'ttl', 'mtu'] as const)
      if (tunnel[key] !== undefined)
        resolver.fault(
          'conflict',
          [...path, key],
          `${key} does not go with mac-rewrite, which changes no header`,
        )
  } else if (tunnel.from !== undefined && !router.own.includes(tunnel.from))
    resolver.fault('unknown', [...path, 'from'], `expected an own address, got ${tunnel.from}`)
}
