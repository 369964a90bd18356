/** Nodes: hosts with their clients and services, routers with their routes, policy and plugins. */
import { resolve } from 'node:path'
import type { KeyPath, Resolver } from '../../../document/index.ts'
import { formatSubnet, subnetOf } from '../../../document/index.ts'
import { checkOwnNetworks, interfacesOf, RouterView, resolvePolicy } from '../../../router/policy/index.ts'
import type { HostNode, HostRoute, LabNode, PluginSpec, RouterNode, RouterRoute } from '../lab.ts'
import type { RawHost, RawNode, RawPlugin, RawRoute, RawRouter } from '../raw.ts'
import { resolveAgent } from './agent.ts'
import { resolveClient } from './client.ts'
import { checkNextHop } from './neighbours.ts'
import { resolveServices } from './service.ts'
import type { Topology } from './topology.ts'

const DEFAULT_COST = 1

/** What resolving needs beside the file itself. */
export interface Surroundings {
  /** Folder that relative paths in the file start from; absolute. */
  readonly folder: string
  /** Whether there is a file or folder. */
  exists(path: string): boolean
}

/** A node with everything in it resolved; faults go to `resolver`. */
export function resolveNode(
  name: string,
  raw: RawNode,
  topology: Topology,
  surroundings: Surroundings,
  resolver: Resolver,
): LabNode {
  return raw.kind === 'host'
    ? resolveHost(name, raw, topology, resolver)
    : resolveRouter(name, raw, topology, surroundings, resolver)
}

function resolveHost(name: string, raw: RawHost, topology: Topology, resolver: Resolver): HostNode {
  const path = ['nodes', name]
  if (raw.gateway !== undefined) checkNextHop(name, raw.gateway, [...path, 'gateway'], topology, resolver)
  const virtualHosts = (raw.virtualHosts ?? []).map((text) => formatSubnet(subnetOf(text)))
  noteRepeats(virtualHosts, [...path, 'virtualHosts'], resolver)
  const own = [...interfacesOf(raw.addresses).flatMap((each) => each.addresses.map((one) => one.address))]
  return {
    kind: 'host',
    name,
    interfaces: interfacesOf(raw.addresses),
    gateway: raw.gateway,
    routes: resolveHostRoutes(name, raw.routes ?? [], topology, resolver),
    virtualHosts,
    agent: raw.agent && resolveAgent(raw.agent, virtualHosts, [...path, 'agent'], topology, resolver),
    clients: (raw.clients ?? []).map((client, index) =>
      resolveClient(client, [...path, 'clients', index], { own, virtualHosts }, resolver),
    ),
    services: resolveServices(raw.services ?? [], [...path, 'services'], resolver),
  }
}

function resolveRouter(
  name: string,
  raw: RawRouter,
  topology: Topology,
  surroundings: Surroundings,
  resolver: Resolver,
): RouterNode {
  const path = ['nodes', name]
  const interfaces = interfacesOf(raw.addresses)
  const routes = resolveRouterRoutes(name, raw.routes ?? [], topology, resolver)
  checkOwnNetworks(interfaces, routes, path, resolver)
  const view = new RouterView(interfaces, routes)
  for (const [index, { target }] of routes.entries())
    if (target.kind === 'via' && view.isHidden(target.via))
      resolver.fault('conflict', [...path, 'routes', index, 'via'], `${target.via} is itself behind a route`)
  return {
    kind: 'router',
    name,
    interfaces,
    routes,
    policy: raw.policy === undefined ? [] : resolvePolicy(raw.policy, [...path, 'policy'], view, resolver),
    policySource: raw.policy,
    plugins: resolvePlugins(raw.plugins ?? [], [...path, 'plugins'], surroundings, resolver),
  }
}

function resolveHostRoutes(
  node: string,
  routes: readonly RawRoute[],
  topology: Topology,
  resolver: Resolver,
): HostRoute[] {
  const path = ['nodes', node, 'routes']
  const resolved = routes.map((route, index) => {
    checkNextHop(node, route.via!, [...path, index, 'via'], topology, resolver)
    return { prefix: formatSubnet(subnetOf(route.to)), via: route.via! }
  })
  noteRepeats(
    resolved.map(({ prefix }) => prefix),
    path,
    resolver,
    'to',
  )
  return resolved
}

function resolveRouterRoutes(
  node: string,
  routes: readonly RawRoute[],
  topology: Topology,
  resolver: Resolver,
): RouterRoute[] {
  const path = ['nodes', node, 'routes']
  const resolved = routes.map((route, index): RouterRoute => {
    const prefix = formatSubnet(subnetOf(route.to))
    const cost = route.cost ?? DEFAULT_COST
    if ((route.via === undefined) === (route.blackhole === undefined))
      resolver.fault('invalid', [...path, index], 'expected exactly one of via and blackhole')
    if (route.via === undefined) return { prefix, target: { kind: 'blackhole' }, cost }
    checkNextHop(node, route.via, [...path, index, 'via'], topology, resolver)
    return { prefix, target: { kind: 'via', via: route.via }, cost }
  })
  noteRepeats(
    resolved.map(({ prefix }) => prefix),
    path,
    resolver,
    'to',
  )
  return resolved
}

/** Notes each text that stood in the list before. */
function noteRepeats(texts: readonly string[], path: KeyPath, resolver: Resolver, key?: string): void {
  const seen = new Set<string>()
  for (const [index, text] of texts.entries()) {
    const at = key === undefined ? [...path, index] : [...path, index, key]
    if (seen.has(text)) resolver.fault('duplicate', at, `${text} is already given`)
    seen.add(text)
  }
}

function resolvePlugins(
  plugins: readonly RawPlugin[],
  path: KeyPath,
  surroundings: Surroundings,
  resolver: Resolver,
): PluginSpec[] {
  const resolved = plugins.map((plugin, index) =>
    resolvePlugin(plugin, [...path, index], surroundings, resolver),
  )
  const ids = resolved.map((each) => each.id ?? '')
  for (const [index, id] of ids.entries())
    if (id !== '' && ids.indexOf(id) < index)
      resolver.fault('duplicate', [...path, index, 'id'], `there is another plugin with id ${id}`)
  return resolved
}

/** A plugin's source must be given once and must be there. */
export function resolvePlugin(
  raw: RawPlugin,
  path: KeyPath,
  surroundings: Surroundings,
  resolver: Resolver,
): PluginSpec {
  const form = raw.bundle === undefined ? 'folder' : 'bundle'
  const given = raw.bundle ?? raw.plugin ?? ''
  if ((raw.bundle === undefined) === (raw.plugin === undefined))
    resolver.fault('invalid', path, 'expected exactly one of plugin and bundle')
  const target = resolve(surroundings.folder, given)
  const needed = form === 'folder' ? resolve(target, 'pronto.json') : target
  if (given !== '' && !surroundings.exists(needed)) {
    const what = form === 'folder' ? 'a folder with pronto.json' : 'a bundle'
    const key = form === 'folder' ? 'plugin' : 'bundle'
    resolver.fault('unknown', [...path, key], `expected ${what}, but there is no ${needed}`)
  }
  return { id: raw.id, source: { form, path: target }, config: raw.config ?? {} }
}
