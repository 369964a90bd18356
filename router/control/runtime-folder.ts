/**
 * Where routers of this machine are found: one folder for each, with a socket for each role. The one idea: who may
 * reach a socket is who the file system lets; a name is a path below one well-known folder.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlError } from './errors.ts'
import { ROLES, type Role } from './roles.ts'

/** The variable that names the folder in place of the machine's own. */
const VARIABLE = 'PRONTO_RUNTIME'
/** Longest path of a Unix socket on every system that we run on (macOS: 104 with the zero byte). */
const LONGEST_SOCKET_PATH = 103
/** Others may pass, not look around: each socket says who may use it. */
const FOLDER_MODE = 0o711
const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/

type Environment = Readonly<Record<string, string | undefined>>

/** The folder below which routers have their sockets. It may not be there. */
export function runtimeFolder(environment: Environment = process.env, uid = process.getuid?.() ?? 0): string {
  const { [VARIABLE]: own, XDG_RUNTIME_DIR: session } = environment
  if (own !== undefined && own !== '') return own
  if (session?.startsWith('/')) return join(session, 'pronto')
  return uid === 0 ? '/run/pronto' : join(tmpdir(), `pronto-${uid}`)
}

/**
 * The folder of a router, made for its owner alone unless it is there. A folder that somebody else has prepared is
 * refused.
 * @param name `r1`, or `LAB/r1` for one of a lab
 * @throws ControlError `invalid`, `forbidden`, `failed`
 */
export function makeRouterFolder(name: string, base = runtimeFolder()): string {
  if (!isRouterName(name)) throw new ControlError('invalid', `${JSON.stringify(name)} is not a router's name`)
  let folder = base
  makeOwn(folder)
  for (const step of name.split('/')) {
    folder = join(folder, step)
    makeOwn(folder)
  }
  return folder
}

/** Removes a router's folder once nothing is in it, and nothing else. */
export function removeRouterFolder(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // A successor is at work there already, or it is gone.
  }
}

function makeOwn(folder: string): void {
  try {
    const made = mkdirSync(folder, { mode: FOLDER_MODE, recursive: true })
    // The umask of a service may have taken away what lets the groups of sockets through.
    if (made !== undefined) chmodSync(folder, FOLDER_MODE)
  } catch (error) {
    throw new ControlError('failed', `cannot make ${folder}: ${(error as Error).message}`)
  }
  const status = lstatSync(folder)
  const uid = process.getuid?.()
  if (!status.isDirectory() || (uid !== undefined && status.uid !== uid) || (status.mode & 0o022) !== 0)
    throw new ControlError('forbidden', `${folder} is not a folder that only its owner, you, can write`)
}

/** The socket of a role. @throws ControlError `limit` when no system would take the path */
export function socketPath(folder: string, role: Role): string {
  const path = join(folder, `${role}.sock`)
  if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH)
    throw new ControlError('limit', `${path}: too long for a socket, at most ${LONGEST_SOCKET_PATH} bytes`)
  return path
}

/** Whether a text is a router's name: `r1`, `LAB/r1`. */
export function isRouterName(text: string): boolean {
  const steps = text.split('/')
  return steps.length <= 2 && steps.every((each) => NAME.test(each))
}

/** Names of the routers that have sockets, those of labs as `LAB/r1`; whether they are alive is not known. */
export function listRouters(base = runtimeFolder()): string[] {
  const isRouter = (folder: string) => ROLES.some((role) => namesIn(folder).includes(`${role}.sock`))
  return namesIn(base).flatMap((name) => {
    if (!NAME.test(name)) return []
    const folder = join(base, name)
    const below = namesIn(folder).filter((each) => NAME.test(each) && isRouter(join(folder, each)))
    return [...(isRouter(folder) ? [name] : []), ...below.map((each) => `${name}/${each}`)]
  })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}
