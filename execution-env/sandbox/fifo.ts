/**
 * Named pipes between the router and a sandbox process. The one idea: both processes read and write plain file
 * descriptors, which can block (a pipe that Node makes for a child cannot); the names are gone before anybody uses
 * the pipes, and the child inherits its ends, so that it needs no file system.
 *
 * When one process dies, the other reads the end of the stream.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closeEnds, type FifoEnds } from './descriptor.ts'
import { findTool } from './tools.ts'

/**
 * Makes two pipes.
 * @param blocking whether the router's ends block; the child's always do
 * @throws Error where pipes cannot be made
 */
export function openFifoPair(blocking: boolean): { readonly router: FifoEnds; readonly child: FifoEnds } {
  const folder = mkdtempSync(join(tmpdir(), 'pronto-'))
  try {
    const paths = [join(folder, 'to'), join(folder, 'from')] as const
    const made = spawnSync(findTool('mkfifo') ?? 'mkfifo', ['-m', '600', ...paths], { stdio: 'ignore' })
    if (made.status !== 0) throw new Error('mkfifo failed', { cause: made.error })
    const mode = blocking ? 0 : constants.O_NONBLOCK
    const to = openBothEnds(paths[0], 0, mode)
    const from = openOr(
      () => closeEnds(to),
      () => openBothEnds(paths[1], mode, 0),
    )
    return {
      router: { readFd: from.readFd, writeFd: to.writeFd, polled: !blocking },
      child: { readFd: to.readFd, writeFd: from.writeFd },
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Opens a pipe for reading and for writing, neither of which waits for the other here. */
function openBothEnds(path: string, readMode: number, writeMode: number): FifoEnds {
  const opener = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const writeFd = openSync(path, constants.O_WRONLY | writeMode)
    const readFd = openOr(
      () => closeSync(writeFd),
      () => openSync(path, constants.O_RDONLY | readMode),
    )
    return { readFd, writeFd }
  } finally {
    closeSync(opener)
  }
}

/** Opens something; where it cannot be opened, what was opened before is given back. */
function openOr<Opened>(giveBack: () => void, open: () => Opened): Opened {
  try {
    return open()
  } catch (error) {
    giveBack()
    throw error
  }
}
