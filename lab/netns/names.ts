/**
 * Names of what a lab makes on this machine. The one idea: a name says whose it is, and ends with a number drawn for
 * this life of the lab, so that labs do not meet and nothing that was there before has it.
 */
import { randomBytes } from 'node:crypto'

/** The kernel takes 255 bytes; longer ones than this make no good table. */
const LONGEST_PART = 24

/** A number for one life of a lab: six hexadecimal digits. */
export function newLabId(): string {
  return randomBytes(3).toString('hex')
}

/** The namespace of a node, at most 75 characters. @param index the node's place in the lab: names may be cut */
export function namespaceName(lab: string, node: string, id: string, index: number): string {
  return `pronto-${lab.slice(0, LONGEST_PART)}-${node.slice(0, LONGEST_PART)}-${id}-${index.toString(36)}`
}
