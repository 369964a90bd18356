/**
 * Working inside another network namespace. The one idea: a namespace belongs to a thread, and a synchronous call
 * stays on its thread: so a thread goes in, opens what it needs, and comes back. Sockets and devices opened inside
 * stay there.
 */
import { closeSync, openSync } from 'node:fs'
import { checked, libc } from './libc.ts'
import { LinuxError } from './system-error.ts'

const CLONE_NEWNET = 0x40000000
const NEEDS = { privilege: 'CAP_SYS_ADMIN', feature: 'network namespaces (CONFIG_NET_NS)' }

/**
 * Runs `work` with this thread inside the network namespace at `path` (e.g. /run/netns/NAME) and returns its result.
 * `work` must be synchronous: after an await it would run outside.
 * @throws LinuxError when the namespace is not there or may not be entered
 */
export function inNamespace<T>(path: string, work: () => T): T {
  const attempt = `entering the network namespace ${path}`
  const home = openNamespace('/proc/thread-self/ns/net', attempt)
  try {
    enter(path, attempt)
    try {
      return work()
    } finally {
      checked(libc().setns(home, CLONE_NEWNET), `leaving the network namespace ${path}`)
    }
  } finally {
    closeSync(home)
  }
}

function enter(path: string, attempt: string): void {
  const target = openNamespace(path, attempt)
  try {
    checked(libc().setns(target, CLONE_NEWNET), attempt, NEEDS)
  } finally {
    closeSync(target)
  }
}

function openNamespace(path: string, attempt: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0
    if (errno === 0) throw new LinuxError('failed', attempt, String(error))
    throw LinuxError.ofErrno(-errno, attempt)
  }
}
