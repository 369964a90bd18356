/**
 * Traffic classes of a static policy: a tree below each port. The one idea: parents are created before children,
 * and a name means one class on a port, whether it was made for that port or for all.
 */

import type { Bounds, KeyPath, Resolver } from '../../document/index.ts'
import { BIT_RATE, hint, SIZE } from '../../document/index.ts'
import type { Change, ClassRequest } from '../../engine/index.ts'
import { MAX_QUEUE_BYTES, MAX_RATE_BPS, MIN_RATE_BPS } from './limits.ts'
import type { RawClass } from './raw.ts'

const RATE: Bounds = { min: MIN_RATE_BPS, max: MAX_RATE_BPS, expected: 'a rate from 1kbps to 1Tbps' }
const BYTES: Bounds = { min: 64, max: MAX_QUEUE_BYTES, expected: 'a size from 64 to 1G' }

/** Classes below classes (the engine's own bound). */
const MAX_LEVELS = 32
/** The engine's own class for all other packets. */
const DEFAULT_CLASS = 'default'

/** What the classes are checked against. */
export interface ClassContext {
  readonly path: KeyPath
  readonly ports: ReadonlySet<string>
  readonly resolver: Resolver
}

/** Names of classes that others name as parent. */
export function parentNames(classes: readonly RawClass[]): Set<string> {
  return new Set(classes.flatMap((each) => (each.parent === undefined ? [] : [each.parent])))
}

/** Changes that create the classes, parents first. */
export function resolveClasses(classes: readonly RawClass[], context: ClassContext): Change[] {
  const ordered: Change[] = []
  const state = new Map<RawClass, 'open' | 'done'>()
  const visit = (each: RawClass): void => {
    if (state.has(each)) return
    state.set(each, 'open')
    const parent = classes.find((other) => other.name === each.parent && covers(other, each))
    if (parent !== undefined) visit(parent)
    state.set(each, 'done')
    ordered.push({ do: 'create-class', class: request(each, classes.indexOf(each), context) })
  }
  checkNames(classes, context)
  checkParents(classes, context)
  for (const each of classes) visit(each)
  return ordered
}

/** Whether `parent` exists on every port on which `child` does. */
function covers(parent: RawClass, child: RawClass): boolean {
  return parent.port === undefined || parent.port === child.port
}

function checkNames(classes: readonly RawClass[], { path, ports, resolver }: ClassContext): void {
  const seen = new Map<string, Set<string>>()
  for (const [index, each] of classes.entries()) {
    if (each.port !== undefined && !ports.has(each.port))
      resolver.fault('unknown', [...path, index, 'port'], `no port ${each.port}${hint(each.port, ports)}`)
    if (each.name === DEFAULT_CLASS)
      resolver.fault(
        'conflict',
        [...path, index, 'name'],
        `${DEFAULT_CLASS} is the class of all other packets`,
      )
    const places = seen.get(each.name) ?? new Set()
    const taken = each.port === undefined ? places.size > 0 : places.has(each.port) || places.has('')
    if (taken) resolver.fault('duplicate', [...path, index, 'name'], `there is another class ${each.name}`)
    seen.set(each.name, places.add(each.port ?? ''))
  }
}

function checkParents(classes: readonly RawClass[], { path, resolver }: ClassContext): void {
  for (const [index, each] of classes.entries()) {
    if (each.parent === undefined) continue
    const at = [...path, index, 'parent']
    const named = classes.filter((other) => other.name === each.parent)
    const parent = named.find((other) => covers(other, each))
    if (parent === undefined) {
      const known = classes.map((other) => other.name)
      const where = each.port === undefined ? 'every port' : `port ${each.port}`
      const message = named.length > 0 ? `no class ${each.parent} on ${where}` : `no class ${each.parent}`
      resolver.fault('unknown', at, `${message}${named.length > 0 ? '' : hint(each.parent, known)}`)
    } else {
      const levels = levelsAbove(each, classes)
      if (levels === undefined) resolver.fault('conflict', at, `${each.name} is below itself`)
      else if (levels >= MAX_LEVELS)
        resolver.fault('limit', at, `classes nest deeper than ${MAX_LEVELS} levels`)
    }
  }
}

/** How many classes are above one, or undefined where it is above itself. */
function levelsAbove(start: RawClass, classes: readonly RawClass[]): number | undefined {
  let at = start
  for (let levels = 0; levels <= classes.length; levels++) {
    const parent = classes.find((other) => other.name === at.parent && covers(other, at))
    if (parent === undefined) return levels
    if (parent === start) return undefined
    at = parent
  }
  return 0
}

function request(raw: RawClass, index: number, { path, resolver }: ClassContext): ClassRequest {
  const at = [...path, index]
  const rateBps = resolver.optional(BIT_RATE, raw.ceiling, [...at, 'ceiling'], RATE)
  const burstBytes = resolver.optional(SIZE, raw.burst, [...at, 'burst'], BYTES)
  const limitBytes = resolver.optional(SIZE, raw.limit?.bytes, [...at, 'limit', 'bytes'], BYTES)
  if (burstBytes !== undefined && rateBps === undefined)
    resolver.fault('conflict', [...at, 'burst'], 'burst goes with ceiling')
  const ceiling = rateBps === undefined ? {} : { ceiling: { rateBps, ...(burstBytes && { burstBytes }) } }
  return {
    name: raw.name,
    weight: raw.weight,
    ...(raw.port !== undefined && { port: raw.port }),
    ...(raw.parent !== undefined && { parent: raw.parent }),
    ...ceiling,
    ...(raw.limit?.packets !== undefined && { limitPackets: raw.limit.packets }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...(raw.discard !== undefined && { dropPolicy: raw.discard }),
  }
}
