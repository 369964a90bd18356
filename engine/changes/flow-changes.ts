/**
 * Pinning flows and answering upcalls as steps of a transaction. The one idea: a step keeps the handle of a flow, not
 * its number, since later changes of the same transaction, or packets that it lets go, may end flows.
 */
import { type ActionScope, compileAction } from '../actions/compile-action.ts'
import { createFlowRecord } from '../classifier/flow-entry.ts'
import type { Nanoseconds } from '../clock.ts'
import type { Change, FlowKey } from '../control.ts'
import { EngineError } from '../errors.ts'
import {
  FLOW,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  META_SHIFT,
  NEXT,
  NONE,
} from '../packet.ts'
import { parseIpv4Address } from '../wire/address.ts'
import { joinPorts } from '../wire/flow-key.ts'
import type { ChangeContext, Pending, Step } from './step.ts'

type Install = Extract<Change, { do: 'install-flow' }>
type Remove = Extract<Change, { do: 'remove-flow' }>
type Resume = Extract<Change, { do: 'resume' }>

/** What the names in an owner's actions mean. */
export function actionScope({ names, stages }: ChangeContext, owner: number): ActionScope {
  return {
    owner,
    tunnel: (name, place) => names.resolve(owner, 'tunnel', name, place),
    classLabel: (name, place) => stages.labels.labelOf(name, place),
  }
}

const record = createFlowRecord()

/** A flow's key as the words of a packet. */
interface KeyWords {
  readonly source: number
  readonly destination: number
  readonly ports: number
  readonly protocol: number
}

/** What a flow is to be pinned to, by whom, for how long. */
interface Pinning {
  readonly owner: number
  readonly row: number
  /** 0: default by protocol. */
  readonly idleNs: Nanoseconds
}

export function installFlow(
  context: ChangeContext,
  pending: Pending,
  owner: number,
  change: Install,
  place: string,
  now: Nanoseconds,
): Step {
  const key = keyWords(change.key, `${place}.key`)
  const idleNs = idleOf(change.idleNs, place)
  const { actions } = context.stages
  const row = compileAction(actions, change.action, actionScope(context, owner), `${place}.action`)
  try {
    return pin(context, pending, key, { owner, row, idleNs }, place, now)
  } finally {
    // The flow, if there is one now, is a user of its own.
    actions.release(row)
  }
}

export function removeFlow(
  context: ChangeContext,
  { leaving }: Pending,
  owner: number,
  change: Remove,
  place: string,
): Step {
  const { flows } = context.stages
  const flow = find(context, keyWords(change.key, `${place}.key`))
  const handle = flow < 0 ? NONE : flows.handleOf(flow)
  if (flow < 0 || flows.ownerOf(flow) !== owner || leaving.has(handle))
    throw new EngineError('unknown', 'no such flow of this owner', `${place}.key`)
  leaving.add(handle)
  return {
    undo: () => void leaving.delete(handle),
    settle: () => {
      // Unless it was pinned again, or has ended by itself.
      const present = flows.resolve(handle)
      if (leaving.delete(handle) && present >= 0) flows.remove(present)
    },
  }
}

/** Answers an upcall: pins its flow and lets the parked packets follow. */
export function resume(
  context: ChangeContext,
  pending: Pending,
  owner: number,
  change: Resume,
  place: string,
  now: Nanoseconds,
): Step {
  const { upcalls, slab, actions } = context.stages
  const view = upcalls.view(change.upcall)
  if (view === undefined || pending.answered.has(change.upcall))
    throw new EngineError('unknown', 'no such open upcall: answered, or expired', `${place}.upcall`)
  if (view.owner !== owner)
    throw new EngineError('forbidden', 'an upcall of another owner', `${place}.upcall`)
  const at = view.packet << META_SHIFT
  const key = {
    source: slab.meta[at + KEY_SOURCE],
    destination: slab.meta[at + KEY_DESTINATION],
    ports: slab.meta[at + KEY_PORTS],
    protocol: slab.meta[at + KEY_PROTOCOL],
  }
  const idleNs = idleOf(change.idleNs, place)
  const row = compileAction(actions, change.action, actionScope(context, owner), `${place}.action`)
  let step: Step
  try {
    step = pin(context, pending, key, { owner, row, idleNs }, place, now)
  } catch (error) {
    actions.release(row)
    throw error
  }
  pending.answered.add(change.upcall)
  return {
    undo: () => {
      pending.answered.delete(change.upcall)
      step.undo()
      actions.release(row)
    },
    settle: () => {
      step.settle?.()
      releaseParked(context, change.upcall, now, row)
      actions.release(row)
    },
  }
}

/**
 * Lets the packets of an upcall go on with a row or, without an answer, as their flow was pinned meanwhile or else
 * as the question's fallback has it. Those that no flow counted before count as their flow's. The upcall is closed.
 */
export function releaseParked(context: ChangeContext, upcall: number, now: Nanoseconds, row?: number): void {
  const { upcalls, slab, counters, actions, flows, pins } = context.stages
  const { meta } = slab
  const view = upcalls.view(upcall)
  if (view === undefined) return
  let packet = upcalls.close(upcall)
  while (packet !== NONE) {
    const at = packet << META_SHIFT
    const next = meta[at + NEXT]
    meta[at + NEXT] = NONE
    counters.parked--
    const flow = flows.lookup(
      meta[at + KEY_SOURCE],
      meta[at + KEY_DESTINATION],
      meta[at + KEY_PORTS],
      meta[at + KEY_PROTOCOL],
    )
    // A packet of a flow was sent here by that flow's own action, which must not send it back.
    const pinned = flow >= 0 && meta[at + FLOW] === NONE
    if (pinned) pins.touch(packet, flow, now)
    context.apply(packet, row ?? (pinned ? flows.actionOf(flow) : view.otherwise), now)
    packet = next
  }
  actions.release(view.otherwise)
}

function find({ stages }: ChangeContext, { source, destination, ports, protocol }: KeyWords): number {
  return stages.flows.lookup(source, destination, ports, protocol)
}

function pin(
  context: ChangeContext,
  { leaving }: Pending,
  key: KeyWords,
  pinning: Pinning,
  place: string,
  now: Nanoseconds,
): Step {
  const { flows, pins } = context.stages
  const { owner, row, idleNs } = pinning
  const present = find(context, key)
  if (present >= 0) {
    if (flows.ownerOf(present) !== owner)
      throw new EngineError('conflict', 'the flow is pinned by another owner', `${place}.key`)
    return repin(context, leaving, present, pinning)
  }
  const flow = pins.install(key.source, key.destination, key.ports, key.protocol, row, idleNs, owner, now)
  if (flow < 0) throw new EngineError('limit', 'the flow table is full', `${place}.key`)
  const handle = flows.handleOf(flow)
  return {
    undo: () => {
      const installed = flows.resolve(handle)
      if (installed >= 0) flows.remove(installed)
    },
  }
}

/** Points a flow that is pinned already at another row. */
function repin(context: ChangeContext, leaving: Set<number>, flow: number, pinning: Pinning): Step {
  const { flows, pins, actions } = context.stages
  const handle = flows.handleOf(flow)
  const before = flows.actionOf(flow)
  const idleBefore = flows.read(flow, record).idleNs
  const wasLeaving = leaving.delete(handle)
  // Kept for the undoing.
  actions.retain(before)
  pins.repin(flow, pinning.row, pinning.idleNs)
  return {
    undo: () => {
      const present = flows.resolve(handle)
      if (present >= 0) pins.repin(present, before, idleBefore)
      if (wasLeaving) leaving.add(handle)
      actions.release(before)
    },
    settle: () => actions.release(before),
  }
}

function keyWords(key: FlowKey, place: string): KeyWords {
  const within = (value: number, most: number) => Number.isInteger(value) && value >= 0 && value <= most
  if (!within(key.protocol, 255)) throw new EngineError('invalid', 'expected 0..255', `${place}.protocol`)
  if (!within(key.fromPort, 65535)) throw new EngineError('invalid', 'expected 0..65535', `${place}.fromPort`)
  if (!within(key.toPort, 65535)) throw new EngineError('invalid', 'expected 0..65535', `${place}.toPort`)
  return {
    source: addressWord(key.from, `${place}.from`),
    destination: addressWord(key.to, `${place}.to`),
    ports: joinPorts(key.fromPort, key.toPort),
    protocol: key.protocol,
  }
}

function addressWord(text: string, place: string): number {
  const address = parseIpv4Address(text)
  if (address === undefined)
    throw new EngineError('invalid', `expected an IPv4 address, got ${JSON.stringify(text)}`, place)
  return address | 0
}

/** Idle time of a change; 0 leaves it to the protocol. */
function idleOf(idleNs: number | undefined, place: string): Nanoseconds {
  if (idleNs === undefined) return 0
  if (!Number.isFinite(idleNs) || idleNs <= 0)
    throw new EngineError('invalid', 'expected nanoseconds > 0', `${place}.idleNs`)
  return idleNs
}
