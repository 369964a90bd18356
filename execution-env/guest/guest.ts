/**
 * The guest: the trusted code beside a plugin, which builds its `router` object and is called in its stead. The one
 * idea: a verb is there for everyone, and says at once whether the capability or the facility is missing; what it may
 * be applied to, the router judges.
 *
 * Self-contained: the text of this function runs inside the isolate.
 */
import type { ExportedState, GuestEvent, SetupArgument, SetupResult } from '../contract/api/index.ts'
import type { JsonValue } from '../contract/json.ts'
import type { Entries, Host } from '../sandbox/kernel.ts'
import { createActions } from './actions.ts'
import { createFlows, type FlowsWord } from './flows.ts'
import type { Layout } from './layout.ts'
import { createResources } from './resources.ts'
import { createServices } from './services.ts'
import { createSubscriptions } from './subscriptions.ts'
import { createTalk } from './talk.ts'
import { createValues } from './values.ts'

type Verbs = Readonly<Record<string, (...parameters: never[]) => unknown>>
type PluginHooks = {
  readonly exportState?: () => unknown
  readonly importState?: (state: unknown) => void
  readonly stateVersions?: readonly number[]
}

export function createGuest(host: Host, exports: unknown, layout: Layout): Entries {
  const values = createValues()
  const resources = createResources(host, values)
  const actions = createActions(host, values, resources)
  const subscriptions = createSubscriptions(host, values)
  const talk = createTalk(host, values, subscriptions)
  const services = createServices(values, subscriptions)
  const { refusal, show } = values
  let flows: FlowsWord | undefined
  let hooks: PluginHooks = {}

  const freeze = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    for (const each of Object.values(value)) freeze(each)
    return Object.freeze(value)
  }

  /** A word whose verbs refuse where capability or facility is missing. */
  const wordOf = (word: string, verbs: Verbs, granted: ReadonlySet<string>): Verbs => {
    const entries = Object.entries(layout.verbs[word] ?? {}).map(([verb, need]) => {
      const name = `${word}.${verb}`
      if (need === 'unsupported')
        return [verb, () => refuse('unsupported', `${name} is not in this version of the API yet`)] as const
      const allowed = need === 'nothing' || need.some((field) => granted.has(field))
      if (!allowed)
        return [
          verb,
          () => refuse('forbidden', `${name} needs the capability ${(need as string[]).join(' or ')}`),
        ] as const
      return [verb, verbs[verb]!] as const
    })
    return Object.freeze(Object.fromEntries(entries))
  }

  const refuse = (code: 'unsupported' | 'forbidden', message: string): never => {
    throw refusal(code, message)
  }

  const routerOf = (argument: SetupArgument, flowVerbs: Verbs): unknown => {
    const granted = new Set<string>()
    for (const [word, fields] of Object.entries(argument.capabilities))
      for (const field of Object.keys(fields as object)) granted.add(`${word}.${field}`)
    const verbs: Readonly<Record<string, Verbs>> = {
      flows: flowVerbs,
      tunnels: resources.tunnels,
      classes: resources.classes,
      routes: talk.routes,
      messages: talk.messages,
      query: talk.query,
      timers: talk.timers,
      http: services.http,
      certificates: services.certificates,
      keys: services.keys,
    }
    const words = Object.keys(layout.verbs).map((word) => [word, wordOf(word, verbs[word] ?? {}, granted)])
    return Object.freeze({
      ...Object.fromEntries(words),
      apiVersion: 1,
      id: argument.id,
      log: Object.freeze({ ...talk.log }),
      now: host.now,
      clock: host.clock,
      random: host.random,
    })
  }

  const hooksOf = (returned: unknown): PluginHooks => {
    if (returned === undefined || returned === null) return {}
    if (typeof returned !== 'object')
      throw refusal('invalid', `setup returned ${show(returned)}, expected hooks or nothing`)
    const { exportState, importState, stateVersions } = returned as PluginHooks
    for (const hook of [exportState, importState])
      if (hook !== undefined && typeof hook !== 'function')
        throw refusal('invalid', 'setup returned a hook that is not a function')
    return {
      ...(exportState === undefined ? {} : { exportState }),
      ...(importState === undefined ? {} : { importState }),
      ...(stateVersions === undefined ? {} : { stateVersions: [...stateVersions] }),
    }
  }

  const setup = (argument: SetupArgument): SetupResult => {
    if (flows !== undefined) throw refusal('exists', 'setup was called already')
    const module = exports as { default?: unknown } | null | undefined
    const plugin = (module?.default ?? module) as { setup?: unknown } | null | undefined
    if (typeof plugin?.setup !== 'function')
      throw refusal('invalid', 'the plugin exports no setup function: export default definePlugin({ setup })')
    flows = createFlows(host, values, resources, actions, subscriptions, layout, {
      ports: argument.ports,
      payloadBytes: argument.capabilities.flows?.payloadBytes ?? 0,
    })
    const router = routerOf(argument, flows.verbs)
    hooks = hooksOf(Reflect.apply(plugin.setup, plugin, [router, freeze(argument.config)]))
    return {
      exportsState: hooks.exportState !== undefined,
      importsState: hooks.importState !== undefined,
      ...(hooks.stateVersions === undefined ? {} : { stateVersions: hooks.stateVersions }),
    }
  }

  const exportState = (): ExportedState => {
    const state = hooks.exportState?.() as ExportedState
    if (typeof state !== 'object' || state === null || !Number.isInteger(state.version))
      throw refusal('invalid', 'exportState: expected an object with a whole number as its version')
    return state
  }

  return {
    calls: {
      setup: (argument) => setup(argument as unknown as SetupArgument) as unknown as JsonValue,
      deliver(argument) {
        const event = argument as unknown as GuestEvent
        if (event.event !== 'forget-actions') return talk.deliver(event) as JsonValue
        actions.forget()
        return null
      },
      exportState: () => exportState() as unknown as JsonValue,
      importState(argument) {
        hooks.importState?.(freeze(argument))
        return null
      },
    },
    batches: {
      decide: (input, output, count) => flows?.decide(input, output, count),
      ended: (input, output, count) => flows?.ended(input, output, count),
    },
  }
}
