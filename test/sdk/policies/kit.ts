/** Backends, keys and counting for the tests of the policies. */
import fc from 'fast-check'
import type { BackendState, NamedBackend } from '../../../sdk/policies/index.ts'

export interface TestBackend extends NamedBackend {
  readonly name: string
  readonly weight: number
  readonly state: BackendState
  readonly load: number
}

export function backend(name: string, over: Partial<TestBackend> = {}): TestBackend {
  return { name, weight: 1, state: 'active', load: 0, ...over }
}

/** As many backends of weight 1, named like servers. */
export function backends(count: number): TestBackend[] {
  return Array.from({ length: count }, (_, index) => backend(`10.0.${index}.2`))
}

/** Lists of backends with different names, any weights and states. */
export const anyBackends = (maxLength = 8): fc.Arbitrary<TestBackend[]> =>
  fc.uniqueArray(
    fc.record({
      name: fc.string({ minLength: 1, maxLength: 8 }),
      weight: fc.integer({ min: 0, max: 20 }),
      state: fc.constantFrom<BackendState[]>('active', 'terminating', 'maintenance'),
      load: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY)),
    }),
    { maxLength, selector: (each) => each.name },
  )

/** Active backends with weights of at least 1. */
export const activeBackends = (minLength = 1, maxLength = 8): fc.Arbitrary<TestBackend[]> =>
  fc.uniqueArray(
    fc.record({
      name: fc.string({ minLength: 1, maxLength: 8 }),
      weight: fc.integer({ min: 1, max: 20 }),
      state: fc.constant<BackendState>('active'),
      load: fc.constant(0),
    }),
    { minLength, maxLength, selector: (each) => each.name },
  )

/** Names of those that may get a flow, told from the definition. */
export function allowed(list: readonly TestBackend[]): string[] {
  const weighty = list.filter((each) => each.weight > 0)
  const active = weighty.filter((each) => each.state === 'active')
  return (active.length > 0 ? active : weighty.filter((each) => each.state === 'terminating')).map(
    (each) => each.name,
  )
}

/** How often each name occurs. */
export function count(names: Iterable<string | undefined>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[String(name)] = (counts[String(name)] ?? 0) + 1
  return counts
}

/** Flow number `index` of many clients to one virtual host. */
export function flow(index: number) {
  return {
    source: (0x0a00_0000 + Math.floor(index / 50) * 7) >>> 0,
    destination: 0xc612_0050,
    protocol: 6,
    fromPort: 1_024 + (index % 50),
    toPort: 80,
  }
}

export const indices = (length: number): number[] => Array.from({ length }, (_, index) => index)
