/**
 * Operators of this machine: a socket for each role. The one idea: Node cannot ask a socket who is at its other end, so
 * the file system decides who may open which; a socket gets its owner and mode in a folder that nobody else can enter,
 * and only then its name, so that it is never open by mistake.
 */
import { chmodSync, chownSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { LocalControl } from '../config/index.ts'
import { ControlError } from '../control/errors.ts'
import { ROLES, type Role, rolesUpTo } from '../control/roles.ts'
import { socketPath } from '../control/runtime-folder.ts'
import type { Peer } from './peer.ts'
import { attach, type Gate, httpOptions } from './upgrade.ts'

const OWNER_ONLY = 0o600
const OWNER_AND_GROUP = 0o660

interface Opened {
  readonly server: Server
  readonly path: string
  readonly inode: number
}

export class LocalListener {
  readonly #opened: readonly Opened[]

  private constructor(opened: readonly Opened[]) {
    this.#opened = opened
  }

  /**
   * Opens the sockets of all roles in a router's folder.
   * @param gate makes what a role's socket needs
   * @throws ControlError `exists` when a router is at work there, `unknown` group, `failed`, `limit`
   */
  static async open(
    folder: string,
    groups: LocalControl,
    handshakeMs: number,
    gate: (identify: () => Peer) => Gate,
  ): Promise<LocalListener> {
    const opened: Opened[] = []
    try {
      for (const role of ROLES) {
        const path = socketPath(folder, role)
        await refuseLiving(path)
        const server = createServer(httpOptions(handshakeMs))
        attach(
          server,
          gate(() => localPeer(role)),
        )
        opened.push(await bind(server, folder, role, path, groups[role]))
      }
    } catch (error) {
      await new LocalListener(opened).close()
      throw error
    }
    return new LocalListener(opened)
  }

  /** Lets nobody in any more. */
  async close(): Promise<void> {
    for (const { path, inode } of this.#opened)
      if (statSync(path, { throwIfNoEntry: false })?.ino === inode) rmSync(path, { force: true })
    await Promise.all(this.#opened.map(({ server }) => closeServer(server)))
  }
}

/** Ends a server with the connections that never became sessions. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((settle) => {
    server.close(() => settle())
    server.closeAllConnections()
  })
}

function localPeer(role: Role): Peer {
  const roles = new Set(rolesUpTo(role))
  return { via: 'local', name: role, roles, isValid: () => true }
}

/** A socket whose router is dead is taken over; one that answers is not. */
function refuseLiving(path: string): Promise<void> {
  return new Promise((settle, reject) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      reject(new ControlError('exists', `a router is at work at ${path}`))
    })
    socket.on('error', () => settle())
  })
}

async function bind(
  server: Server,
  folder: string,
  role: Role,
  path: string,
  group: string | number | undefined,
): Promise<Opened> {
  const gid = group === undefined ? undefined : groupId(group)
  let hidden: string | undefined
  try {
    hidden = mkdtempSync(join(folder, '.n'))
    const unnamed = join(hidden, 's')
    await new Promise<void>((settle, reject) => {
      server.once('error', reject)
      server.listen(unnamed, () => settle())
    })
    if (gid !== undefined) chownSync(unnamed, -1, gid)
    chmodSync(unnamed, gid === undefined ? OWNER_ONLY : OWNER_AND_GROUP)
    const inode = statSync(unnamed).ino
    renameSync(unnamed, path)
    return { server, path, inode }
  } catch (error) {
    server.close()
    throw new ControlError('failed', `cannot open the socket for ${role}: ${(error as Error).message}`)
  } finally {
    if (hidden !== undefined) rmSync(hidden, { recursive: true, force: true })
  }
}

/** Number of a group. @throws ControlError `unknown` */
function groupId(group: string | number): number {
  if (typeof group === 'number') return group
  const lines = readFileSync('/etc/group', 'utf8').split('\n')
  const found = lines.map((line) => line.split(':')).find(([name]) => name === group)
  const gid = Number(found?.[2])
  if (!Number.isInteger(gid)) throw new ControlError('unknown', `this machine has no group ${group}`)
  return gid
}
