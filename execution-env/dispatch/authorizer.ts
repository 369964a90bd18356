/**
 * The authorizer: every command against what was granted, every time. The one idea: a capability is necessary and its
 * bound is exact; a command names what it touches, and each of those names must lie within the bound.
 *
 * It judges what may be done, not whether it can be: names that do not exist are the engine's to refuse.
 */
import { type CompiledFilter, EngineError } from '../../engine/index.ts'
import { parseIpv4Address } from '../../engine/wire/index.ts'
import type { Command, CommandName, FlowKey, WireAction, WireFallback } from '../contract/api/index.ts'
import { grantedFields, VERBS } from '../contract/api/index.ts'
import type { PrefixSet } from '../contract/index.ts'
import type { Grants } from './grants.ts'

/** What the authorizer must know of the router. */
export interface RouterView {
  readonly ports: readonly string[]
  compile(command: Extract<Command, { filter: unknown }>, place: string): CompiledFilter
  /** Whether actions may name this class: the plugin's own or the operator's. */
  hasClass(name: string): boolean
}

/** Which verb a command comes from. */
const VERB_OF: Readonly<Record<CommandName, readonly [word: string, verb: string] | undefined>> = {
  claim: ['flows', 'claim'],
  unclaim: ['flows', 'unclaim'],
  pin: ['flows', 'pin'],
  unpin: ['flows', 'unpin'],
  follow: ['flows', 'ended'],
  'open-tunnel': ['tunnels', 'open'],
  'close-tunnel': ['tunnels', 'close'],
  'create-class': ['classes', 'create'],
  'set-class': ['classes', 'set'],
  'remove-class': ['classes', 'remove'],
  listen: ['messages', 'on'],
  send: ['messages', 'send'],
  answer: ['query', 'answer'],
  watch: ['query', 'watch'],
  'watch-route': ['routes', 'watch'],
  timer: ['timers', 'every'],
  cancel: undefined,
  fetch: ['http', 'get'],
  'lookup-certificate': ['certificates', 'lookup'],
  sign: ['keys', 'sign'],
  verify: ['keys', 'verify'],
  'define-action': ['flows', 'claim'],
  'define-fallback': ['flows', 'claim'],
  'forget-actions': undefined,
}

export class Authorizer {
  readonly #grants: Grants
  readonly #granted: ReadonlySet<string>
  readonly #view: RouterView

  constructor(grants: Grants, view: RouterView) {
    this.#grants = grants
    this.#granted = new Set(grantedFields(grants.capabilities))
    this.#view = view
  }

  /** @param command of the schema @throws EngineError `forbidden`; `invalid` for a filter that is none */
  authorize(command: Command, place: string): void {
    this.#requireVerb(command, place)
    switch (command.do) {
      case 'claim':
        this.#requireTraffic(this.#view.compile(command, `${place}.filter`), `${place}.filter`)
        if (command.otherwise !== undefined) this.#action(command.otherwise, `${place}.otherwise`)
        return
      case 'pin':
        this.#requireKey(command.key, `${place}.key`)
        return this.#action(command.action, `${place}.action`)
      case 'unpin':
        return this.#requireKey(command.key, `${place}.key`)
      case 'define-action':
      case 'define-fallback':
        return this.#action(command.action, `${place}.action`)
      case 'open-tunnel':
        return requireAddress(this.#grants.tunnels, command.to, 'tunnels.open', `${place}.to`)
      case 'create-class':
        return this.#requirePorts(command.port, `${place}.port`)
      case 'listen':
        return requireBound(this.#grants.mayListen(command.topic), 'messages.on', command.topic, place)
      case 'send':
        return requireBound(this.#grants.maySend(command.topic), 'messages.send', command.topic, place)
      case 'answer':
        return requireBound(
          this.#grants.mayQuery('answer', command.name),
          'query.answer',
          command.name,
          place,
        )
      case 'watch': {
        const { table } = command.query
        return requireBound(this.#grants.mayQuery('watch', table), 'query.watch', table, place)
      }
      case 'watch-route':
        return requireAddress(this.#grants.routesWatch, command.address, 'routes.watch', `${place}.address`)
      case 'timer':
        return this.#requireRate(command.afterNs, command.repeat, place)
      case 'fetch':
        return requireBound(this.#grants.mayFetch(command.url), 'http.get', command.url, `${place}.url`)
      case 'lookup-certificate':
        return requireBound(
          this.#grants.mayLookup(command.name),
          'certificates.lookup',
          command.name,
          `${place}.name`,
        )
      case 'sign':
        return this.#requireKeyName('sign', command.key, place)
      case 'verify':
        // Whoever has a key itself needs nobody's leave to compute with it.
        if (command.key !== undefined) this.#requireKeyName('verify', command.key, place)
    }
  }

  /** Whether decisions may leave a flow parked. */
  get mayPark(): boolean {
    return this.#grants.actions.has('park')
  }

  #requireVerb(command: Command, place: string): void {
    const verb = VERB_OF[command.do]
    if (verb === undefined) return
    const need = VERBS[verb[0]]![verb[1]]!
    if (need === 'nothing' || (Array.isArray(need) && need.some((field) => this.#granted.has(field)))) return
    throw new EngineError('forbidden', `needs the capability ${[need].flat().join(' or ')}`, place)
  }

  #requireTraffic(filter: CompiledFilter, place: string): void {
    const { flowsTo, flowsFrom } = this.#grants
    if (flowsTo.coversMatch(filter.destinationValue, filter.destinationMask)) return
    if (flowsFrom.coversMatch(filter.sourceValue, filter.sourceMask)) return
    throw new EngineError('forbidden', 'is beyond the granted flows.to and flows.from', place)
  }

  #requireKey(key: FlowKey, place: string): void {
    if (holds(this.#grants.flowsTo, key.to) || holds(this.#grants.flowsFrom, key.from)) return
    throw new EngineError('forbidden', 'is beyond the granted flows.to and flows.from', place)
  }

  #action(action: WireFallback, place: string): void {
    const { actions, targets } = this.#grants
    requireBound(actions.has(action.kind), 'flows.actions', action.kind, place)
    switch (action.kind) {
      case 'forward':
        if (action.via !== undefined) requireAddress(targets, action.via, 'flows.targets', `${place}.via`)
        return
      case 'rewrite':
        for (const field of ['from', 'to'] as const) {
          const address = action[field]
          if (address !== undefined) requireAddress(targets, address, 'flows.targets', `${place}.${field}`)
        }
        return this.#action(action.then, `${place}.then`)
      case 'class':
        if (!this.#view.hasClass(action.class))
          throw new EngineError('unknown', `no class ${action.class} of this plugin or the operator`, place)
        return this.#action(action.then, `${place}.then`)
      case 'replicate':
        action.to.forEach((each: WireAction, i: number) => {
          this.#action(each, `${place}.to[${i}]`)
        })
        return
      case 'spread':
        action.to.forEach((each, i) => {
          this.#action(each.action, `${place}.to[${i}].action`)
        })
    }
  }

  /** A class without a port is one on every port. */
  #requirePorts(port: string | undefined, place: string): void {
    for (const each of port === undefined ? this.#view.ports : [port])
      requireBound(this.#grants.mayUsePort(each), 'classes.ports', each, place)
  }

  #requireKeyName(verb: 'sign' | 'verify', name: string, place: string): void {
    requireBound(this.#grants.mayUseKey(verb, name), `keys.${verb}`, name, `${place}.key`)
  }

  #requireRate(afterNs: number, repeat: boolean, place: string): void {
    const { timersPerSecond } = this.#grants
    if (!repeat || 1e9 / afterNs <= timersPerSecond) return
    throw new EngineError(
      'forbidden',
      `is more often than the granted ${timersPerSecond} times a second`,
      place,
    )
  }
}

function holds(set: PrefixSet, address: string): boolean {
  const value = parseIpv4Address(address)
  return value !== undefined && set.contains(value >>> 0)
}

/** @throws EngineError `forbidden` unless the address is in the granted set */
export function requireAddress(set: PrefixSet, address: string, capability: string, place: string): void {
  requireBound(holds(set, address), capability, address, place)
}

function requireBound(within: boolean, capability: string, what: string, place: string): void {
  if (!within) throw new EngineError('forbidden', `${what} is beyond the granted ${capability}`, place)
}
