/** The tenants of an engine, by id, by number of their owner, and in the order in which they came. */
import type { Engine } from '../../engine/index.ts'
import { Tenant, type TenantOptions } from './tenant.ts'

export class Tenants {
  readonly #engine: Engine
  readonly #byId = new Map<string, Tenant>()
  readonly #byOwner: (Tenant | undefined)[] = []
  #orders = 0

  constructor(engine: Engine) {
    this.#engine = engine
  }

  [Symbol.iterator](): IterableIterator<Tenant> {
    return this.#byId.values()
  }

  get(id: string): Tenant | undefined {
    return this.#byId.get(id)
  }

  /** The tenant whose number in the engine this is. */
  ofOwner(owner: number): Tenant | undefined {
    return this.#byOwner[owner]
  }

  /** @throws EngineError for an id that is no owner's name; Error when it is there already */
  add(options: TenantOptions): Tenant {
    const { id } = options
    if (this.#byId.has(id)) throw new Error(`${id} is a tenant already`)
    const tenant = new Tenant(options, this.#engine.owners.numberOf(id), this.#orders++)
    this.#byId.set(id, tenant)
    this.#byOwner[tenant.owner] = tenant
    return tenant
  }

  remove(tenant: Tenant): void {
    this.#byId.delete(tenant.id)
    this.#byOwner[tenant.owner] = undefined
  }
}
