/**
 * Traffic classes as steps of a transaction, on one port or on all. The one idea: whether a class is there is a
 * question of its owner's names, which change at once; the port's tree follows, for a removal only when the
 * transaction has succeeded, since a class that drains cannot be brought back.
 */
import type { Nanoseconds } from '../clock.ts'
import type { Change } from '../control.ts'
import { EngineError } from '../errors.ts'
import type { NamedResources } from '../named-resources.ts'
import type { Port } from '../port.ts'
import { DEFAULT_CLASS } from '../scheduler/traffic-class.ts'
import type { ChangeContext, Step } from './step.ts'

type Create = Extract<Change, { do: 'create-class' }>
type Set = Extract<Change, { do: 'set-class' }>
type Remove = Extract<Change, { do: 'remove-class' }>

/** The name under which its owner holds a class of a port. */
function nameOn(port: Port, name: string): string {
  return `${name}@${port.name}`
}

/** The class's name in its port's tree. */
function nameIn(port: Port, held: string): string {
  return held.slice(0, held.length - port.name.length - 1)
}

function portsOf(context: ChangeContext, name: string | undefined, place: string): readonly Port[] {
  if (name === undefined) return context.stages.ports
  const index = context.portIndex(name)
  if (index === undefined) throw new EngineError('unknown', `no port ${name}`, `${place}.port`)
  return [context.stages.ports[index]]
}

export function createClass(
  context: ChangeContext,
  owner: number,
  change: Create,
  place: string,
  now: Nanoseconds,
): Step {
  const { names, stages } = context
  const { port: portName, ...request } = change.class
  const at = `${place}.class`
  const steps: Step[] = []
  try {
    for (const port of portsOf(context, portName, at)) {
      const name = nameOn(port, request.name)
      names.bind(owner, 'class', name, port.index, `${at}.name`)
      steps.push({ undo: () => void names.unbind(owner, 'class', name, place) })
      const { parent = DEFAULT_CLASS } = request
      if (parent !== DEFAULT_CLASS && !names.isHeld('class', nameOn(port, parent)))
        throw new EngineError('unknown', `no class ${parent} on ${port.name}`, `${at}.parent`)
      const label = stages.labels.labelOf(request.name, `${at}.name`)
      within(at, () => port.scheduler.classes.create(request, label, now))
      stages.labels.retain(label)
      steps.push({ undo: () => drop(context, port, request.name) })
    }
  } catch (error) {
    undoAll(steps)
    throw error
  }
  return { undo: () => undoAll(steps) }
}

export function setClass(
  context: ChangeContext,
  owner: number,
  change: Set,
  place: string,
  now: Nanoseconds,
): Step {
  const { do: _, name, port: portName, ...settings } = change
  const steps: Step[] = []
  try {
    for (const port of heldPorts(context, owner, name, portName, place)) {
      const { classes } = port.scheduler
      const before = classes.get(name)!
      within(place, () => classes.set(name, settings, now))
      const restored = {
        weight: before.weight,
        ceiling: before.ceiling ?? null,
        limitPackets: before.queue.limitPackets,
        limitBytes: before.queue.limitBytes,
      }
      steps.push({ undo: () => classes.set(name, restored, now) })
    }
  } catch (error) {
    undoAll(steps)
    throw error
  }
  return { undo: () => undoAll(steps) }
}

export function removeClass(context: ChangeContext, owner: number, change: Remove, place: string): Step {
  const held = heldPorts(context, owner, change.name, change.port, place)
  const inUse = held.find((port) => hasChildren(context.names, port, change.name))
  if (inUse !== undefined)
    throw new EngineError('in-use', `class ${change.name} has children on ${inUse.name}`, `${place}.name`)
  for (const port of held) context.names.unbind(owner, 'class', nameOn(port, change.name), `${place}.name`)
  return {
    undo: () => {
      for (const port of held)
        context.names.bind(owner, 'class', nameOn(port, change.name), port.index, place)
    },
    settle: () => {
      for (const port of held) drop(context, port, change.name)
    },
  }
}

/**
 * Removes all classes of an owner. One that has children of somebody else's stays until they have gone, and is
 * `heir`'s from now on.
 */
export function removeClassesOf(context: ChangeContext, owner: number, heir: number): void {
  const { names, stages } = context
  let left = names.of(owner).filter(({ kind }) => kind === 'class')
  for (let before = left.length + 1; left.length < before; ) {
    before = left.length
    left = left.filter(({ name, number }) => {
      const port = stages.ports[number]
      if (hasChildren(names, port, nameIn(port, name))) return true
      names.unbind(owner, 'class', name, name)
      drop(context, port, nameIn(port, name))
      return false
    })
  }
  if (owner === heir) return
  for (const { name, number } of left) {
    names.unbind(owner, 'class', name, name)
    names.bind(heir, 'class', name, number, name)
  }
}

/** Whether a class of a port has children that someone holds. */
function hasChildren(names: NamedResources, port: Port, name: string): boolean {
  return port.scheduler.classes.namesBelow(name).some((child) => names.isHeld('class', nameOn(port, child)))
}

/** Takes a class without children out of its port's tree. */
function drop({ stages }: ChangeContext, port: Port, name: string): void {
  port.scheduler.classes.remove(name)
  stages.labels.release(stages.labels.labelOf(name, 'name'))
}

/** The ports on which this owner holds the class. */
function heldPorts(
  context: ChangeContext,
  owner: number,
  name: string,
  portName: string | undefined,
  place: string,
): Port[] {
  const held = portsOf(context, portName, place).filter((port) =>
    context.names.holds(owner, 'class', nameOn(port, name)),
  )
  if (held.length === 0) throw new EngineError('unknown', `no class ${name} of this owner`, `${place}.name`)
  return [...held]
}

function undoAll(steps: readonly Step[]): void {
  for (const step of [...steps].reverse()) step.undo()
}

/** Runs a request of another room, putting its place below ours. */
function within(place: string, request: () => void): void {
  try {
    request()
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    throw error.within(place)
  }
}
