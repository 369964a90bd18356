/**
 * Hierarchical start-time fair queueing, the algorithm once: links, processor time and disks are shared by it.
 *
 * The one idea: a tree of nodes with weights. Each interior node keeps a virtual time v, which is the start tag of
 * its child in service, and serves its backlogged children in the order of their start tags. A child that becomes
 * backlogged starts at S = max(v, F), where F is the finish tag of its last service; when a service of length l
 * ends, F = S + l / weight. When the last backlogged child is done, v becomes the largest finish tag served.
 *
 * The algorithm knows neither packets nor time: `pick` goes root to leaf, `account` goes leaf to root at the END of
 * the service, when the length is known (a packet's from the start, a quantum's only then). Between the two,
 * arrivals see the start tag of what is in service. One service at a time.
 *
 * Guarantees, whatever the rate of the server does: two siblings backlogged over an interval get service within
 * l_f/w_f + l_m/w_m of each other per unit of weight; throughput and delay bounds follow for a server of known rate.
 * Children with equal start tags are served lower node first. `account`, `pick` and `activate` take O(log children)
 * at each level and never allocate; only `addNode` and `split` do, in amortised constant time.
 * Tags are doubles, exact when lengths divide by weights, and stay small for ever (backlog.ts).
 *
 * P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queuing", SIGCOMM 1996; P. Goyal, X. Guo, H. Vin, "A Hierarchical
 * CPU Scheduler for Multimedia Operating Systems", OSDI 1996.
 */
import { EngineError } from '../errors.ts'
import { endBusyPeriod, enter, REBASE, ROOT, rebase, withdraw } from './backlog.ts'
import {
  BACKLOGGED,
  FINISH,
  FLAGS,
  HEAP,
  LATEST,
  LENGTH,
  LINK_SHIFT,
  NodeTable,
  ORIGIN,
  PARENT,
  QUEUED,
  SEEN,
  SUSPENDED,
  TAG_SHIFT,
  VIRTUAL,
  WEIGHT,
} from './node-table.ts'

export { ROOT }

/** No node, nothing to serve. */
export const NO_NODE = -1

/** Bounds of a weight. Weights are relative; the ratio to the length of a service decides how far tags move. */
export const MIN_WEIGHT = 1e-6
export const MAX_WEIGHT = 1e6

export interface StartTimeFairOptions {
  /** Most nodes at a time including the root, 1..2^20. Default 65536. */
  readonly limit?: number
  /** Nodes to make room for at once. Default 64. */
  readonly initial?: number
}

export class StartTimeFair {
  /** Most nodes at a time: all node numbers are below it. */
  readonly limit: number
  readonly #table: NodeTable
  #serving = NO_NODE

  constructor(options: StartTimeFairOptions = {}) {
    this.limit = options.limit ?? 65_536
    this.#table = new NodeTable(options.initial ?? 64, this.limit)
    this.#table.addRoot()
  }

  /** Leaf in service, or NO_NODE. */
  get serving(): number {
    return this.#serving
  }

  /** Whether `pick` would find a leaf (or one is in service). */
  get backlogged(): boolean {
    return this.#table.links[LENGTH] > 0
  }

  /** Nodes in the tree, the root included. */
  get size(): number {
    return this.#table.size
  }

  /**
   * Adds a leaf below `parent`, which becomes interior if it is an idle leaf; returns its number (numbers of removed
   * nodes are used again).
   * @throws EngineError `invalid` weight; `in-use` when the parent is a leaf with backlog (see `split`); `limit`
   */
  addNode(parent: number, weight: number): number {
    checkWeight(weight)
    const flags = this.#table.links[(parent << LINK_SHIFT) + FLAGS]
    if ((flags & BACKLOGGED) !== 0 || parent === this.#serving)
      throw new EngineError('in-use', 'a leaf with backlog cannot become a parent')
    return this.#table.add(parent, weight)
  }

  /**
   * Turns a leaf into an interior node: adds a child, which takes over the leaf's backlog and its service in
   * progress. The leaf keeps its place among its siblings. Returns the child.
   * @throws EngineError `invalid`, `limit`
   */
  split(leaf: number, weight: number): number {
    checkWeight(weight)
    const child = this.#table.add(leaf, weight)
    const { links, heaps } = this.#table
    const at = leaf << LINK_SHIFT
    const backlog = links[at + FLAGS] & BACKLOGGED
    const serving = this.#serving === leaf
    if (backlog === 0 && !serving) return child
    links[at + FLAGS] &= ~BACKLOGGED
    links[at + LENGTH] = 1
    links[(child << LINK_SHIFT) + FLAGS] |= backlog | QUEUED
    heaps.keys[links[at + HEAP]] = serving ? Number.NEGATIVE_INFINITY : 0
    heaps.nodes[links[at + HEAP]] = child
    if (serving) this.#serving = child
    return child
  }

  /**
   * Removes a leaf; what it had waiting counts as withdrawn. Interior nodes go after their last child.
   * @throws EngineError `in-use` when the node has children or is in service, or is the root
   */
  removeNode(node: number): void {
    if (node === ROOT || node === this.#serving || this.#table.children[node] > 0)
      throw new EngineError('in-use', 'the node has children, is in service or is the root')
    this.deactivate(node)
    this.#table.remove(node)
  }

  /**
   * Changes a weight. Nothing is lost or reordered: the service that ends next is the first to count at the new
   * weight.
   * @throws EngineError `invalid`
   */
  setWeight(node: number, weight: number): void {
    checkWeight(weight)
    this.#table.tags[(node << TAG_SHIFT) + WEIGHT] = weight
  }

  /** A leaf becomes backlogged. Nothing happens when it is already, or is suspended (then `resume` does it). */
  activate(leaf: number): void {
    const links = this.#table.links
    const at = (leaf << LINK_SHIFT) + FLAGS
    if ((links[at] & BACKLOGGED) !== 0) return
    if (this.#table.children[leaf] > 0) throw new Error('activate: not a leaf')
    links[at] |= BACKLOGGED
    enter(this.#table, leaf)
  }

  /** A leaf's backlog went without service. In service: it counts as still to be accounted, then as done. */
  deactivate(leaf: number): void {
    this.#table.links[(leaf << LINK_SHIFT) + FLAGS] &= ~BACKLOGGED
    if (!this.#inService(leaf)) withdraw(this.#table, leaf)
  }

  /**
   * Takes a node and all below it out of service until `resume`: to its siblings it counts as not backlogged, so
   * that it collects no credit (on resumption S = max(v, F)), and below it tags and backlog stay as they are. In
   * service: the service goes on and suspension begins when it is accounted.
   */
  suspend(node: number): void {
    this.#table.links[(node << LINK_SHIFT) + FLAGS] |= SUSPENDED
    if (!this.#inService(node)) withdraw(this.#table, node)
  }

  /** Ends a suspension. */
  resume(node: number): void {
    const links = this.#table.links
    const at = node << LINK_SHIFT
    links[at + FLAGS] &= ~SUSPENDED
    if ((links[at + FLAGS] & BACKLOGGED) !== 0 || links[at + LENGTH] > 0) enter(this.#table, node)
  }

  /** Chooses the leaf to serve and puts it in service, until `account`; NO_NODE when none is backlogged. */
  pick(): number {
    if (this.#serving !== NO_NODE) throw new Error('pick: a service is in progress')
    const { links, tags, heaps } = this.#table
    const keys = heaps.keys
    const nodes = heaps.nodes
    let node = ROOT
    if (links[LENGTH] === 0) return NO_NODE
    do {
      const base = links[(node << LINK_SHIFT) + HEAP]
      if (keys[base] >= REBASE) rebase(this.#table, node)
      tags[(node << TAG_SHIFT) + VIRTUAL] = keys[base]
      // In service it stays on top, whoever arrives.
      keys[base] = Number.NEGATIVE_INFINITY
      node = nodes[base]
    } while (links[(node << LINK_SHIFT) + LENGTH] > 0)
    this.#serving = node
    return node
  }

  /**
   * Ends the service in progress: `length` (>= 0; bytes, nanoseconds) is charged to the leaf and all above it, and
   * the leaf stays backlogged or not. A length of 0 cancels a pick.
   */
  account(length: number, backlogged: boolean): void {
    let node = this.#serving
    if (node === NO_NODE) throw new Error('account: no service is in progress')
    if (!(length >= 0 && length <= Number.MAX_SAFE_INTEGER)) throw new Error('account: no such length')
    this.#serving = NO_NODE
    const { links, tags, heaps } = this.#table
    if (backlogged) links[(node << LINK_SHIFT) + FLAGS] |= BACKLOGGED
    else links[(node << LINK_SHIFT) + FLAGS] &= ~BACKLOGGED
    while (node !== ROOT) {
      const link = node << LINK_SHIFT
      const tag = node << TAG_SHIFT
      const parent = links[link + PARENT]
      const parentLink = parent << LINK_SHIFT
      const parentTag = parent << TAG_SHIFT
      const finish = tags[parentTag + VIRTUAL] + length / tags[tag + WEIGHT]
      if (finish > tags[parentTag + LATEST]) tags[parentTag + LATEST] = finish
      const base = links[parentLink + HEAP]
      const waiting = links[parentLink + LENGTH]
      if (backlogged && (links[link + FLAGS] & SUSPENDED) === 0) {
        heaps.keys[base] = finish
        heaps.siftDown(base, 0, waiting)
      } else {
        links[link + FLAGS] &= ~QUEUED
        tags[tag + FINISH] = finish
        tags[tag + SEEN] = tags[parentTag + ORIGIN]
        const left = waiting - 1
        links[parentLink + LENGTH] = left
        heaps.remove(base, 0, waiting)
        if (left === 0) endBusyPeriod(this.#table, parent)
        backlogged = left > 0
      }
      node = parent
    }
  }

  /** Virtual time of an interior node, counted from the node's creation. For reports and tests. */
  virtualTime(node: number): number {
    return this.#table.elapsed[node] + this.#table.tags[(node << TAG_SHIFT) + VIRTUAL]
  }

  /** Start tag of a node in its parent, NaN when it is not backlogged. Linear in siblings: for reports and tests. */
  startTag(node: number): number {
    const { links, elapsed } = this.#table
    const at = node << LINK_SHIFT
    if ((links[at + FLAGS] & QUEUED) === 0) return Number.NaN
    const parent = links[at + PARENT]
    if (this.#inService(node)) return this.virtualTime(parent)
    const base = links[(parent << LINK_SHIFT) + HEAP]
    const index = this.#table.heaps.find(base, links[(parent << LINK_SHIFT) + LENGTH], node)
    return elapsed[parent] + this.#table.heaps.keys[base + index]
  }

  /** Parent of a node; NO_NODE for the root. */
  parentOf(node: number): number {
    return this.#table.links[(node << LINK_SHIFT) + PARENT]
  }

  /** Number of children of a node. */
  childrenOf(node: number): number {
    return this.#table.children[node]
  }

  /** Weight of a node. */
  weightOf(node: number): number {
    return this.#table.tags[(node << TAG_SHIFT) + WEIGHT]
  }

  /** Whether the node is the leaf in service or above it. */
  #inService(node: number): boolean {
    const links = this.#table.links
    for (let each = this.#serving; each !== NO_NODE; each = links[(each << LINK_SHIFT) + PARENT])
      if (each === node) return true
    return false
  }
}

/** Refuses a weight out of bounds. @throws EngineError `invalid` */
export function checkWeight(weight: number): void {
  if (!(weight >= MIN_WEIGHT && weight <= MAX_WEIGHT))
    throw new EngineError('invalid', `a weight must be in ${MIN_WEIGHT}..${MAX_WEIGHT}`, 'weight')
}
