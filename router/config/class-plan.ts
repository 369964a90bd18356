/**
 * Which traffic classes go, come and change. The one idea: what can be set is set, so that what waits in a class
 * stays where it is. A class that gets another parent or discipline cannot be brought back under its name in the
 * same transaction (its queue may still drain): that is refused before anything has changed.
 */
import { type Change, type ClassRequest, EngineError } from '../../engine/index.ts'
import { isSame } from './plan-text.ts'

type CreateClass = Extract<Change, { do: 'create-class' }>
type SetClass = Extract<Change, { do: 'set-class' }>

/** The engine's own limits where a class says nothing. */
const DEFAULT_LIMIT_PACKETS = 1_000
const DEFAULT_LIMIT_BYTES = 1_500_000

/**
 * Changes that remove classes (children first), and that create or set them (parents first).
 * @throws EngineError `unsupported` for a change that needs another name or a restart
 */
export function planClasses(
  before: readonly Change[],
  after: readonly Change[],
): { readonly gone: readonly Change[]; readonly come: readonly Change[] } {
  const [had, has] = [classesOf(before), classesOf(after)]
  const wanted = new Map(has.map((each) => [keyOf(each), each]))
  const present = new Map(had.map((each) => [keyOf(each), each]))
  const gone = had.filter((each) => !wanted.has(keyOf(each))).reverse()
  checkReuse(gone, has, present)
  return {
    gone: gone.map(({ name, port }) => ({
      do: 'remove-class',
      name,
      ...(port === undefined ? {} : { port }),
    })),
    come: has.flatMap((each): Change[] => {
      const old = present.get(keyOf(each))
      if (old === undefined) return [{ do: 'create-class', class: each }]
      return isSame(old, each) ? [] : [settingOf(old, each)]
    }),
  }
}

function classesOf(policy: readonly Change[]): ClassRequest[] {
  return policy.filter((each): each is CreateClass => each.do === 'create-class').map((each) => each.class)
}

const keyOf = ({ name, port }: ClassRequest): string => `${name}@${port ?? ''}`

function refusal(name: string, what: string): EngineError {
  return new EngineError(
    'unsupported',
    `${what} cannot change while the router runs; give it another name, or restart`,
    `class ${name}`,
  )
}

/** A name that goes from one port and comes on another, or on all, would meet its own draining queue. */
function checkReuse(
  gone: readonly ClassRequest[],
  has: readonly ClassRequest[],
  present: ReadonlyMap<string, ClassRequest>,
): void {
  const names = new Set(gone.map((each) => each.name))
  for (const each of has)
    if (names.has(each.name) && !present.has(keyOf(each))) throw refusal(each.name, 'its port')
}

function settingOf(old: ClassRequest, wanted: ClassRequest): SetClass {
  if (old.parent !== wanted.parent) throw refusal(wanted.name, 'its parent')
  if ((old.dropPolicy ?? 'tail') !== (wanted.dropPolicy ?? 'tail')) throw refusal(wanted.name, 'its discard')
  return {
    do: 'set-class',
    name: wanted.name,
    ...(wanted.port === undefined ? {} : { port: wanted.port }),
    weight: wanted.weight,
    ceiling: wanted.ceiling ?? null,
    limitPackets: wanted.limitPackets ?? DEFAULT_LIMIT_PACKETS,
    limitBytes: wanted.limitBytes ?? DEFAULT_LIMIT_BYTES,
  }
}
