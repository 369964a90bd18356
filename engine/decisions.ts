/**
 * Decisions: the narrow fast path beside `commit` for whoever answers upcalls. The one idea: an action is compiled
 * once and has a number; an answer is an upcall, a number and an idle time, and allocates nothing.
 *
 * Nothing here throws for an upcall that is answered or has expired: an answer may always come too late.
 */

import type { Action } from './actions/action.ts'
import { compileAction } from './actions/compile-action.ts'
import { actionScope, releaseParked } from './changes/flow-changes.ts'
import type { ChangeContext } from './changes/step.ts'
import type { Nanoseconds } from './clock.ts'
import {
  ANSWER_ELSEWHERE,
  ANSWER_LATE,
  ANSWER_PINNED,
  ANSWER_UNPINNED,
  type DecisionControl,
  type Owner,
} from './control.ts'
import { EngineError } from './errors.ts'
import type { Owners } from './owners.ts'
import { KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL, KEY_SOURCE, META_SHIFT } from './packet.ts'

/** Most actions that are prepared at a time. */
export const PREPARED_LIMIT = 1 << 20

const FREE = -1

export class Decisions implements DecisionControl {
  readonly #context: ChangeContext
  readonly #owners: Owners
  /** By number: action row, or FREE. */
  readonly #rows: number[] = []
  readonly #holders: number[] = []
  readonly #unused: number[] = []

  constructor(context: ChangeContext, owners: Owners) {
    this.#context = context
    this.#owners = owners
  }

  /** Actions that are prepared now. */
  get prepared(): number {
    return this.#rows.length - this.#unused.length
  }

  prepare(owner: Owner, action: Action, place = 'action'): number {
    if (this.prepared >= PREPARED_LIMIT)
      throw new EngineError('limit', `more than ${PREPARED_LIMIT} actions`, place)
    const holder = this.#owners.numberOf(owner)
    const { actions } = this.#context.stages
    const row = compileAction(actions, action, actionScope(this.#context, holder), place)
    const number = this.#unused.pop() ?? this.#rows.length
    this.#rows[number] = row
    this.#holders[number] = holder
    return number
  }

  release(prepared: number): void {
    const row = this.#rowOf(prepared)
    this.#rows[prepared] = FREE
    this.#unused.push(prepared)
    this.#context.stages.actions.release(row)
  }

  /** Gives the prepared actions of one owner to another, with its questions. */
  setOwner(from: number, to: number): void {
    for (const [number, holder] of this.#holders.entries()) if (holder === from) this.#holders[number] = to
  }

  resume(upcall: number, prepared: number, idleNs: Nanoseconds, now: Nanoseconds): number {
    const { upcalls, slab, flows, pins } = this.#context.stages
    const packet = upcalls.packetOf(upcall)
    if (packet < 0) return ANSWER_LATE
    const row = this.#rowOf(prepared)
    const owner = upcalls.ownerOf(upcall)
    if (this.#holders[prepared] !== owner)
      throw new Error('an upcall is answered by an action of its own owner')
    const meta = slab.meta
    const at = packet << META_SHIFT
    const source = meta[at + KEY_SOURCE]
    const destination = meta[at + KEY_DESTINATION]
    const ports = meta[at + KEY_PORTS]
    const protocol = meta[at + KEY_PROTOCOL]
    const present = flows.lookup(source, destination, ports, protocol)
    if (present >= 0 && flows.ownerOf(present) !== owner) {
      releaseParked(this.#context, upcall, now)
      return ANSWER_ELSEWHERE
    }
    let result = ANSWER_PINNED
    if (present >= 0) pins.repin(present, row, idleNs)
    else if (pins.install(source, destination, ports, protocol, row, idleNs, owner, now) < 0) {
      pins.unpinned++
      result = ANSWER_UNPINNED
    }
    releaseParked(this.#context, upcall, now, row)
    return result
  }

  defer(upcall: number, prepared: number | undefined, waitNs: Nanoseconds, now: Nanoseconds): boolean {
    const { upcalls, actions } = this.#context.stages
    const before = upcalls.view(upcall)?.otherwise
    if (before === undefined) return false
    upcalls.defer(upcall, prepared === undefined ? before : this.#rowOf(prepared), now + waitNs)
    actions.release(before)
    return true
  }

  giveUp(upcall: number, now: Nanoseconds): boolean {
    if (this.#context.stages.upcalls.packetOf(upcall) < 0) return false
    releaseParked(this.#context, upcall, now)
    return true
  }

  #rowOf(prepared: number): number {
    const row = this.#rows[prepared]
    if (row === undefined || row === FREE) throw new Error(`action ${prepared} is not prepared`)
    return row
  }
}
