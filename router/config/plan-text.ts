/** Values of a configuration as texts that are equal when the values are. */
import { formatJsonLine, type JsonValue } from '../../execution-env/contract/index.ts'

/** A text that is equal for values that say the same, whatever the order of their keys. */
export function textOf(value: unknown): string {
  return value === undefined ? '' : formatJsonLine(value as JsonValue)
}

/** Whether two values say the same. */
export function isSame(one: unknown, other: unknown): boolean {
  return textOf(one) === textOf(other)
}
