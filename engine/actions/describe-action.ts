/** Action rows as people read them, for queries: `class web > tunnel 3`, `decide (else drop no-server)`. */
import { dropReason } from '../drop-reason.ts'
import { formatIpv4Address } from '../wire/address.ts'
import {
  A,
  ACTION_NEXT,
  ACTION_SHIFT,
  type ActionTable,
  B,
  C,
  D,
  OP,
  OP_CLASS,
  OP_DECAPSULATE,
  OP_DECIDE,
  OP_DROP,
  OP_FORWARD,
  OP_REPLICATE,
  OP_REWRITE,
  OP_SPREAD,
  OP_TUNNEL,
  REWRITE_DESTINATION,
  REWRITE_DESTINATION_PORT,
  REWRITE_SOURCE,
  REWRITE_SOURCE_PORT,
} from './action-table.ts'

/** Branches that are spelled out. */
const MOST_BRANCHES = 8

/** Text of a row in use. @param labelName name of a traffic class's label */
export function describeAction(
  table: ActionTable,
  row: number,
  labelName: (label: number) => string,
): string {
  const at = row << ACTION_SHIFT
  const { words } = table
  const describe = (other: number) => describeAction(table, other, labelName)
  switch (words[at + OP]) {
    case OP_FORWARD:
      return words[at + A] === 1 ? `forward via ${formatIpv4Address(words[at + B])}` : 'forward'
    case OP_DROP:
      return `drop ${dropReason(words[at + A])}`
    case OP_TUNNEL:
      return `tunnel ${words[at + A]}`
    case OP_DECAPSULATE:
      return 'decapsulate'
    case OP_REWRITE:
      return `rewrite ${rewrites(words, at)} > ${describe(words[at + ACTION_NEXT])}`
    case OP_CLASS:
      return `class ${labelName(words[at + A])} > ${describe(words[at + ACTION_NEXT])}`
    case OP_DECIDE:
      return `decide (else ${describe(words[at + ACTION_NEXT])})`
    case OP_REPLICATE:
      return `replicate [${listed(table.lists[words[at + A]].rows, describe)}]`
    case OP_SPREAD: {
      const { rows, cumulative } = table.lists[words[at + A]]
      const weight = (i: number) => cumulative[i] - (i === 0 ? 0 : cumulative[i - 1])
      return `spread [${listed(rows, (each, i) => `${weight(i)}: ${describe(each)}`)}]`
    }
    default:
      return 'free'
  }
}

function rewrites(words: Int32Array, at: number): string {
  const bits = words[at + A]
  const parts: string[] = []
  if ((bits & REWRITE_SOURCE) !== 0) parts.push(`from ${formatIpv4Address(words[at + B])}`)
  if ((bits & REWRITE_SOURCE_PORT) !== 0) parts.push(`from port ${words[at + D] >>> 16}`)
  if ((bits & REWRITE_DESTINATION) !== 0) parts.push(`to ${formatIpv4Address(words[at + C])}`)
  if ((bits & REWRITE_DESTINATION_PORT) !== 0) parts.push(`to port ${words[at + D] & 0xffff}`)
  return parts.join(' ')
}

function listed(rows: Int32Array, describe: (row: number, index: number) => string): string {
  const shown = Array.from(rows.subarray(0, MOST_BRANCHES), describe)
  return rows.length > MOST_BRANCHES
    ? `${shown.join(', ')}, and ${rows.length - MOST_BRANCHES} more`
    : shown.join(', ')
}
