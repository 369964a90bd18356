/**
 * From a configuration file to a host agent's configuration. The one idea: three walls, each of which reports all it
 * finds before the next is tried: the text, the form (schema), the meaning.
 */
import { dirname, resolve } from 'node:path'
import {
  addressOf,
  contains,
  DURATION,
  formatSubnet,
  overlap,
  type RawQuantity,
  Resolver,
  readDocument,
  readDocumentFile,
  schemaCheck,
  subnetOf,
  unusable,
} from '../../../document/index.ts'
import { type HostState, SIGNALING_PORT } from '../index.ts'
import type { ExitKind, HostConfig, IdentityFiles, LoadSpec, VirtualHosts } from './config.ts'
import { hostSchema } from './config-schema.ts'

interface RawLoad {
  readonly source?: LoadSpec['source']
  readonly command?: readonly string[]
  readonly url?: string
  readonly file?: string
  readonly interval?: RawQuantity
  readonly full?: number
}

interface RawHost {
  readonly name: string
  readonly address: string
  readonly devices: readonly string[]
  readonly virtualHosts: readonly string[]
  readonly routers?: readonly string[]
  readonly signaling?: { readonly port?: number }
  readonly gateway?: string
  readonly certificate?: string
  readonly key?: string
  readonly trust?: string
  readonly interval?: RawQuantity
  readonly exit?: ExitKind
  readonly load?: string | RawLoad
  readonly state?: HostState
}

const NS_PER_MS = 1e6
const INTERVAL = { min: 100e6, max: 60e9, expected: 'a duration from 100ms to 1m' }
const DEFAULT_INTERVAL = '1s'
/** How often a load is measured that costs something to measure. */
const DEFAULT_MEASURE = '2s'
const DEFAULT_FULL_CONNECTIONS = 1000

const checkForm = schemaCheck(hostSchema)

/** Reads and checks a configuration file. @throws DocumentError */
export function loadHostConfig(file: string): HostConfig {
  return parseHostConfig(readDocumentFile(file, 'a host configuration'), file, dirname(resolve(file)))
}

/**
 * Checks the text of a configuration file.
 * @param text hostile
 * @param file its name, for messages
 * @param folder from which relative paths start; absolute
 * @throws DocumentError
 */
export function parseHostConfig(text: string, file: string, folder: string): HostConfig {
  const document = readDocument(text, file)
  document.refuse(checkForm(document.value))
  const resolver = new Resolver()
  const config = resolveHost(document.value as unknown as RawHost, folder, resolver)
  document.refuse(resolver.findings)
  return config
}

function resolveHost(raw: RawHost, folder: string, resolver: Resolver): HostConfig {
  const own = ownAddress(raw.address, ['address'], resolver)
  const virtualHosts = resolveVirtualHosts(raw, own, resolver)
  checkDevices(raw.devices, resolver)
  const routers = (raw.routers ?? []).map((each, index) => ownAddress(each, ['routers', index], resolver))
  for (const [index, router] of routers.entries()) {
    if (routers.indexOf(router) !== index)
      resolver.fault('duplicate', ['routers', index], 'this router stands there before')
    if (router === own)
      resolver.fault('conflict', ['routers', index], "expected a router's address; this is the host's own")
  }
  const interval = raw.interval ?? DEFAULT_INTERVAL
  return {
    name: raw.name,
    address: own,
    devices: raw.devices,
    virtualHosts,
    routers,
    signalingPort: raw.signaling?.port ?? SIGNALING_PORT,
    gateway: raw.gateway === undefined ? undefined : ownAddress(raw.gateway, ['gateway'], resolver),
    identity: resolveIdentity(raw, folder, resolver),
    intervalMs: resolver.quantity(DURATION, interval, ['interval'], INTERVAL) / NS_PER_MS,
    exit: raw.exit ?? 'bpf',
    load: resolveLoad(raw.load ?? 'load-average', folder, resolver),
    state: raw.state ?? 'active',
  }
}

function ownAddress(text: string, path: readonly (string | number)[], resolver: Resolver): number {
  const address = addressOf(text)
  const why = unusable(address)
  if (why !== undefined) resolver.fault('invalid', path, `expected an address of a host; ${text} ${why}`)
  return address
}

function resolveVirtualHosts(raw: RawHost, own: number, resolver: Resolver): VirtualHosts[] {
  const subnets = raw.virtualHosts.map(subnetOf)
  return subnets.map((subnet, index) => {
    const path = ['virtualHosts', index]
    const text = formatSubnet(subnet)
    if (subnet.length < 8) resolver.fault('invalid', path, `expected a prefix of 8 bits or more, got ${text}`)
    const why = unusable(subnet.first)
    if (why !== undefined) resolver.fault('invalid', path, `expected virtual addresses; ${text} ${why}`)
    if (contains(subnet, own)) resolver.fault('conflict', path, `${raw.address} is this host's own address`)
    for (const router of raw.routers ?? [])
      if (contains(subnet, addressOf(router)))
        resolver.fault('conflict', path, `${router} is the address of a router`)
    if (raw.gateway !== undefined && contains(subnet, addressOf(raw.gateway)))
      resolver.fault('conflict', path, `${raw.gateway} is the address of the gateway`)
    if (subnets.slice(0, index).some((other) => overlap(subnet, other)))
      resolver.fault('duplicate', path, `${text} overlaps with an earlier one`)
    return { text, prefix: { address: subnet.first, length: subnet.length } }
  })
}

function checkDevices(devices: readonly string[], resolver: Resolver): void {
  for (const [index, device] of devices.entries()) {
    if (devices.indexOf(device) !== index)
      resolver.fault('duplicate', ['devices', index], `${device} stands there before`)
    if (device === 'lo' || device === 'all' || device === 'default')
      resolver.fault('invalid', ['devices', index], `expected a device that leads to routers, got ${device}`)
  }
}

/** Routers take in only who shows a certificate. */
function resolveIdentity(raw: RawHost, folder: string, resolver: Resolver): IdentityFiles | undefined {
  const { certificate, key, trust } = raw
  const needed = (raw.routers ?? []).length > 0 || certificate !== undefined || key !== undefined
  if (!needed) return undefined
  for (const [name, value] of [
    ['certificate', certificate],
    ['key', key],
  ] as const)
    if (value === undefined)
      resolver.fault('missing', [], `missing key ${name}: routers take in only hosts that show a certificate`)
  return {
    certificate: resolve(folder, certificate ?? ''),
    key: resolve(folder, key ?? ''),
    trust: trust === undefined ? undefined : resolve(folder, trust),
  }
}

/** Words that each source needs, and others that it may have. */
const LOAD_WORDS: Readonly<Record<LoadSpec['source'], { needs?: keyof RawLoad; may: (keyof RawLoad)[] }>> = {
  'load-average': { may: [] },
  connections: { may: ['full'] },
  command: { needs: 'command', may: ['interval'] },
  http: { needs: 'url', may: ['interval'] },
  file: { needs: 'file', may: [] },
}

function resolveLoad(raw: string | RawLoad, folder: string, resolver: Resolver): LoadSpec {
  const words: RawLoad = typeof raw === 'string' ? { source: raw as LoadSpec['source'] } : raw
  const source = words.source ?? inferred(words)
  const form = source === undefined ? undefined : LOAD_WORDS[source]
  if (source === undefined || form === undefined) {
    resolver.fault('invalid', ['load'], 'expected load-average, connections, or a mapping with source')
    return { source: 'load-average' }
  }
  const known = ['source', form.needs, ...form.may]
  for (const key of Object.keys(words))
    if (!known.includes(key as keyof RawLoad))
      resolver.fault('conflict', ['load', key], `does not go with source ${source}`, 'key')
  if (form.needs !== undefined && words[form.needs] === undefined)
    resolver.fault('missing', ['load'], `missing key ${form.needs}: source ${source} needs it`)
  const interval = words.interval ?? DEFAULT_MEASURE
  const intervalMs = resolver.quantity(DURATION, interval, ['load', 'interval'], INTERVAL) / NS_PER_MS
  switch (source) {
    case 'load-average':
      return { source }
    case 'connections':
      return { source, full: words.full ?? DEFAULT_FULL_CONNECTIONS }
    case 'command':
      return { source, command: words.command ?? [], intervalMs }
    case 'http':
      return { source, url: words.url ?? '', intervalMs }
    case 'file':
      return { source, file: resolve(folder, words.file ?? '') }
  }
}

/** `{ command: [...] }` alone says enough. */
function inferred({ command, url, file }: RawLoad): LoadSpec['source'] | undefined {
  if (command !== undefined) return 'command'
  if (url !== undefined) return 'http'
  return file === undefined ? undefined : 'file'
}
