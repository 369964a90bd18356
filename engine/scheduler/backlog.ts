/**
 * Who is backlogged: how nodes enter and leave the heaps of their parents, and what their tags are then.
 *
 * The one idea: tags are kept small. They are relative to an origin of the parent, which moves when the parent's busy
 * period ends (then all finish tags can be forgotten at once) and whenever virtual time passes REBASE (then the
 * waiting tags move back by a multiple of it, which is exact). So doubles never run out of digits, whatever the
 * router has carried since it started: a tag that divides is exact, any other is off by at most 2^-27 a service.
 */
import {
  FINISH,
  FLAGS,
  HEAP,
  LATEST,
  LENGTH,
  LINK_SHIFT,
  type NodeTable,
  ORIGIN,
  PARENT,
  QUEUED,
  SEEN,
  SUSPENDED,
  TAG_SHIFT,
  VIRTUAL,
} from './node-table.ts'

/** The root of every tree: an interior node that is never removed. */
export const ROOT = 0

/** Virtual times stay below this power of two, which leaves 2^-27 of resolution for the smallest steps. */
export const REBASE = 2 ** 26

/** Queues a node that has backlog, and every ancestor that had none before. */
export function enter(table: NodeTable, node: number): void {
  const { links, tags, heaps } = table
  while (node !== ROOT) {
    const link = node << LINK_SHIFT
    if ((links[link + FLAGS] & (QUEUED | SUSPENDED)) !== 0) return
    links[link + FLAGS] |= QUEUED
    const tag = node << TAG_SHIFT
    const parent = links[link + PARENT]
    const parentTag = parent << TAG_SHIFT
    const finish = tags[tag + FINISH] - (tags[parentTag + ORIGIN] - tags[tag + SEEN])
    const virtual = tags[parentTag + VIRTUAL]
    const base = links[(parent << LINK_SHIFT) + HEAP]
    const waiting = links[(parent << LINK_SHIFT) + LENGTH]++
    heaps.keys[base + waiting] = Math.max(finish, virtual)
    heaps.nodes[base + waiting] = node
    heaps.siftUp(base, waiting)
    if (waiting > 0) return
    node = parent
  }
}

/** Takes a waiting node, and every ancestor that then has nothing left, out of the queues. */
export function withdraw(table: NodeTable, node: number): void {
  const { links, tags, heaps } = table
  while (node !== ROOT && (links[(node << LINK_SHIFT) + FLAGS] & QUEUED) !== 0) {
    const link = node << LINK_SHIFT
    const parent = links[link + PARENT]
    const base = links[(parent << LINK_SHIFT) + HEAP]
    const waiting = links[(parent << LINK_SHIFT) + LENGTH]
    const index = heaps.find(base, waiting, node)
    // Its start tag was max(v, F): as a finish tag it gives the same start again, unless v has passed it.
    tags[(node << TAG_SHIFT) + FINISH] = heaps.keys[base + index]
    tags[(node << TAG_SHIFT) + SEEN] = tags[(parent << TAG_SHIFT) + ORIGIN]
    links[link + FLAGS] &= ~QUEUED
    heaps.remove(base, index, waiting)
    links[(parent << LINK_SHIFT) + LENGTH] = waiting - 1
    if (waiting > 1) return
    endBusyPeriod(table, parent)
    node = parent
  }
}

/**
 * End of a node's busy period: v becomes the largest finish tag served. No child's finish tag is larger, so all
 * of them can be forgotten at once and the count begins anew at an exact zero: ORIGIN passes every finish tag.
 */
export function endBusyPeriod(table: NodeTable, node: number): void {
  const tags = table.tags
  const tag = node << TAG_SHIFT
  const latest = tags[tag + LATEST]
  table.elapsed[node] += latest
  tags[tag + ORIGIN] += (Math.floor(latest / REBASE) + 1) * REBASE
  tags[tag + VIRTUAL] = 0
  tags[tag + LATEST] = 0
}

/**
 * Moves the tags of a node's waiting children back by a multiple of REBASE, so that the least is below it. Returns
 * nothing: a double that comes out of a call is an allocation.
 */
export function rebase(table: NodeTable, node: number): void {
  const { links, tags, heaps } = table
  const keys = heaps.keys
  const base = links[(node << LINK_SHIFT) + HEAP]
  const end = base + links[(node << LINK_SHIFT) + LENGTH]
  const shift = Math.floor(keys[base] / REBASE) * REBASE
  for (let entry = base; entry < end; entry++) keys[entry] -= shift
  const tag = node << TAG_SHIFT
  tags[tag + LATEST] -= shift
  tags[tag + ORIGIN] += shift
  table.elapsed[node] += shift
}
