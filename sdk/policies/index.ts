/**
 * The policies (`pronto-router/sdk/policies`): pure helpers that a plugin bundles. They read no clock and no
 * randomness, keep no state but their own objects', and run wherever plugins do.
 */
export type { Backend, BackendState, NamedBackend } from './backend.ts'
export { candidates, weightOf } from './backend.ts'
export type { FlowTuple, HashKey } from './hash.ts'
export { hashFlow, hashName, hashSource } from './hash.ts'
export type { LoadedBackend } from './least-load.ts'
export { leastLoad } from './least-load.ts'
export type { MaglevOptions } from './maglev.ts'
export { Maglev } from './maglev.ts'
export { PrefixTable } from './prefix-table.ts'
export type { CostTable } from './proximity.ts'
export { Proximity } from './proximity.ts'
export { Rendezvous } from './rendezvous.ts'
export { RoundRobin } from './round-robin.ts'
export type { Day, TimeWindow } from './time-of-day.ts'
export { DAYS, TimeOfDay } from './time-of-day.ts'
