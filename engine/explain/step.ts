/** What an explanation is made of. */
import type { Row } from '../query/tables.ts'

/** One thing that decides, or one thing that is done. */
export interface ExplanationStep {
  readonly stage:
    | 'admit'
    | 'flow-table'
    | 'filters'
    | 'choice'
    | 'decision'
    | 'tunnel'
    | 'route'
    | 'copies'
    | 'drop'
    | 'deliver'
    | 'send'
    | 'decapsulate'
  /** For people, one line. */
  readonly text: string
  /** For programs. */
  readonly facts: Row
  /** What happens to each copy, or without an answer. */
  readonly branches?: readonly (readonly ExplanationStep[])[]
}
