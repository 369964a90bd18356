/**
 * What a lab may ask for that not every backend can do. The one idea: a feature is asked for by what the resolved
 * lab contains, not by how it is written (`loss: 0%` asks for nothing), and each request knows its place in the file,
 * so that a refusal can name it.
 */

import type { KeyPath } from '../document/index.ts'
import {
  type Client,
  DEFAULT_EPOCH_MS,
  type EventBody,
  type HostNode,
  type Lab,
  type Link,
  type RouterNode,
} from './file/index.ts'

export const FEATURES = [
  'epoch',
  'rootseed',
  'hosts',
  'host-routes',
  'virtual-hosts',
  'host-agent',
  'client-http',
  'client-http-keep-alive',
  'client-tcp',
  'client-udp',
  'client-ping',
  'client-from',
  'service-http',
  'service-tcp',
  'service-udp',
  'routers',
  'router-routes',
  'router-policy',
  'router-plugins',
  'link-rate',
  'link-delay',
  'link-jitter',
  'link-loss',
  'link-reorder',
  'link-duplicate',
  'link-corrupt',
  'link-mtu',
  'link-queue',
  'event-fail',
  'event-recover',
  'event-cut',
  'event-heal',
  'event-set',
  'event-load',
  'event-upgrade',
  'event-unload',
  'event-kill',
] as const

/** Something that a backend either honours or refuses. Closed: a new one makes every backend say what it does. */
export type Feature = (typeof FEATURES)[number]

/** A feature that a lab asks for, and where. */
export interface FeatureUse {
  readonly feature: Feature
  readonly path: KeyPath
}

/** What a lab is taken to mean where nothing else is said: asks for nothing. */
const STANDARD_MTU = 1500

/** Everything that a lab asks for, in the order of the file. */
export function* featuresOf(lab: Lab): Iterable<FeatureUse> {
  if (lab.epochMs !== DEFAULT_EPOCH_MS) yield { feature: 'epoch', path: ['epoch'] }
  if (lab.rootSeed !== lab.seed) yield { feature: 'rootseed', path: ['rootseed'] }
  for (const node of lab.nodes)
    yield* node.kind === 'host'
      ? hostFeatures(node, ['nodes', node.name])
      : routerFeatures(node, ['nodes', node.name])
  for (const [index, link] of lab.links.entries()) yield* linkFeatures(link, ['links', index])
  for (const event of lab.events) {
    const kind: EventBody['kind'] = event.kind
    yield { feature: `event-${kind}`, path: ['events', event.index, kind] }
  }
}

function* hostFeatures(host: HostNode, path: KeyPath): Iterable<FeatureUse> {
  yield { feature: 'hosts', path: [...path, 'kind'] }
  if (host.routes.length > 0) yield { feature: 'host-routes', path: [...path, 'routes'] }
  if (host.virtualHosts.length > 0) yield { feature: 'virtual-hosts', path: [...path, 'virtualHosts'] }
  if (host.agent !== undefined) yield { feature: 'host-agent', path: [...path, 'agent'] }
  for (const [index, client] of host.clients.entries())
    yield* clientFeatures(client, [...path, 'clients', index])
  for (const [index, { protocol }] of host.services.entries())
    yield { feature: `service-${protocol}`, path: [...path, 'services', index, 'protocol'] }
}

function* clientFeatures(client: Client, path: KeyPath): Iterable<FeatureUse> {
  yield { feature: `client-${client.protocol}`, path: [...path, 'protocol'] }
  if (client.keepAlive) yield { feature: 'client-http-keep-alive', path: [...path, 'keepAlive'] }
  if (client.fromAddress !== undefined) yield { feature: 'client-from', path: [...path, 'from'] }
}

function* routerFeatures(router: RouterNode, path: KeyPath): Iterable<FeatureUse> {
  yield { feature: 'routers', path: [...path, 'kind'] }
  if (router.routes.length > 0) yield { feature: 'router-routes', path: [...path, 'routes'] }
  if (router.policy.length > 0) yield { feature: 'router-policy', path: [...path, 'policy'] }
  if (router.plugins.length > 0) yield { feature: 'router-plugins', path: [...path, 'plugins'] }
}

function* linkFeatures(link: Link, path: KeyPath): Iterable<FeatureUse> {
  if (link.rateBps !== undefined) yield { feature: 'link-rate', path: [...path, 'rate'] }
  if (link.delayNs > 0) yield { feature: 'link-delay', path: [...path, 'delay'] }
  if (link.jitterNs > 0) yield { feature: 'link-jitter', path: [...path, 'jitter'] }
  for (const key of ['loss', 'reorder', 'duplicate', 'corrupt'] as const)
    if (link[key] > 0) yield { feature: `link-${key}`, path: [...path, key] }
  if (link.mtu !== STANDARD_MTU) yield { feature: 'link-mtu', path: [...path, 'mtu'] }
  if (link.queuePackets !== undefined || link.queueBytes !== undefined)
    yield { feature: 'link-queue', path: [...path, 'queue'] }
}
