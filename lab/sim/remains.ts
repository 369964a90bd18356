/**
 * What a simulated lab leaves when its process is killed: the folders of its routers with sockets that nobody answers.
 * Its plugins' processes end with it.
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ControlError, routerAddress, runtimeFolder } from '../../router/control-client/index.ts'
import type { DownResult } from '../backend.ts'
import { type Lab, routersOf } from '../file/index.ts'
import { LabFailure } from '../lab-failure.ts'

/**
 * Removes what a dead lab has left; records stay.
 * @throws LabFailure `busy` when it is up: it ends with its process
 */
export async function removeRemains(lab: Lab): Promise<DownResult> {
  const folder = join(runtimeFolder(), lab.name)
  const routers = routersOf(lab).filter(({ name }) => existsSync(join(folder, name)))
  for (const { name } of routers)
    if (await answers(`${lab.name}/${name}`))
      throw new LabFailure(`${lab.name} is up: end the pronto that keeps it up (Ctrl-C)`, 'busy')
  for (const { name } of routers) rmSync(join(folder, name), { recursive: true, force: true })
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder)
  const removed = routers.map(({ name }) => `the sockets of ${name}`)
  return { found: removed.length > 0, removed }
}

async function answers(name: string): Promise<boolean> {
  try {
    await routerAddress(name)
    return true
  } catch (error) {
    if (error instanceof ControlError && error.code === 'unknown') return false
    throw error
  }
}
