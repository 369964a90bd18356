/** The door of the lab file: load, schema, types, problems. */

export {
  BIT_RATE,
  DocumentError as LabFileError,
  DURATION,
  type Finding,
  FREQUENCY,
  formatPath,
  formatProblem,
  hint,
  type KeyPath,
  nearest,
  type Position,
  type Problem,
  type ProblemCode,
  type Quantity,
  SHARE,
  SIZE,
} from '../../document/index.ts'
export * from './lab.ts'
export { type LabFile, type LoadOptions, loadLabFile, parseLabFile } from './load.ts'
export type { Surroundings } from './resolve/node.ts'
export { labSchema } from './schema/lab-schema.ts'
