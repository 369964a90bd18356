/**
 * Names of what owners have made. The one idea: a resource is known by (owner, kind, name) and stands for a number
 * in some table; the table knows nothing of names. A name of another owner is written `owner/name`.
 */
import { EngineError } from './errors.ts'
import type { Owners } from './owners.ts'

export type ResourceKind = 'tunnel' | 'filter' | 'class'

export interface NamedResource {
  readonly kind: ResourceKind
  readonly name: string
  /** Number in the kind's table; what it means is the kind's business. */
  readonly number: number
}

/** Most names of one owner. */
export const NAME_LIMIT = 100_000
const NAME = /^[\x21-\x2e\x30-\x7e]{1,128}$/

export class NamedResources {
  readonly #owners: Owners
  readonly #byOwner = new Map<number, Map<string, NamedResource>>()

  constructor(owners: Owners) {
    this.#owners = owners
  }

  /** Gives a number a name. @throws EngineError `invalid`, `exists`, `limit` */
  bind(owner: number, kind: ResourceKind, name: string, number: number, place: string): void {
    if (typeof name !== 'string' || !NAME.test(name))
      throw new EngineError(
        'invalid',
        `${JSON.stringify(name)} is not a name (1..128 printable, no / or space)`,
        place,
      )
    const names = this.#byOwner.get(owner) ?? new Map<string, NamedResource>()
    const key = `${kind} ${name}`
    if (names.has(key)) throw new EngineError('exists', `${kind} ${name} exists already`, place)
    if (names.size >= NAME_LIMIT) throw new EngineError('limit', `more than ${NAME_LIMIT} names`, place)
    names.set(key, { kind, name, number })
    this.#byOwner.set(owner, names)
  }

  /** Takes a name away and returns its number. @throws EngineError `unknown` */
  unbind(owner: number, kind: ResourceKind, name: string, place: string): number {
    const names = this.#byOwner.get(owner)
    const found = names?.get(`${kind} ${name}`)
    if (names === undefined || found === undefined)
      throw new EngineError('unknown', `no ${kind} ${JSON.stringify(name)}`, place)
    names.delete(`${kind} ${name}`)
    return found.number
  }

  /** The number of a name, the owner's own or `owner/name`. @throws EngineError `unknown` */
  resolve(owner: number, kind: ResourceKind, name: string, place: string): number {
    const number = this.find(owner, kind, name)
    if (number === undefined) throw new EngineError('unknown', `no ${kind} ${JSON.stringify(name)}`, place)
    return number
  }

  /** Whether an owner has given something this name, its own. */
  holds(owner: number, kind: ResourceKind, name: string): boolean {
    return this.#byOwner.get(owner)?.has(`${kind} ${name}`) ?? false
  }

  /** Whether anybody has. */
  isHeld(kind: ResourceKind, name: string): boolean {
    for (const owner of this.#byOwner.keys()) if (this.holds(owner, kind, name)) return true
    return false
  }

  /** As `resolve`, undefined where there is none. */
  find(owner: number, kind: ResourceKind, name: string): number | undefined {
    const slash = name.indexOf('/')
    const holder = slash < 0 ? owner : this.#owners.find(name.slice(0, slash))
    if (holder === undefined) return undefined
    return this.#byOwner.get(holder)?.get(`${kind} ${name.slice(slash + 1)}`)?.number
  }

  /** All that an owner has named, in order of creation. */
  of(owner: number): NamedResource[] {
    return [...(this.#byOwner.get(owner)?.values() ?? [])]
  }

  /** Gives all names of one owner to another. @throws EngineError `conflict` when one is taken; nothing changes then */
  move(from: number, to: number): void {
    const source = this.#byOwner.get(from)
    if (source === undefined || from === to) return
    const target = this.#byOwner.get(to) ?? new Map<string, NamedResource>()
    for (const [key, { kind, name }] of source)
      if (target.has(key)) throw new EngineError('conflict', `${kind} ${name} exists on both sides`)
    for (const [key, resource] of source) target.set(key, resource)
    this.#byOwner.set(to, target)
    this.#byOwner.delete(from)
  }

  /** Every name with its owner's name, for queries. */
  *all(): Generator<NamedResource & { readonly owner: string }> {
    for (const [owner, names] of this.#byOwner)
      for (const resource of names.values()) yield { ...resource, owner: this.#owners.nameOf(owner) }
  }
}
