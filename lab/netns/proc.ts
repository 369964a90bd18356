/**
 * Processes as the kernel tells of them. The one idea: a process id comes round again, a process id with the time of
 * its start does not; so nothing is ended that was not recorded with both.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What was noted of a process when it was started. */
export interface ProcessMark {
  readonly pid: number
  /** Clock ticks since the machine's start. */
  readonly start: string
}

/** This start of the machine. */
export function bootId(): string {
  return readOrNothing('/proc/sys/kernel/random/boot_id').trim()
}

/** The mark of a process that runs now; undefined where there is none, or only its remains. */
export function markOf(pid: number): ProcessMark | undefined {
  const fields = statusOf(pid)
  return fields === undefined || fields[0] === 'Z' ? undefined : { pid, start: fields[19]! }
}

/** Whether it is still the same process. */
export function isAlive({ pid, start }: ProcessMark): boolean {
  return markOf(pid)?.start === start
}

/** Sends a signal to a process group whose leader, or any member, is still there. False where nobody is. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal)
    return true
  } catch {
    return false
  }
}

/** Processes in network namespaces, given by their inodes, with their process groups. */
export function processesIn(inodes: ReadonlySet<number>): { readonly pid: number; readonly group: number }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const inode = Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${name}/ns/net`))?.[1])
      if (!inodes.has(inode)) return []
      return [{ pid: Number(name), group: Number(statusOf(Number(name))?.[2]) }]
    } catch {
      return [] // it has ended, or is nobody's to look at
    }
  })
}

/** The fields of /proc/PID/stat from the third one on: the second may contain anything. */
function statusOf(pid: number): readonly string[] | undefined {
  const text = readOrNothing(`/proc/${pid}/stat`)
  const end = text.lastIndexOf(')')
  return end < 0 ? undefined : text.slice(end + 2).split(' ')
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
