/**
 * The pipe by which the lab speaks to a program of its own. The one idea: lines of JSON both ways, and when the lab is
 * gone, however it went, the pipe ends and the program with it.
 */
import { createInterface } from 'node:readline'

/** Calls `hear` for each message; ends the process when there will be no more. */
export function listenToLab(
  hear: (message: { readonly do: string; readonly [key: string]: unknown }) => void,
): void {
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })
  lines.on('line', (line) => hear(JSON.parse(line)))
  lines.on('close', () => process.exit(0))
}

/** Tells the lab something. */
export function tellLab(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}
