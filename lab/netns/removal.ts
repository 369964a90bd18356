/**
 * Removing what a ledger names. The one idea: the same hands clean up at a lab's end and after its process was killed:
 * first the processes, then the namespaces, with which their links go, then the folders.
 */
import { rmdirSync, rmSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { LabFailure } from '../lab-failure.ts'
import { forgetLedger, type LedgerContent, labFolder } from './ledger.ts'
import { bootId, isAlive, processesIn, signalGroup } from './proc.ts'
import { tryTool } from './tools.ts'

/** How long a process may take to end in order. */
const GRACE_MS = 800
const LOOK_MS = 10

export const NAMESPACE_FOLDER = '/run/netns'

/** Removes everything of a ledger that is there. Answers with a line for each thing; idempotent. */
export async function removeAll(content: LedgerContent): Promise<string[]> {
  const removed = content.boot === bootId() ? await endProcesses(content) : []
  removed.push(...removeNamespaces(content))
  for (const folder of content.folders) {
    if (statSync(folder, { throwIfNoEntry: false }) === undefined) continue
    rmSync(folder, { recursive: true, force: true })
    removed.push(`folder ${folder}`)
  }
  const folder = labFolder(content.lab)
  forgetLedger(folder)
  removeEmpty(folder)
  return removed
}

/** Ends the recorded processes: asks, waits, then insists; and what else they have started in our namespaces. */
async function endProcesses(content: LedgerContent): Promise<string[]> {
  const living = content.processes.filter(isAlive)
  for (const { pid } of living) signalGroup(pid, 'SIGTERM')
  const deadline = performance.now() + GRACE_MS
  while (living.some(isAlive) && performance.now() < deadline) await sleep(LOOK_MS)
  for (const each of living) if (isAlive(each)) signalGroup(each.pid, 'SIGKILL')
  const groups = new Set(content.processes.map(({ pid }) => pid))
  const inodes = new Set([...content.namespaces.values()].filter((inode) => inode !== undefined))
  // A leader may be gone and its children not; they still bear its number as their group's.
  for (const { pid, group } of inodes.size === 0 ? [] : processesIn(inodes))
    if (groups.has(group) || groups.has(pid)) signalGroup(group, 'SIGKILL')
  while (living.some(isAlive) && performance.now() < deadline + GRACE_MS) await sleep(LOOK_MS)
  return living.map(({ what, pid }) => `process ${pid}, ${what}`)
}

/** A namespace of that name that is another one by now is somebody else's. */
function removeNamespaces({ namespaces }: LedgerContent): string[] {
  const ours = [...namespaces].filter(([name, inode]) => {
    const status = statSync(`${NAMESPACE_FOLDER}/${name}`, { throwIfNoEntry: false })
    return status !== undefined && (inode === undefined || inode === status.ino)
  })
  if (ours.length === 0) return []
  const lines = ours.map(([name]) => `netns del ${name}`)
  const { stderr } = tryTool('ip', ['-force', '-batch', '-'], `${lines.join('\n')}\n`)
  const left = ours.filter(([name]) => statSync(`${NAMESPACE_FOLDER}/${name}`, { throwIfNoEntry: false }))
  if (left.length > 0)
    throw new LabFailure(`cannot remove namespace ${left[0]![0]}: ${stderr.trim().slice(0, 300)}`)
  return ours.map(([name]) => `namespace ${name}`)
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // somebody else's things lie in it, or it is gone
  }
}
