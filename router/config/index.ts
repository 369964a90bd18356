/** The door of the configuration: load, schema, types, and the plan from one to another. */
export type * from './config.ts'
export { configSchema } from './config-schema.ts'
export { loadRouterConfig, parseRouterConfig } from './load-config.ts'
export { EMPTY_CONFIG, type Plan, planChanges } from './plan.ts'
export { textOf } from './plan-text.ts'
