/**
 * A draft: what the commands of one call would make of a program and of what its owner holds. The one idea: commands
 * are read in order against what is there and what the draft has already; nothing outside the draft changes until it
 * is applied, so that a refusal has nothing to undo.
 */
import { type Change, type CompiledFilter, compileFilter, EngineError } from '../../engine/index.ts'
import { parseIpv4Address } from '../../engine/wire/index.ts'
import type { Command } from '../contract/api/index.ts'
import { checkConfigSchema, checkOf, formatProblem, type JsonValue } from '../contract/index.ts'
import { type ClaimSpec, type ClassSpec, claimKey, type Holdings, type TunnelSpec } from './holdings.ts'
import {
  SUBSCRIPTION_LIMIT,
  SUBSCRIPTION_LIMITS,
  type Subscription,
  WATCH_INTERVAL_NS,
} from './subscription.ts'
import { toEngineAction } from './translate.ts'

/** Most of each thing that one owner holds. */
export const HOLDING_LIMITS = { claims: 256, tunnels: 4_096, classes: 256 } as const

/** What a program has made of numbers of its own. */
export interface ProgramNumbers {
  /** Claim number -> key of the claim. */
  readonly claims: Map<number, string>
  /** Key of a tunnel -> its number. */
  readonly tunnels: Map<string, number>
  readonly subscriptions: Map<number, Subscription>
}

/** A message on its way. */
export interface Sending {
  readonly topic: string
  readonly to: string | undefined
  readonly body: JsonValue
}

/** What a draft is written against. */
export interface DraftBase {
  readonly holdings: Holdings
  readonly numbers: ProgramNumbers
  /** Name of a class in the engine. */
  className(key: string): string
  portIndex(name: string): number | undefined
  /** Refuses a query that cannot be answered. @throws EngineError */
  tryQuery(query: Extract<Command, { do: 'watch' }>['query']): void
}

/** Values that replace those of the base; null takes one away. */
type Overlay<K, V> = Map<K, V | null>

export class Draft {
  readonly claims: Overlay<string, ClaimSpec> = new Map()
  readonly tunnels: Overlay<string, TunnelSpec> = new Map()
  readonly classes: Overlay<string, ClassSpec> = new Map()
  readonly claimNumbers: Overlay<number, string> = new Map()
  readonly tunnelNumbers: Overlay<string, number> = new Map()
  readonly subscriptions: Overlay<number, Subscription> = new Map()
  /** Pins and unpins, in order. */
  readonly flows: Change[] = []
  readonly sendings: Sending[] = []
  readonly #base: DraftBase

  constructor(base: DraftBase) {
    this.#base = base
  }

  /** Adds a command that was authorized. @throws EngineError when it does not fit */
  add(command: Command, place: string): void {
    switch (command.do) {
      case 'claim':
        return this.#claim(command, place)
      case 'unclaim':
        return this.#unclaim(command.claim, place)
      case 'pin': {
        const action = toEngineAction(command.action, this.#classNames)
        const idle = command.idleNs === undefined ? {} : { idleNs: command.idleNs }
        this.flows.push({ do: 'install-flow', key: command.key, action, ...idle })
        return
      }
      case 'unpin':
        this.flows.push({ do: 'remove-flow', key: command.key })
        return
      case 'open-tunnel': {
        const { do: _, tunnel, key, ...spec } = command
        this.#requireNew(this.tunnel(key), 'tunnel', key, place)
        this.#requireRoom(this.#base.holdings.tunnels, this.tunnels, HOLDING_LIMITS.tunnels, place)
        this.tunnels.set(key, spec)
        this.tunnelNumbers.set(key, tunnel)
        return
      }
      case 'close-tunnel':
        this.#requireKnown(this.tunnel(command.key), 'tunnel', command.key, place)
        this.tunnels.set(command.key, null)
        this.tunnelNumbers.set(command.key, null)
        return
      case 'create-class':
      case 'set-class':
      case 'remove-class':
        return this.#changeClass(command, place)
      case 'send':
        this.sendings.push({ topic: command.topic, to: command.to, body: command.body })
        return
      case 'cancel':
        this.subscriptions.set(command.subscription, null)
        return
      case 'define-action':
      case 'define-fallback':
      case 'forget-actions':
        return
      default:
        this.#subscribe(command.subscription, this.#subscriptionOf(command, place), place)
    }
  }

  /** The claim of a key as the draft has it. */
  claim(key: string): ClaimSpec | undefined {
    return look(this.claims, this.#base.holdings.claims, key)
  }

  tunnel(key: string): TunnelSpec | undefined {
    return look(this.tunnels, this.#base.holdings.tunnels, key)
  }

  class(key: string): ClassSpec | undefined {
    return look(this.classes, this.#base.holdings.classes, key)
  }

  /** Filter of a command in numbers. @throws EngineError */
  compile(command: Extract<Command, { filter: unknown }>, place: string): CompiledFilter {
    return compileFilter(command.filter, (name) => this.#base.portIndex(name), place)
  }

  readonly #classNames = (key: string): string =>
    this.class(key) === undefined ? key : this.#base.className(key)

  #claim(command: Extract<Command, { do: 'claim' }>, place: string): void {
    const compiled = this.compile(command, `${place}.filter`)
    const key = claimKey(compiled)
    const { claim, filter, waitNs, otherwise } = command
    this.#requireNew(this.claim(key), 'claim', 'with this filter', place)
    this.#requireNew(look(this.claimNumbers, this.#base.numbers.claims, claim), 'claim', claim, place)
    this.#requireRoom(this.#base.holdings.claims, this.claims, HOLDING_LIMITS.claims, place)
    this.claims.set(key, { filter, compiled, waitNs, otherwise })
    this.claimNumbers.set(claim, key)
  }

  #unclaim(number: number, place: string): void {
    const key = look(this.claimNumbers, this.#base.numbers.claims, number)
    if (key === undefined) throw new EngineError('unknown', `no claim ${number}`, place)
    this.claims.set(key, null)
    this.claimNumbers.set(number, null)
  }

  #changeClass(
    command: Extract<Command, { do: 'create-class' | 'set-class' | 'remove-class' }>,
    place: string,
  ): void {
    const { do: verb, name, ...given } = command as { do: string; name: string } & ClassSpec
    const present = this.class(name)
    if (verb === 'create-class') {
      this.#requireNew(present, 'class', name, place)
      this.#requireRoom(this.#base.holdings.classes, this.classes, HOLDING_LIMITS.classes, place)
      if (given.parent !== undefined)
        this.#requireKnown(this.class(given.parent), 'class', given.parent, `${place}.parent`)
      this.classes.set(name, given)
      return
    }
    this.#requireKnown(present, 'class', name, place)
    if (verb === 'remove-class') this.classes.set(name, null)
    else this.classes.set(name, changed(present!, given))
  }

  #subscriptionOf(command: Command, place: string): Subscription {
    switch (command.do) {
      case 'follow':
        if (command.filter.inPort !== undefined)
          throw new EngineError('invalid', 'the end of a flow has no port', `${place}.filter.inPort`)
        return { kind: 'ended', filter: this.compile(command, `${place}.filter`) }
      case 'listen':
        return { kind: 'message', topic: command.topic, check: messageCheckOf(command.schema, place) }
      case 'answer':
        return { kind: 'query', name: command.name }
      case 'watch':
        this.#base.tryQuery(command.query)
        return {
          kind: 'watch',
          query: command.query,
          everyNs: Math.max(command.everyNs, WATCH_INTERVAL_NS),
        }
      case 'watch-route':
        return { kind: 'route', address: parseIpv4Address(command.address)! >>> 0 }
      case 'timer':
        return { kind: 'timer', everyNs: command.afterNs, repeat: command.repeat }
      case 'verify':
        if ((command.key === undefined) === (command.publicKey === undefined))
          throw new EngineError('invalid', 'expected either key or publicKey', place)
        return { kind: 'service', command }
      case 'fetch':
      case 'lookup-certificate':
      case 'sign':
        return { kind: 'service', command }
      default:
        throw new EngineError('invalid', `unknown command ${command.do}`, place)
    }
  }

  #subscribe(number: number, subscription: Subscription, place: string): void {
    const { subscriptions } = this.#base.numbers
    this.#requireNew(look(this.subscriptions, subscriptions, number), 'subscription', number, place)
    this.#requireRoom(subscriptions, this.subscriptions, SUBSCRIPTION_LIMIT, place)
    let alike = 1
    for (const each of merged(this.subscriptions, subscriptions)) if (each.kind === subscription.kind) alike++
    const most = SUBSCRIPTION_LIMITS[subscription.kind]
    if (alike > most) throw new EngineError('limit', `more than ${most} subscriptions of this kind`, place)
    this.subscriptions.set(number, subscription)
  }

  #requireNew(present: unknown, kind: string, name: string | number, place: string): void {
    if (present !== undefined) throw new EngineError('exists', `${kind} ${name} exists already`, place)
  }

  #requireKnown(present: unknown, kind: string, name: string, place: string): void {
    if (present === undefined) throw new EngineError('unknown', `no ${kind} ${name} of this plugin`, place)
  }

  #requireRoom<K, V>(base: ReadonlyMap<K, V>, overlay: Overlay<K, V>, most: number, place: string): void {
    let size = base.size
    for (const [key, value] of overlay) {
      if (value !== null && !base.has(key)) size++
      if (value === null && base.has(key)) size--
    }
    if (size >= most) throw new EngineError('limit', `more than ${most}`, place)
  }
}

/** A value as overlay and base have it. */
export function look<K, V>(overlay: Overlay<K, V>, base: ReadonlyMap<K, V>, key: K): V | undefined {
  const own = overlay.get(key)
  return own === undefined ? base.get(key) : (own ?? undefined)
}

/** All values as overlay and base have them. */
export function* merged<K, V>(overlay: Overlay<K, V>, base: ReadonlyMap<K, V>): Iterable<V> {
  for (const [key, value] of base) if (!overlay.has(key)) yield value
  for (const value of overlay.values()) if (value !== null) yield value
}

/** Makes what an overlay says true in its base. */
export function overlayOnto<K, V>(overlay: Overlay<K, V>, base: Map<K, V>): void {
  for (const [key, value] of overlay)
    if (value === null) base.delete(key)
    else base.set(key, value)
}

function changed(present: ClassSpec, given: Partial<ClassSpec>): ClassSpec {
  const { ceiling, ...rest } = { ...present, ...given } as ClassSpec & {
    ceiling?: ClassSpec['ceiling'] | null
  }
  return ceiling == null ? rest : { ...rest, ceiling }
}

/** A schema takes time to compile, and the engine waits. */
const SCHEMA_CHARACTERS_MAX = 4_096

/** The check of message bodies that a plugin asks for, in the subset of JSON Schema that takes bounded time. */
function messageCheckOf(schema: unknown, place: string): ReturnType<typeof checkOf> | undefined {
  if (schema === undefined) return undefined
  if (JSON.stringify(schema).length > SCHEMA_CHARACTERS_MAX)
    throw new EngineError('limit', `longer than ${SCHEMA_CHARACTERS_MAX} characters`, `${place}.schema`)
  const [problem] = checkConfigSchema(schema as JsonValue)
  if (problem !== undefined) throw new EngineError('invalid', formatProblem(problem), `${place}.schema`)
  const check = checkOf(schema as Record<string, unknown>, {}, { strict: false, validateSchema: false })
  // Compiled here, where a refusal has an address.
  check(null)
  return check
}
