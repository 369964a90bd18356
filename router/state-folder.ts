/** Where a router keeps what outlives it, when its configuration does not say. */
import { mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { ControlError } from './control/errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The folder of a router of this name: of the system for root, else of the user. */
export function defaultStateFolder(
  name: string,
  environment: Environment = process.env,
  uid = process.getuid?.() ?? 0,
): string {
  if (uid === 0) return join('/var/lib/pronto', name)
  const { XDG_STATE_HOME: own } = environment
  return join(own?.startsWith('/') ? own : join(homedir(), '.local', 'state'), 'pronto', name)
}

/** Makes a state folder for its owner alone, unless it is there. @throws ControlError `failed` */
export function makeStateFolder(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return folder
  } catch (error) {
    throw new ControlError('failed', `cannot make the state folder ${folder}: ${(error as Error).message}`)
  }
}
