/**
 * A user for a sandbox process alone. The one idea: a number that nobody else has needs no account; a process under it
 * owns nothing, and can signal neither the router nor the sandboxes of other signers.
 *
 * Takes a router that runs as root, and a program that anybody may read: where it lies in a folder of root's own, the
 * process stays root without capabilities.
 */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import type { SystemUser } from './confinement.ts'
import { findTool } from './tools.ts'

/** Numbers above all that systems give away, for the process ids of routers; below 2^31. */
const FIRST = 2_000_000_000
const PROCESSES = 100_000
const EACH = 1_000

const readable = new Map<string, boolean>()
let next = 0

/** @param program that the process is to run; undefined where none can be had */
export function ownUser(program: string): SystemUser | undefined {
  const [setpriv, test] = [findTool('setpriv'), findTool('test')]
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  if (setpriv === undefined || test === undefined) return undefined
  const id = FIRST + (process.pid % PROCESSES) * EACH + (next++ % EACH)
  let isReadable = readable.get(program)
  if (isReadable === undefined) {
    const identity = [`--reuid=${id}`, `--regid=${id}`, '--clear-groups', '--']
    const addon = createRequire(import.meta.url).resolve('isolated-vm/package.json')
    const conditions = ['-x', process.execPath, '-a', '-r', program, '-a', '-r', addon]
    const probe = spawnSync(setpriv, [...identity, test, ...conditions], { stdio: 'ignore', env: {} })
    isReadable = probe.status === 0
    readable.set(program, isReadable)
  }
  return isReadable ? { uid: id, gid: id } : undefined
}
