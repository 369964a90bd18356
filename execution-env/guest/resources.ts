/**
 * Tunnels and traffic classes inside a guest: handles for keys. The one idea: a handle is a frozen object whose only
 * content is its key; what it stands for is looked up here, so that nothing can be forged or changed.
 *
 * Self-contained: the text of this function runs inside the isolate.
 */
import type { TrafficClass, Tunnel } from '../contract/api/handles.ts'
import type { Host } from '../sandbox/kernel.ts'
import type { Values } from './values.ts'

/** A tunnel that is open, with the numbers of the actions that lead into it. */
export interface TunnelEntry {
  readonly key: string
  readonly handle: Tunnel
  readonly number: number
  /** Number of the action without a class, or 0. */
  plain: number
  /** By class: number of the action. */
  readonly byClass: Map<unknown, number>
}

export interface Resources {
  readonly tunnels: { readonly open: (options: unknown) => Tunnel; readonly close: (handle: Tunnel) => void }
  readonly classes: {
    readonly create: (options: unknown) => TrafficClass
    readonly set: (handle: TrafficClass, change: unknown) => void
    readonly remove: (handle: TrafficClass) => void
  }
  /** The entry of an open tunnel's handle, or undefined. */
  readonly tunnelOf: (handle: unknown) => TunnelEntry | undefined
  /** The handle of a tunnel's number, or undefined. */
  readonly tunnelNumbered: (number: number) => Tunnel | undefined
  /** The key behind a class's handle, or a name of the operator's. @throws Error */
  readonly classKey: (value: unknown) => string
  /** Forgets the numbers of all actions. */
  readonly forgetActions: () => void
}

export function createResources(host: Host, values: Values): Resources {
  const { refusal, show } = values
  const entries = new Map<unknown, TunnelEntry>()
  const byNumber = new Map<number, Tunnel>()
  const tunnelKeys = new Set<string>()
  const classKeys = new Map<unknown, string>()
  let lastNumber = 0

  const record = (value: unknown, place: string): Record<string, unknown> => {
    if (typeof value !== 'object' || value === null)
      throw refusal('invalid', `${place}: expected an object, got ${show(value)}`)
    return value as Record<string, unknown>
  }
  const classKey = (value: unknown): string => {
    if (typeof value === 'string') return value
    const key = classKeys.get(value)
    if (key === undefined) throw refusal('closed', 'class: not a class of this plugin, or removed')
    return key
  }

  return {
    tunnels: {
      open(options) {
        const { to, kind, key: given, ttl, mtu } = record(options, 'tunnels.open')
        const usual = kind === undefined || kind === 'ip-in-ip'
        const key =
          given === undefined ? (usual ? String(to) : `${String(kind)}:${String(to)}`) : String(given)
        if (tunnelKeys.has(key)) throw refusal('exists', `tunnels.open: ${show(key)} is open already`)
        const number = lastNumber + 1
        const request = { do: 'open-tunnel', tunnel: number, key, to, kind, ttl, mtu }
        host.request(request as never)
        lastNumber = number
        const handle = Object.freeze({ key }) as Tunnel
        tunnelKeys.add(key)
        entries.set(handle, { key, handle, number, plain: 0, byClass: new Map() })
        byNumber.set(number, handle)
        return handle
      },
      close(handle) {
        const entry = entries.get(handle)
        if (entry === undefined) throw refusal('closed', 'tunnels.close: not an open tunnel of this plugin')
        host.request({ do: 'close-tunnel', key: entry.key })
        entries.delete(handle)
        byNumber.delete(entry.number)
        tunnelKeys.delete(entry.key)
      },
    },
    classes: {
      create(options) {
        const { name, parent, ...rest } = record(options, 'classes.create')
        for (const key of classKeys.values())
          if (key === name) throw refusal('exists', `classes.create: ${show(name)} exists already`)
        const above = parent === undefined ? undefined : classKey(parent)
        host.request({ ...rest, do: 'create-class', name, parent: above } as never)
        const handle = Object.freeze({ key: String(name) }) as TrafficClass
        classKeys.set(handle, String(name))
        return handle
      },
      set(handle, change) {
        host.request({ ...record(change, 'classes.set'), do: 'set-class', name: classKey(handle) } as never)
      },
      remove(handle) {
        host.request({ do: 'remove-class', name: classKey(handle) })
        classKeys.delete(handle)
      },
    },
    tunnelOf: (handle) => entries.get(handle),
    tunnelNumbered: (number) => byNumber.get(number),
    classKey,
    forgetActions() {
      for (const entry of entries.values()) {
        entry.plain = 0
        entry.byClass.clear()
      }
    },
  }
}
