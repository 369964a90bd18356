/**
 * Flows as their owners hear of them: the end of each, and pages of those that are there. The one idea: an owner is
 * told facts by number, and where a flow was sent is read from its action, so that it is known whoever pinned it.
 */
import { A, ACTION_NEXT, ACTION_SHIFT, OP, OP_CLASS, OP_REWRITE, OP_TUNNEL } from './actions/action-table.ts'
import { createFlowRecord, type FlowRecord } from './classifier/flow-entry.ts'
import type { Owners } from './owners.ts'
import { NONE } from './packet.ts'
import type { Stages } from './stages.ts'

/** A flow as its owner sees it; `tunnel` is the number of the one that it is sent into, or -1. */
export interface OwnedFlow extends FlowRecord {
  tunnel: number
}

/** Called with a flow that is over and why (FLOW_ENDS); the record is filled again and again. */
export type FlowEndSink = (flow: Readonly<OwnedFlow>, end: number) => void

export class OwnedFlows {
  /** Hears of the ends of flows of the owners that are followed. */
  sink: FlowEndSink | undefined
  readonly #stages: () => Stages
  readonly #owners: Owners
  readonly #followed = new Set<number>()
  readonly #record: OwnedFlow = { ...createFlowRecord(), tunnel: NONE }

  /** @param stages asked for at first use: the flow table's sink is there before they are */
  constructor(stages: () => Stages, owners: Owners) {
    this.#stages = stages
    this.#owners = owners
  }

  /** Begins or ends telling about an owner's flows. */
  follow(owner: string, on: boolean): void {
    const number = this.#owners.numberOf(owner)
    if (on) this.#followed.add(number)
    else this.#followed.delete(number)
  }

  /** A flow is about to leave the table. */
  ended(flow: number, end: number): void {
    if (this.sink === undefined || this.#followed.size === 0) return
    if (this.#followed.has(this.#stages().flows.ownerOf(flow))) this.sink(this.#read(flow), end)
  }

  /** Flows of an owner in the table. */
  count(owner: string): number {
    const number = this.#owners.find(owner)
    return number === undefined ? 0 : this.#stages().flows.countOf(number)
  }

  /** Most flows that an owner may hold; what it holds beyond that stays. */
  limit(owner: string, most: number): void {
    this.#stages().flows.setLimit(this.#owners.numberOf(owner), most)
  }

  /**
   * Visits flows of an owner, youngest first, from the one after the handle `after` (0: the youngest) on.
   * @returns where to go on, or 0 at the end, which is also the answer when the flow `after` is over
   */
  page(owner: string, after: number, most: number, visit: (flow: Readonly<OwnedFlow>) => void): number {
    const number = this.#owners.find(owner)
    if (number === undefined) return 0
    const { flows } = this.#stages()
    let flow = after === 0 ? flows.firstOf(number) : this.#next(after, number)
    let last = NONE
    for (let left = most; left > 0 && flow !== NONE; left--) {
      visit(this.#read(flow))
      last = flow
      flow = flows.nextOf(flow)
    }
    return flow === NONE ? 0 : flows.handleOf(last)
  }

  #next(after: number, owner: number): number {
    const { flows } = this.#stages()
    const flow = flows.resolve(after)
    return flow === NONE || flows.ownerOf(flow) !== owner ? NONE : flows.nextOf(flow)
  }

  #read(flow: number): OwnedFlow {
    const { flows } = this.#stages()
    const record = this.#record
    flows.read(flow, record)
    record.tunnel = this.#tunnelOf(record.action)
    return record
  }

  /** The tunnel at the end of an action's chain. */
  #tunnelOf(row: number): number {
    const { words } = this.#stages().actions
    for (;;) {
      const at = row << ACTION_SHIFT
      const op = words[at + OP]
      if (op === OP_TUNNEL) return words[at + A]
      if (op !== OP_CLASS && op !== OP_REWRITE) return NONE
      row = words[at + ACTION_NEXT]
    }
  }
}
