/**
 * From a configuration file to a configuration. The one idea: three walls, each of which reports all it finds before
 * the next is tried: the text (bounds, YAML or JSON), the form (schema), the meaning (names, addresses, routes,
 * policy, what goes with what).
 */
import { dirname, resolve } from 'node:path'
import {
  hint,
  type KeyPath,
  Resolver,
  readDocument,
  readDocumentFile,
  schemaCheck,
} from '../../document/index.ts'
import { type Action, ROUTER_OWNER } from '../../engine/index.ts'
import { SIGNALING_PORT } from '../../engine/signaling/message.ts'
import { type JsonValue, normalise } from '../../execution-env/contract/index.ts'
import {
  checkOwnNetworks,
  interfacesOf,
  policyNames,
  RouterView,
  resolveAction,
  resolvePolicy,
} from '../policy/index.ts'
import type { PluginDeclaration, PortSpec, RemoteControl, RouterConfig } from './config.ts'
import { CONFIG_FORMATS, configSchema } from './config-schema.ts'
import type { RawConfig, RawPlugin, RawRemote } from './raw-config.ts'
import { checkInterfaces, resolveRoutes } from './routes.ts'

const checkForm = schemaCheck(configSchema, CONFIG_FORMATS)
/** Remote control listens on the router's own loopback unless an address is given. */
const DEFAULT_ADDRESS = '127.0.0.1'
/** Names through which an object's prototype can be reached. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['constructor', 'prototype', '__proto__'])

/**
 * Reads and checks a configuration file.
 * @throws DocumentError
 */
export function loadRouterConfig(file: string): RouterConfig {
  return parseRouterConfig(readDocumentFile(file, 'a router configuration'), file, dirname(resolve(file)))
}

/**
 * Checks the text of a configuration file.
 * @param text hostile
 * @param file its name, for messages
 * @param folder from which relative paths start; absolute
 * @throws DocumentError
 */
export function parseRouterConfig(text: string, file: string, folder: string): RouterConfig {
  const document = readDocument(text, file)
  document.refuse(checkForm(document.value))
  const resolver = new Resolver()
  const config = resolveConfig(document.value as unknown as RawConfig, folder, resolver)
  document.refuse(resolver.findings)
  return config
}

function resolveConfig(raw: RawConfig, folder: string, resolver: Resolver): RouterConfig {
  const interfaces = interfacesOf(raw.addresses)
  checkInterfaces(interfaces, resolver)
  const routes = resolveRoutes(raw.routes ?? [], interfaces, resolver)
  checkOwnNetworks(interfaces, routes, [], resolver)
  const view = new RouterView(interfaces, routes)
  return {
    name: raw.name,
    ports: resolvePorts(raw, resolver),
    interfaces,
    routes,
    policy: resolvePolicy(raw.policy ?? {}, ['policy'], view, resolver),
    fallback: resolveFallback(raw, view, resolver),
    plugins: resolvePlugins(raw.plugins ?? [], folder, resolver),
    trust: resolveTrust(raw, folder, resolver),
    keys: Object.fromEntries(
      Object.entries(raw.keys ?? {}).map(([key, file]) => [key, resolve(folder, file)]),
    ),
    state: raw.state === undefined ? undefined : resolve(folder, raw.state),
    punt: raw.punt,
    signaling: raw.signaling && { port: raw.signaling.port ?? SIGNALING_PORT },
    local: raw.control?.local ?? {},
    remote: resolveRemote(raw.control?.remote, folder),
  }
}

/** Every port is one that has addresses; where none are listed, the addresses say which there are. */
function resolvePorts(raw: RawConfig, resolver: Resolver): PortSpec[] {
  const names = Object.keys(raw.addresses)
  for (const name of Object.keys(raw.ports ?? {}))
    if (!names.includes(name))
      resolver.fault('unknown', ['ports', name], `no addresses for ${name}${hint(name, names)}`, 'key')
  const devices = new Map<string, string>()
  return names.map((name) => {
    const { device = name, ...rest } = raw.ports?.[name] ?? {}
    const other = devices.get(device)
    if (other !== undefined)
      resolver.fault('duplicate', ['ports', name, 'device'], `${device} is already port ${other}`)
    devices.set(device, name)
    return { name, device, ...rest }
  })
}

/** The action is a plugin's, so that the router's own tunnels are named as the router's. */
function resolveFallback({ fallback = 'closed', policy }: RawConfig, view: RouterView, resolver: Resolver) {
  if (typeof fallback === 'string') return fallback
  const action = resolveAction(fallback, ['fallback'], policyNames(policy ?? {}, view, resolver))
  return withOwner(action)
}

/** The action with its tunnels named as seen by another owner. */
function withOwner(action: Action): Action {
  switch (action.kind) {
    case 'tunnel':
      return { ...action, tunnel: `${ROUTER_OWNER}/${action.tunnel}` }
    case 'rewrite':
    case 'class':
      // biome-ignore lint/suspicious/noThenProperty: the action's own word for what follows; never awaited
      return { ...action, then: withOwner(action.then) }
    case 'replicate':
      return { ...action, to: action.to.map(withOwner) }
    case 'spread':
      return { ...action, to: action.to.map((each) => ({ ...each, action: withOwner(each.action) })) }
    default:
      return action
  }
}

function resolvePlugins(
  plugins: readonly RawPlugin[],
  folder: string,
  resolver: Resolver,
): PluginDeclaration[] {
  const seen = new Map<string, number>()
  return plugins.map((raw, index) => {
    const path: KeyPath = ['plugins', index]
    if (raw.id !== undefined && seen.has(raw.id))
      resolver.fault('duplicate', [...path, 'id'], `there is another plugin with id ${raw.id}`)
    if (raw.id === 'router')
      resolver.fault('conflict', [...path, 'id'], 'router is the router itself; expected another id')
    if (raw.id !== undefined) seen.set(raw.id, index)
    checkJson(raw.config ?? {}, [...path, 'config'], resolver)
    return {
      id: raw.id,
      file: resolve(folder, raw.bundle),
      config: raw.config ?? {},
      priority: raw.priority ?? 0,
      ...(raw.capabilities === undefined ? {} : { allow: normalise(raw.capabilities) }),
      limits: raw.limits ?? {},
      trusted: raw.trusted ?? false,
      ...(raw.cpu === undefined ? {} : { cpu: raw.cpu }),
    }
  })
}

/** Notes what YAML can say and a plugin's configuration, which travels as JSON, cannot. */
function checkJson(value: JsonValue, path: KeyPath, resolver: Resolver): void {
  if (typeof value === 'number' && !Number.isFinite(value))
    resolver.fault('invalid', path, 'expected a finite number')
  if (typeof value === 'string' && !value.isWellFormed())
    resolver.fault('invalid', path, 'expected a text without half of a surrogate pair')
  if (typeof value !== 'object' || value === null) return
  for (const [key, each] of Object.entries(value)) {
    const step = Array.isArray(value) ? Number(key) : key
    if (FORBIDDEN_KEYS.has(key) || !key.isWellFormed())
      resolver.fault('invalid', [...path, step], 'a key may not be called so', 'key')
    checkJson(each, [...path, step], resolver)
  }
}

/** Plugins and remote operators are believed by their certificates only. */
function resolveTrust(raw: RawConfig, folder: string, resolver: Resolver): string | undefined {
  if (raw.trust !== undefined) return resolve(folder, raw.trust)
  const needs =
    (raw.plugins ?? []).length > 0
      ? 'plugins'
      : (raw.control?.remote && 'control.remote') || (raw.signaling && 'signaling')
  if (needs !== undefined)
    resolver.fault('missing', [], `missing key trust: ${needs} needs to know whom to believe`)
  return undefined
}

function resolveRemote(raw: RawRemote | undefined, folder: string): RemoteControl | undefined {
  if (raw === undefined) return undefined
  return {
    host: raw.address ?? DEFAULT_ADDRESS,
    port: raw.port,
    certificate: resolve(folder, raw.certificate),
    key: resolve(folder, raw.key),
  }
}
