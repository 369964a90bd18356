/**
 * The traffic classes of one port: named shares of the link, nested to any depth (R-SLR-26, R-PR-03).
 *
 * The one idea: a class is a node of the port's start-time fair tree, and the number of its leaf there is also the
 * number of its queue. A class that gets a child keeps a leaf of its own below it (weight 1 among the children), so
 * that no packet is without a queue whatever is created. Everything can change while packets wait: nothing here
 * drops one. A removed class takes no more packets (they go to the default class) and is gone when its queue is
 * empty and its last packet has left; until then it keeps its share and its ceiling and counts against the limit.
 *
 * Classes are known to packets by labels, small integers that mean the same on every port.
 */
import type { Nanoseconds } from '../clock.ts'
import type { Ceiling, ClassRequest } from '../control.ts'
import { EngineError } from '../errors.ts'
import { NONE } from '../packet.ts'
import { checkQueueSettings, type QueueManager } from '../queues/queue-manager.ts'
import type { Ceilings } from './ceilings.ts'
import { checkWeight, ROOT, type StartTimeFair } from './start-time-fair.ts'
import { TokenBucket } from './token-bucket.ts'
import {
  type ClassChange,
  type ClassReport,
  completeCeiling,
  DEFAULT_CLASS,
  type TrafficClass,
} from './traffic-class.ts'

/** Levels of classes below the root. */
export const MOST_CLASS_LEVELS = 32
const MOST_LABEL = (1 << 20) - 1
/** Weight of a parent's own packets among its children. */
const OWN_WEIGHT = 1

export interface ClassTreeOptions {
  /** Most classes, draining ones included. */
  readonly limit: number
  /** The default class. Weight 1 unless said otherwise. */
  readonly defaultClass?: Omit<ClassRequest, 'name' | 'port' | 'parent' | 'weight'> & { weight?: number }
}

export class ClassTree {
  readonly #fair: StartTimeFair
  readonly #queues: QueueManager
  readonly #ceilings: Ceilings
  readonly #limit: number
  readonly #names = new Map<string, TrafficClass>()
  /** Removed classes that still have packets, by their leaf. */
  readonly #draining = new Map<number, TrafficClass>()
  #leafByLabel = new Int32Array(0)
  readonly #default: TrafficClass
  #size = 0

  constructor(fair: StartTimeFair, queues: QueueManager, ceilings: Ceilings, options: ClassTreeOptions) {
    this.#fair = fair
    this.#queues = queues
    this.#ceilings = ceilings
    this.#limit = options.limit
    this.#default = this.#add({ weight: 1, ...options.defaultClass, name: DEFAULT_CLASS }, NONE, undefined, 0)
  }

  /** Classes, draining ones included. */
  get size(): number {
    return this.#size
  }

  /** The leaf for packets with a label: the default class's for NONE and for labels without a class here. */
  leafOf(label: number): number {
    const leaf = label >= 0 && label < this.#leafByLabel.length ? this.#leafByLabel[label] : NONE
    return leaf === NONE ? this.#default.leaf : leaf
  }

  /** The default class's leaf. */
  get defaultLeaf(): number {
    return this.#default.leaf
  }

  /** Whether a class of this name exists (and is not draining). */
  has(name: string): boolean {
    return this.#names.has(name)
  }

  /**
   * Creates a class for packets that bear `label` (NONE: for none, as a class that only has children).
   * @throws EngineError `exists` (name or label), `unknown` parent, `invalid` values, `limit`; nothing has changed
   */
  create(request: Omit<ClassRequest, 'port'>, label: number, now: Nanoseconds): void {
    if (this.#names.has(request.name)) throw new EngineError('exists', `class ${request.name} exists`, 'name')
    if (!Number.isInteger(label) || label < NONE || label > MOST_LABEL)
      throw new EngineError('invalid', `must be in -1..${MOST_LABEL}`, 'label')
    if (label !== NONE && label < this.#leafByLabel.length && this.#leafByLabel[label] !== NONE)
      throw new EngineError('exists', `label ${label} is another class's`, 'label')
    const parent = request.parent === undefined ? undefined : this.#get(request.parent, 'parent')
    this.#add(request, label, parent, now)
  }

  /** Changes a class. @throws EngineError `unknown`, `invalid`; nothing has changed then */
  set(name: string, change: ClassChange, now: Nanoseconds): void {
    const each = this.#get(name, 'name')
    const ceiling = change.ceiling == null ? undefined : completeCeiling(change.ceiling)
    const weight = change.weight ?? this.#fair.weightOf(each.node)
    const bucket = ceiling && TokenBucket.ofRate(ceiling.rateBps, ceiling.burstBytes)
    checkQueueSettings(change)
    this.#fair.setWeight(each.node, weight)
    this.#queues.set(each.leaf, change)
    if (change.ceiling === undefined) return
    each.ceiling = ceiling
    this.#applyCeiling(each.node, ceiling, bucket, now)
  }

  /**
   * Removes a class: its packets still leave in their turn, new ones go to the default class.
   * @throws EngineError `unknown`; `in-use` when it has children or is the default class
   */
  remove(name: string): void {
    const each = this.#get(name, 'name')
    if (each === this.#default) throw new EngineError('in-use', 'the default class cannot be removed', 'name')
    if (each.children > 0) throw new EngineError('in-use', `class ${name} has children`, 'name')
    this.#names.delete(name)
    if (each.label !== NONE) this.#leafByLabel[each.label] = NONE
    if (each.parent !== undefined) each.parent.children--
    each.draining = true
    this.#queues.refuse(each.leaf)
    this.#draining.set(each.leaf, each)
    this.drained(each.leaf)
  }

  /** Tells that a leaf may have nothing left. Removes it when its class was waiting for that. */
  drained(leaf: number): void {
    if (this.#queues.lengthOf(leaf) > 0 || this.#fair.serving === leaf) return
    const each = this.#draining.get(leaf)
    if (each === undefined) return
    this.#draining.delete(leaf)
    each.leaf = NONE
    if (leaf !== each.node) this.#close(leaf)
    this.#closeEmpty(each)
  }

  /** One class (not a draining one). Allocates. */
  get(name: string): ClassReport | undefined {
    const each = this.#names.get(name)
    return each && this.#reportOf(each)
  }

  /** Number of classes directly below a class, draining ones excluded; 0 for an unknown one. */
  childrenOf(name: string): number {
    return this.#names.get(name)?.children ?? 0
  }

  /** Names of the classes directly below a class, draining ones excluded. Allocates. */
  namesBelow(name: string): string[] {
    const below = [...this.#names.values()].filter((each) => each.parent?.name === name)
    return below.map((each) => each.name)
  }

  /** All classes, the draining ones last. Allocates; not for the data path. */
  report(): ClassReport[] {
    return [...this.#names.values(), ...this.#draining.values()].map((each) => this.#reportOf(each))
  }

  /** Leaves of all classes, draining ones included. Allocates. */
  leaves(): number[] {
    return [...this.#names.values(), ...this.#draining.values()].map((each) => each.leaf)
  }

  #reportOf(each: TrafficClass): ClassReport {
    return {
      name: each.name,
      ...(each.parent === undefined ? {} : { parent: each.parent.name }),
      weight: this.#fair.weightOf(each.node),
      ...(each.ceiling === undefined ? {} : { ceiling: each.ceiling }),
      draining: each.draining,
      queue: this.#queues.report(each.leaf),
    }
  }

  #get(name: string, place: string): TrafficClass {
    const found = this.#names.get(name)
    if (found === undefined) throw new EngineError('unknown', `no class ${name}`, place)
    return found
  }

  #add(
    request: Omit<ClassRequest, 'port'>,
    label: number,
    parent: TrafficClass | undefined,
    now: Nanoseconds,
  ): TrafficClass {
    const { name, weight } = request
    const level = parent === undefined ? 1 : parent.level + 1
    if (level > MOST_CLASS_LEVELS)
      throw new EngineError('limit', `more than ${MOST_CLASS_LEVELS} levels of classes`, 'parent')
    if (this.#size >= this.#limit) throw new EngineError('limit', `more than ${this.#limit} classes`)
    checkQueueSettings(request)
    const ceiling = request.ceiling && completeCeiling(request.ceiling)
    const bucket = ceiling && TokenBucket.ofRate(ceiling.rateBps, ceiling.burstBytes)
    checkWeight(weight)
    if (parent !== undefined && parent.leaf === parent.node) this.#giveOwnLeaf(parent)
    const node = this.#fair.addNode(parent === undefined ? ROOT : parent.node, weight)
    this.#queues.open(node, request)
    const added = { name, label, parent, level, node, leaf: node, children: 0, ceiling, draining: false }
    this.#names.set(name, added)
    this.#size++
    if (parent !== undefined) parent.children++
    this.#label(label, node)
    if (ceiling !== undefined) this.#applyCeiling(node, ceiling, bucket, now)
    return added
  }

  /** A class becomes a parent: its queue moves, as it is, to a leaf below it. */
  #giveOwnLeaf(parent: TrafficClass): void {
    parent.leaf = this.#fair.split(parent.node, OWN_WEIGHT)
    this.#queues.move(parent.node, parent.leaf)
    this.#label(parent.label, parent.leaf)
  }

  #label(label: number, leaf: number): void {
    if (label === NONE) return
    if (label >= this.#leafByLabel.length) {
      const larger = new Int32Array(2 ** Math.ceil(Math.log2(label + 1))).fill(NONE)
      larger.set(this.#leafByLabel)
      this.#leafByLabel = larger
    }
    this.#leafByLabel[label] = leaf
  }

  #applyCeiling(
    node: number,
    ceiling: Required<Ceiling> | undefined,
    bucket: TokenBucket | undefined,
    now: Nanoseconds,
  ): void {
    if (ceiling === undefined || bucket === undefined) {
      this.#ceilings.clear(node)
      return
    }
    const present = this.#ceilings.bucketOf(node)
    present?.reshape(ceiling.rateBps, ceiling.burstBytes, now)
    this.#ceilings.set(node, present ?? bucket, now)
  }

  /** Closes the node of a removed class, and those of removed classes above that waited only for this one. */
  #closeEmpty(each: TrafficClass | undefined): void {
    while (each?.draining && each.leaf === NONE && this.#fair.childrenOf(each.node) === 0) {
      this.#close(each.node)
      this.#size--
      each = each.parent
    }
  }

  #close(node: number): void {
    this.#ceilings.clear(node)
    this.#fair.removeNode(node)
  }
}
