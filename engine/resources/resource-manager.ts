/**
 * The resource manager (R-PR-04, R-SLR-26): who may use a processor or a disk next, so that no plugin takes what
 * another one was promised.
 *
 * The one idea: a resource is shared like a link, by the same start-time fair code. One manager stands for one
 * resource; its owners (plugin instances) take turns, and what a turn used is accounted when it is over, because
 * only then is it known. Owners with a guarantee are served in proportion to it; all others share what is not
 * guaranteed, by weight. Idle shares go to whoever is runnable.
 *
 * Guarantees: the guaranteed shares never add up to more than the whole; an owner that is runnable gets its
 * guarantee within the bounds of start-time-fair.ts (one turn of each owner); one above its ceiling waits.
 */
import type { Nanoseconds } from '../clock.ts'
import type { Owner } from '../control.ts'
import { EngineError } from '../errors.ts'
import { Ceilings } from '../scheduler/ceilings.ts'
import { checkWeight, MIN_WEIGHT, NO_NODE, ROOT, StartTimeFair } from '../scheduler/start-time-fair.ts'
import { TokenBucket } from '../scheduler/token-bucket.ts'

/** Rounding that a sum of shares may show. */
const SHARE_TOLERANCE = 1e-9
/** Time whose worth of a ceiling may be used at once. */
const BURST_SECONDS = 0.05

/** What an owner may use. Shares are fractions of the whole resource. */
export interface ResourceShare {
  /** Among owners without a guarantee. Default 1. */
  readonly weight?: number
  /** Share promised, 0..1. Default 0: none. */
  readonly guarantee?: number
  /** Share never exceeded in the long run, above 0 and at least the guarantee. Default 1: no ceiling. */
  readonly ceiling?: number
}

/** What an owner has used. */
export interface ResourceReport {
  readonly owner: Owner
  readonly weight: number
  readonly guarantee: number
  readonly ceiling: number
  readonly runnable: boolean
  /** Units used, in all. */
  readonly used: number
  readonly turns: number
}

export interface ResourceManagerOptions {
  /** Units that the whole resource gives in a second: 1e9 ns for a processor, bytes for a disk. */
  readonly unitsPerSecond: number
  /** Most owners. Default 1024. */
  readonly limit?: number
}

interface Sharer {
  readonly owner: Owner
  share: Required<ResourceShare>
  node: number
  runnable: boolean
  used: number
  turns: number
}

export class ResourceManager {
  readonly #unitsPerSecond: number
  readonly #limit: number
  readonly #fair: StartTimeFair
  readonly #ceilings: Ceilings
  /** The node below which owners without a guarantee are. */
  readonly #commons: number
  readonly #owners = new Map<Owner, Sharer>()
  readonly #byNode: (Sharer | undefined)[] = []

  constructor(options: ResourceManagerOptions) {
    const { unitsPerSecond, limit = 1024 } = options
    if (!Number.isInteger(unitsPerSecond) || unitsPerSecond < 1)
      throw new EngineError('invalid', 'must be a whole number >= 1', 'unitsPerSecond')
    this.#unitsPerSecond = unitsPerSecond
    this.#limit = limit
    this.#fair = new StartTimeFair({ limit: limit + 2 })
    this.#ceilings = new Ceilings(this.#fair)
    this.#commons = this.#fair.addNode(ROOT, 1)
  }

  /** Sum of all guaranteed shares, 0..1. */
  get guaranteed(): number {
    return this.#sumWithout(undefined)
  }

  /** Owner whose turn is in progress. */
  get serving(): Owner | undefined {
    return this.#byNode[this.#fair.serving]?.owner
  }

  /**
   * Admits an owner.
   * @throws EngineError `exists`; `invalid` shares; `limit` when there are too many owners or the guarantees would
   * add up to more than 1
   */
  register(owner: Owner, share: ResourceShare, now: Nanoseconds): void {
    if (this.#owners.has(owner)) throw new EngineError('exists', `${owner} is registered`, 'owner')
    if (this.#owners.size >= this.#limit) throw new EngineError('limit', `more than ${this.#limit} owners`)
    const complete = completeShare(share)
    this.#admit(complete.guarantee, undefined)
    const sharer: Sharer = { owner, share: complete, node: NO_NODE, runnable: false, used: 0, turns: 0 }
    this.#owners.set(owner, sharer)
    this.#place(sharer, now)
  }

  /**
   * Changes an owner's shares, keeping what it has used.
   * @throws EngineError `unknown`, `invalid`, `limit`; `in-use` when its turn is in progress and a guarantee is given
   * to or taken from it altogether
   */
  set(owner: Owner, share: ResourceShare, now: Nanoseconds): void {
    const sharer = this.#get(owner)
    const complete = completeShare({ ...sharer.share, ...share })
    this.#admit(complete.guarantee, sharer)
    const moves = complete.guarantee > 0 !== sharer.share.guarantee > 0
    if (moves) this.#remove(sharer)
    sharer.share = complete
    if (moves) this.#place(sharer, now)
    else this.#apply(sharer, now)
  }

  /** Forgets an owner. @throws EngineError `unknown`; `in-use` when its turn is in progress */
  unregister(owner: Owner): void {
    const sharer = this.#get(owner)
    this.#remove(sharer)
    this.#owners.delete(owner)
    this.#balance()
  }

  /** The owner has something to do. @throws EngineError `unknown` */
  wake(owner: Owner): void {
    const sharer = this.#get(owner)
    sharer.runnable = true
    this.#fair.activate(sharer.node)
  }

  /** The owner has nothing to do any more, without having had its turn. @throws EngineError `unknown` */
  block(owner: Owner): void {
    const sharer = this.#get(owner)
    sharer.runnable = false
    this.#fair.deactivate(sharer.node)
  }

  /** Chooses whose turn it is, until `account`; undefined when no runnable owner is below its ceiling. */
  pickNext(now: Nanoseconds): Owner | undefined {
    this.#ceilings.release(now)
    const node = this.#fair.pick()
    return node === NO_NODE ? undefined : this.#byNode[node]?.owner
  }

  /** Ends the turn: it used `units` (rounded to whole ones), and the owner is still runnable or not. */
  account(units: number, runnable: boolean, now: Nanoseconds): void {
    const node = this.#fair.serving
    const sharer = this.#byNode[node]
    if (sharer === undefined) throw new Error('account: no turn is in progress')
    const used = Math.round(units)
    sharer.used += used
    sharer.turns++
    sharer.runnable = runnable
    this.#ceilings.release(now)
    this.#ceilings.charge(node, used, now)
    this.#fair.account(used, runnable)
  }

  /** Earliest time at which `pickNext` may find an owner: `now`, the end of a ceiling's wait, or NEVER. */
  nextEligibleAt(now: Nanoseconds): Nanoseconds {
    return this.#fair.backlogged ? now : this.#ceilings.nextAt
  }

  /** Every owner's shares and what it used. Allocates. */
  report(): ResourceReport[] {
    return [...this.#owners.values()].map(({ owner, share, runnable, used, turns }) => ({
      owner,
      ...share,
      runnable,
      used,
      turns,
    }))
  }

  #get(owner: Owner): Sharer {
    const sharer = this.#owners.get(owner)
    if (sharer === undefined) throw new EngineError('unknown', `${owner} is not registered`, 'owner')
    return sharer
  }

  #sumWithout(except: Sharer | undefined): number {
    let sum = 0
    for (const each of this.#owners.values()) if (each !== except) sum += each.share.guarantee
    return sum
  }

  #admit(guarantee: number, except: Sharer | undefined): void {
    const sum = this.#sumWithout(except) + guarantee
    if (sum > 1 + SHARE_TOLERANCE)
      throw new EngineError('limit', `guarantees would add up to ${sum}`, 'guarantee')
  }

  #place(sharer: Sharer, now: Nanoseconds): void {
    const { guarantee, weight } = sharer.share
    const node = this.#fair.addNode(guarantee > 0 ? ROOT : this.#commons, guarantee > 0 ? guarantee : weight)
    while (this.#byNode.length <= node) this.#byNode.push(undefined)
    this.#byNode[node] = sharer
    sharer.node = node
    this.#apply(sharer, now)
    if (sharer.runnable) this.#fair.activate(node)
  }

  #remove(sharer: Sharer): void {
    this.#fair.removeNode(sharer.node)
    this.#ceilings.clear(sharer.node)
    this.#byNode[sharer.node] = undefined
  }

  #apply(sharer: Sharer, now: Nanoseconds): void {
    const { guarantee, weight, ceiling } = sharer.share
    this.#fair.setWeight(sharer.node, guarantee > 0 ? guarantee : weight)
    this.#balance()
    if (ceiling >= 1) {
      this.#ceilings.clear(sharer.node)
      return
    }
    const rate = Math.max(1, Math.round(ceiling * this.#unitsPerSecond))
    const burst = Math.max(1, Math.round(rate * BURST_SECONDS))
    const present = this.#ceilings.bucketOf(sharer.node)
    present?.reshape(rate, burst, now)
    this.#ceilings.set(sharer.node, present ?? new TokenBucket(1e9, rate, burst), now)
  }

  /** What is not guaranteed is the commons'. */
  #balance(): void {
    this.#fair.setWeight(this.#commons, Math.max(1 - this.guaranteed, MIN_WEIGHT))
  }
}

function completeShare(share: ResourceShare): Required<ResourceShare> {
  const { weight = 1, guarantee = 0, ceiling = 1 } = share
  checkWeight(weight)
  if (!(guarantee === 0 || (guarantee >= MIN_WEIGHT && guarantee <= 1)))
    throw new EngineError('invalid', `must be 0 or in ${MIN_WEIGHT}..1`, 'guarantee')
  if (!(ceiling > 0 && ceiling <= 1 && ceiling >= guarantee))
    throw new EngineError('invalid', 'must be above 0, at most 1 and at least the guarantee', 'ceiling')
  return { weight, guarantee, ceiling }
}
