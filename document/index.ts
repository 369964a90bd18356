/** The door of the documents: texts that people write, read within bounds, checked, and refused with place and advice. */
export { type SchemaCheck, schemaCheck } from './check-schema.ts'
export { readDocument, SourceDocument } from './document.ts'
export { readDocumentFile } from './document-file.ts'
export { MAX_DEPTH, MAX_FILE_BYTES, MAX_VALUES } from './limits.ts'
export { hint, nearest } from './nearest.ts'
export {
  DocumentError,
  type Finding,
  formatPath,
  formatProblem,
  type KeyPath,
  type Position,
  type Problem,
  type ProblemCode,
  showValue,
} from './problem.ts'
export { type Bounds, Resolver } from './resolver.ts'
export * from './schema.ts'
export * from './subnet.ts'
export type { Value } from './tree.ts'
export {
  BIT_RATE,
  DURATION,
  FREQUENCY,
  type Quantity,
  type RawQuantity,
  SHARE,
  SIZE,
} from './units.ts'
