/** The door of the lab file: load, schema, types, problems. */
export * from './lab.ts'
export { type LabFile, type LoadOptions, loadLabFile, parseLabFile } from './load.ts'
export { hint, nearest } from './nearest.ts'
export {
  type Finding,
  formatPath,
  formatProblem,
  type KeyPath,
  LabFileError,
  type Position,
  type Problem,
  type ProblemCode,
} from './problem.ts'
export type { Surroundings } from './resolve/node.ts'
export { labSchema } from './schema/lab-schema.ts'
export { BIT_RATE, DURATION, FREQUENCY, type Quantity, SHARE, SIZE } from './units.ts'
