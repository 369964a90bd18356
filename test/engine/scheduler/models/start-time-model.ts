/**
 * Start-time fair queueing in exact rationals, twice and from the definitions, without a look at the engine: flat
 * with a tag for every packet at its arrival (SIGCOMM 1996), and hierarchical with tags for classes (OSDI 1996).
 * The flat one can be told to be wrong in the ways that implementations are wrong.
 */
import type { Discipline } from './discipline.ts'
import { Fraction } from './fraction.ts'

/** What the flat model may get wrong. */
export interface Mutation {
  /** Virtual time during a service: the start tag of the packet in service (right) or its finish tag (SCFQ). */
  readonly during?: 'start' | 'finish'
  /** Virtual time at the end of a busy period: the largest finish tag (right), left alone, or zero. */
  readonly idle?: 'largest-finish' | 'unchanged' | 'zero'
  /** Order of service: by start tags (right) or by finish tags. */
  readonly by?: 'start' | 'finish'
}

interface TaggedPacket {
  readonly flow: number
  readonly start: Fraction
  readonly finish: Fraction
}

/** Flat, a tag for every packet. Ties go to the lower flow, then to the earlier packet. */
export class FlatModel implements Discipline {
  readonly tags: TaggedPacket[] = []
  readonly #weights: readonly Fraction[]
  readonly #mutation: Required<Mutation>
  readonly #lastFinish: Fraction[]
  #queue: TaggedPacket[] = []
  #virtual = Fraction.ZERO
  #largest = Fraction.ZERO
  #serving: TaggedPacket | undefined

  constructor(weights: readonly (number | Fraction)[], mutation: Mutation = {}) {
    this.#weights = weights.map((each) => (typeof each === 'number' ? Fraction.of(each) : each))
    this.#lastFinish = weights.map(() => Fraction.ZERO)
    this.#mutation = { during: 'start', idle: 'largest-finish', by: 'start', ...mutation }
  }

  get virtualTime(): Fraction {
    return this.#virtual
  }

  arrive(flow: number, length: number): void {
    const start = this.#virtual.max(this.#lastFinish[flow])
    const finish = start.plus(Fraction.of(length).over(this.#weights[flow]))
    this.#lastFinish[flow] = finish
    this.#queue.push({ flow, start, finish })
  }

  pick(): number {
    if (this.#queue.length === 0) return -1
    const key = this.#mutation.by
    let best = this.#queue[0]
    for (const each of this.#queue) {
      const order = each[key].compare(best[key])
      if (order < 0 || (order === 0 && each.flow < best.flow)) best = each
    }
    this.#queue = this.#queue.filter((each) => each !== best)
    this.#virtual = best[this.#mutation.during]
    this.#serving = best
    this.tags.push(best)
    return best.flow
  }

  complete(): void {
    if (this.#serving === undefined) throw new Error('nothing is in service')
    this.#largest = this.#largest.max(this.#serving.finish)
    this.#serving = undefined
    if (this.#queue.length > 0) return
    if (this.#mutation.idle === 'largest-finish') this.#virtual = this.#largest
    if (this.#mutation.idle === 'zero') this.#virtual = Fraction.ZERO
  }
}

/** A node of a class tree, by its place in the list: parents stand before their children, node 0 is the root. */
export interface TreeNode {
  readonly parent: number
  readonly weight: number
}

interface ModelClass {
  readonly id: number
  readonly weight: Fraction
  readonly children: ModelClass[]
  readonly parent: ModelClass | undefined
  /** Packets of a leaf that wait or are in service. */
  packets: number
  backlogged: boolean
  start: Fraction
  finish: Fraction
  virtual: Fraction
  largest: Fraction
}

/** Hierarchical. Flows are leaf node numbers. Ties go to the lower node. */
export class TreeModel implements Discipline {
  readonly #classes: ModelClass[]
  #path: ModelClass[] = []

  constructor(nodes: readonly TreeNode[]) {
    this.#classes = []
    for (const [id, { parent, weight }] of nodes.entries()) {
      const above = id === 0 ? undefined : this.#classes[parent]
      const zero = Fraction.ZERO
      const tags = { start: zero, finish: zero, virtual: zero, largest: zero }
      const ratio = Fraction.of(weight)
      const made = { id, weight: ratio, children: [], parent: above, packets: 0, backlogged: false, ...tags }
      above?.children.push(made)
      this.#classes.push(made)
    }
  }

  /** Start tag of a node in its parent. */
  startTag(node: number): Fraction {
    return this.#classes[node].start
  }

  virtualTime(node: number): Fraction {
    return this.#classes[node].virtual
  }

  arrive(flow: number): void {
    let each = this.#classes[flow]
    each.packets++
    while (each.parent !== undefined && !each.backlogged) {
      each.backlogged = true
      each.start = each.parent.virtual.max(each.finish)
      each = each.parent
    }
  }

  pick(): number {
    let each = this.#classes[0]
    if (!each.children.some((child) => child.backlogged)) return -1
    this.#path = []
    while (each.children.length > 0) {
      const waiting = each.children.filter((child) => child.backlogged)
      const next = waiting.reduce((best, child) => (child.start.compare(best.start) < 0 ? child : best))
      each.virtual = next.start
      this.#path.push(next)
      each = next
    }
    return each.id
  }

  complete(length: number): void {
    for (const each of this.#path.reverse()) {
      const parent = each.parent
      if (parent === undefined) throw new Error('the root is not on a path')
      each.finish = each.start.plus(Fraction.of(length).over(each.weight))
      parent.largest = parent.largest.max(each.finish)
      if (each.children.length === 0) each.packets--
      each.backlogged =
        each.children.length === 0 ? each.packets > 0 : each.children.some((c) => c.backlogged)
      if (each.backlogged) each.start = parent.virtual.max(each.finish)
      if (!parent.children.some((child) => child.backlogged)) parent.virtual = parent.largest
    }
  }
}
