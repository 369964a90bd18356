/**
 * EngineControl carried out. The one idea: a transaction is a list of steps, each of which acts at once and knows
 * its own undoing; the first refusal undoes them all in reverse order, so that the engine is as it was.
 */
import { createClass, removeClass, removeClassesOf, setClass } from './changes/class-changes.ts'
import { dropFilter, installFilter, removeFilter } from './changes/filter-changes.ts'
import { installFlow, releaseParked, removeFlow, resume } from './changes/flow-changes.ts'
import { addAddress, addRoute, removeAddress, removeRoute } from './changes/route-changes.ts'
import type { ChangeContext, Pending, Step } from './changes/step.ts'
import { closeTunnel, openTunnel } from './changes/tunnel-changes.ts'
import type { Nanoseconds } from './clock.ts'
import type { Change, EngineControl, Owner } from './control.ts'
import { Decisions } from './decisions.ts'
import { EngineError } from './errors.ts'
import { NamedResources } from './named-resources.ts'
import type { Owners } from './owners.ts'
import type { Stages } from './stages.ts'

/** Most changes of one transaction. */
export const CHANGE_LIMIT = 100_000
/** Owner number of the operator's own configuration; its name was the first to be given. */
const ROUTER = 0

export class Controller implements EngineControl {
  readonly names: NamedResources
  readonly decisions: Decisions
  readonly #stages: Stages
  readonly #owners: Owners
  readonly #context: ChangeContext

  constructor(stages: Stages, owners: Owners, apply: ChangeContext['apply']) {
    this.#stages = stages
    this.#owners = owners
    this.names = new NamedResources(owners)
    this.#context = {
      stages,
      names: this.names,
      portIndex: (name) => stages.ports.find((port) => port.name === name)?.index,
      apply,
    }
    this.decisions = new Decisions(this.#context, owners)
  }

  commit(owner: Owner, changes: readonly Change[], now: Nanoseconds): void {
    const number = this.#owners.numberOf(owner)
    if (changes.length > CHANGE_LIMIT)
      throw new EngineError('limit', `a transaction holds at most ${CHANGE_LIMIT} changes`)
    const steps: Step[] = []
    const pending: Pending = { leaving: new Set(), answered: new Set() }
    try {
      for (const [i, change] of changes.entries())
        steps.push(this.#carryOut(pending, number, change, `changes[${i}]`, now))
    } catch (error) {
      for (const step of steps.reverse()) step.undo()
      throw error
    }
    for (const step of steps) step.settle?.()
  }

  removeOwner(owner: Owner, flows: 'purge' | 'drain', now: Nanoseconds): void {
    const number = this.#owners.find(owner)
    if (number === undefined) return
    const { upcalls, tunnels, routes } = this.#stages
    for (const { kind, name } of this.names.of(number))
      if (kind === 'filter') dropFilter(this.#context, this.names.unbind(number, kind, name, name))
    for (const upcall of upcalls.handles(number)) this.answer(upcall, now)
    if (flows === 'purge') this.#purgeFlows(number)
    removeClassesOf(this.#context, number, ROUTER)
    for (const { kind, name } of this.names.of(number))
      if (kind === 'tunnel') tunnels.close(this.names.unbind(number, kind, name, name))
    routes.removeOwner(number)
  }

  adopt(from: Owner, to: Owner): void {
    const source = this.#owners.find(from)
    if (source === undefined || from === to) return
    const target = this.#owners.numberOf(to)
    this.names.move(source, target)
    const { filters, flows, upcalls, routes, actions } = this.#stages
    for (const { kind, number } of this.names.of(target))
      if (kind === 'filter') filters.setOwner(number, target)
    flows.adopt(source, target, flows.countOf(source))
    upcalls.setOwner(source, target)
    routes.setOwner(source, target)
    actions.setOwner(source, target)
    this.decisions.setOwner(source, target)
  }

  /** Lets what was to happen without an answer happen to the packets of an upcall. */
  answer(upcall: number, now: Nanoseconds): void {
    releaseParked(this.#context, upcall, now)
  }

  #carryOut(pending: Pending, owner: number, change: Change, place: string, now: Nanoseconds): Step {
    const context = this.#context
    switch (change.do) {
      case 'open-tunnel':
        return openTunnel(context, owner, change, place)
      case 'close-tunnel':
        return closeTunnel(context, owner, change, place)
      case 'install-filter':
        return installFilter(context, owner, change, place)
      case 'remove-filter':
        return removeFilter(context, owner, change, place)
      case 'install-flow':
        return installFlow(context, pending, owner, change, place, now)
      case 'remove-flow':
        return removeFlow(context, pending, owner, change, place)
      case 'resume':
        return resume(context, pending, owner, change, place, now)
      case 'create-class':
        return createClass(context, owner, change, place, now)
      case 'set-class':
        return setClass(context, owner, change, place, now)
      case 'remove-class':
        return removeClass(context, owner, change, place)
      case 'add-route':
        return addRoute(context, owner, change, place)
      case 'remove-route':
        return removeRoute(context, owner, change, place)
      case 'add-address':
        return addAddress(context, operators(owner, change, place), place)
      case 'remove-address':
        return removeAddress(context, operators(owner, change, place), place)
      default:
        throw new EngineError('invalid', `unknown change ${String((change as Change).do)}`, place)
    }
  }

  #purgeFlows(owner: number): void {
    const { flows } = this.#stages
    for (let flow = flows.firstOf(owner); flow >= 0; ) {
      const next = flows.nextOf(flow)
      flows.remove(flow)
      flow = next
    }
  }
}

/** The change, if its owner is the operator: the router's addresses are nobody else's. */
function operators<C>(owner: number, change: C, place: string): C {
  if (owner !== ROUTER)
    throw new EngineError('forbidden', 'only the router itself changes its addresses', place)
  return change
}
