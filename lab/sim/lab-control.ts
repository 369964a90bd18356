/**
 * The control of a lab that is kept up: every router answers the same commands as a real one, through a socket for each
 * role in a folder of the lab's own. The one idea: nothing here is the simulator's; the sockets of a router are there
 * while it is up, and each of its lives has its own.
 */
import { rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ControlServer, makeRouterFolder } from '../../router/index.ts'
import type { LabRouter } from './lab-router.ts'
import type { SimRouter } from './router-node.ts'
import type { Simulation } from './simulation.ts'

export class LabControl {
  readonly #doors: readonly Doors[]

  private constructor(doors: readonly Doors[]) {
    this.#doors = doors
  }

  /**
   * Opens the sockets of all routers that are up.
   * @param failed hears why those of a router that has come up again cannot be opened
   * @throws ControlError `exists` when the lab is up already
   */
  static async open(simulation: Simulation, failed: (error: Error) => void): Promise<LabControl> {
    const { lab, routers } = simulation
    const control = new LabControl(routers.map((node) => new Doors(lab.name, node, failed)))
    try {
      for (const each of control.#doors) each.follow()
      for (const each of control.#doors) await each.settled()
    } catch (error) {
      await control.close()
      throw error
    }
    return control
  }

  /** Opens the sockets of routers that have come up, and closes those of routers that have gone down. */
  follow(): void {
    for (const each of this.#doors) each.follow()
  }

  async close(): Promise<void> {
    await Promise.all(this.#doors.map((each) => each.close()))
  }
}

/** The sockets of one router, in all its lives. */
class Doors {
  readonly #name: string
  readonly #node: SimRouter
  readonly #failed: (error: Error) => void
  #life: LabRouter | undefined
  #server: ControlServer | undefined
  #folder: string | undefined
  /** What is done to the sockets, one after the other. */
  #work: Promise<void> = Promise.resolve()

  constructor(lab: string, node: SimRouter, failed: (error: Error) => void) {
    this.#name = `${lab}/${node.name}`
    this.#node = node
    this.#failed = failed
  }

  follow(): void {
    const life = this.#node.plugins?.administration
    if (life === this.#life) return
    this.#life = life
    this.#work = this.#work.catch(() => {}).then(() => this.#serve(life))
    this.#work.catch(this.#failed)
  }

  /** Resolves when everything so far is done. @throws ControlError */
  async settled(): Promise<void> {
    await this.#work
  }

  async close(): Promise<void> {
    await this.#work.catch(() => {})
    await this.#server?.close()
    if (this.#folder === undefined) return
    removeEmpty(uploadsIn(this.#folder))
    removeEmpty(this.#folder)
    removeEmpty(dirname(this.#folder))
  }

  async #serve(router: LabRouter | undefined): Promise<void> {
    await this.#server?.close()
    this.#server = undefined
    if (router === undefined || router.isOver) return
    this.#folder = makeRouterFolder(this.#name)
    const uploads = uploadsIn(this.#folder)
    this.#server = await ControlServer.open({ router, folder: this.#folder, uploads })
  }
}

const uploadsIn = (folder: string) => join(folder, '.uploads')

/** What others have put there stays. */
function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // Somebody else's sockets, or a record.
  }
}
