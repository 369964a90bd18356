/** Events: each has a time within the lab and a target that exists. */
import assert from 'node:assert'
import type { Bounds, KeyPath, Resolver } from '../../../document/index.ts'
import { DURATION, hint } from '../../../document/index.ts'
import type { EventBody, LabEvent } from '../lab.ts'
import { MAX_DURATION_NS } from '../limits.ts'
import type { RawEvent } from '../raw.ts'
import { resolvePlugin, type Surroundings } from './node.ts'
import type { Topology } from './topology.ts'

const TIME: Bounds = { min: 0, max: MAX_DURATION_NS, expected: 'a duration of at most 100 days' }

/** What events are resolved against. */
export interface EventContext {
  readonly topology: Topology
  readonly surroundings: Surroundings
  readonly durationNs: number | undefined
  readonly resolver: Resolver
}

/** Notes a node that is not there, or not of the kind. */
function checkNode(
  name: string,
  kind: 'host' | 'router' | undefined,
  path: KeyPath,
  context: EventContext,
): string {
  const { nodes } = context.topology
  const node = nodes.get(name)
  const wanted = [...nodes]
    .filter(([, each]) => kind === undefined || each.kind === kind)
    .map(([each]) => each)
  if (node === undefined)
    context.resolver.fault('unknown', path, `no ${kind ?? 'node'} ${name}${hint(name, wanted)}`)
  else if (kind !== undefined && node.kind !== kind)
    context.resolver.fault('invalid', path, `expected a ${kind}, but ${name} is a ${node.kind}`)
  return name
}

function checkLink(name: string, path: KeyPath, context: EventContext): string {
  const link = context.topology.linkNamed(name)
  if (link !== undefined) return link.name
  const near = hint(name, context.topology.linkNames())
  context.resolver.fault(
    'unknown',
    path,
    `no link ${name}: expected a link's name or one of its endpoints${near}`,
  )
  return name
}

function eventBody(raw: RawEvent, path: KeyPath, context: EventContext): EventBody {
  const router = (name: string, key: string) => checkNode(name, 'router', [...path, key, 'router'], context)
  const { set, load, upgrade, unload, kill } = raw
  if (raw.fail !== undefined)
    return { kind: 'fail', node: checkNode(raw.fail, undefined, [...path, 'fail'], context) }
  if (raw.recover !== undefined)
    return { kind: 'recover', node: checkNode(raw.recover, undefined, [...path, 'recover'], context) }
  if (raw.cut !== undefined) return { kind: 'cut', link: checkLink(raw.cut, [...path, 'cut'], context) }
  if (raw.heal !== undefined) return { kind: 'heal', link: checkLink(raw.heal, [...path, 'heal'], context) }
  if (set !== undefined) {
    const host = checkNode(set.host, 'host', [...path, 'set', 'host'], context)
    return { kind: 'set', host, load: set.load }
  }
  if (unload !== undefined) {
    const { id, flows = 'drain' } = unload
    return { kind: 'unload', router: router(unload.router, 'unload'), id, flows }
  }
  if (kill !== undefined) return { kind: 'kill', router: router(kill.router, 'kill'), part: kill.part }
  const { surroundings, resolver } = context
  if (upgrade !== undefined) {
    const plugin = resolvePlugin(upgrade, [...path, 'upgrade'], surroundings, resolver)
    return { kind: 'upgrade', router: router(upgrade.router, 'upgrade'), id: upgrade.id, plugin }
  }
  assert(load !== undefined)
  const plugin = resolvePlugin(load, [...path, 'load'], surroundings, resolver)
  return { kind: 'load', router: router(load.router, 'load'), plugin }
}

/** The events in the order in which they happen. */
export function resolveEvents(raw: readonly RawEvent[], context: EventContext): LabEvent[] {
  const events = raw.map((event, index) => {
    const path = ['events', index]
    const atNs = context.resolver.quantity(DURATION, event.at, [...path, 'at'], TIME)
    if (context.durationNs !== undefined && atNs > context.durationNs)
      context.resolver.fault(
        'conflict',
        [...path, 'at'],
        'expected a time before the end of the lab (duration)',
      )
    return { atNs, index, ...eventBody(event, path, context) }
  })
  return events.sort((a, b) => a.atNs - b.atNs || a.index - b.index)
}
