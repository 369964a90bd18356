/**
 * Having a device for the router alone. The one idea: a packet socket only looks over the shoulder of the machine's own
 * stack, which would answer ARP and connections as well; so a program at the device's entrance discards for the stack
 * what the router takes, and what the device would put off or merge for the machine's comfort is switched off.
 *
 * Given back at the end. The filter outlives a killed router, and bears the name of a sign of life that does not: so
 * the next start replaces what a dead one has left, and refuses a device that a living one has.
 */
import { randomInt } from 'node:crypto'
import {
  addClsact,
  attachIngress,
  BpfAssembler,
  BpfProgram,
  detachIngress,
  type FilterPlace,
  findLink,
  LifeMark,
  LinuxError,
  listFilters,
  Netlink,
  offloads,
  R0,
  removeClsactIfEmpty,
  setLinkUp,
  setOffloads,
} from '../../engine/ports/linux/index.ts'

const NAME = 'pronto_claim'
/** Filters of ours: their names end with their handles. */
const CLAIM = /^pronto_claim_([0-9a-f]{8})$/
/** Behind what others may want to do first, such as counting. */
const PRIORITY = 40_000
/** The packet is no more, for those behind. */
const ACTION_DISCARD = 2

type Undo = () => void

export class DeviceClaim {
  readonly #device: string
  readonly #netlink: Netlink
  readonly #mark: LifeMark
  /** A number that no other claim has. */
  readonly #handle = randomInt(1, 2 ** 31)
  #removeFilter: Undo = () => {}
  #mergeAgain: Undo = () => {}

  /**
   * Takes a device, which is brought up.
   * @throws LinuxError; `busy` while another router has it, `unsupported` for what is not Ethernet. Nothing has
   * changed then
   */
  constructor(device: string) {
    this.#device = device
    this.#netlink = new Netlink()
    try {
      this.#mark = new LifeMark(nameOf(this.#handle))
    } catch (error) {
      this.#netlink.close()
      throw error
    }
    try {
      this.#take()
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Takes the device that has the name now: the one that was taken is gone, or has another. @throws LinuxError */
  renew(): void {
    quietly(this.#removeFilter)
    try {
      this.#take()
    } catch (error) {
      quietly(this.#removeFilter)
      throw error
    }
  }

  /** Gives the device back. Idempotent. */
  close(): void {
    quietly(this.#removeFilter)
    quietly(this.#mergeAgain)
    this.#removeFilter = () => {}
    this.#mergeAgain = () => {}
    this.#mark.close()
    this.#netlink.close()
  }

  #take(): void {
    const netlink = this.#netlink
    const { index, isUp, isEthernet } = findLink(netlink, this.#device)
    if (!isEthernet)
      throw new LinuxError('unsupported', `taking ${this.#device}`, 'it is not an Ethernet device')
    this.#checkOthers(index)
    if (!isUp) setLinkUp(netlink, index, true)
    this.#mergeAgain = mergeNothing(this.#device)
    this.#discardForTheStack(index)
    // Whoever came at the same moment sees us as well: none of both has it rather than both.
    this.#checkOthers(index)
  }

  /** Removes what dead routers have left. @throws LinuxError `busy` when there is a living one */
  #checkOthers(index: number): void {
    for (const name of listFilters(this.#netlink, index)) {
      const handle = Number.parseInt(CLAIM.exec(name)?.[1] ?? '', 16)
      if (Number.isNaN(handle) || handle === this.#handle) continue
      if (LifeMark.isSeen(name))
        throw new LinuxError('busy', `taking ${this.#device}`, 'another router of this machine has it')
      detachIngress(this.#netlink, placeOf(index, handle))
    }
  }

  #discardForTheStack(index: number): void {
    const netlink = this.#netlink
    const place = placeOf(index, this.#handle)
    addClsact(netlink, index)
    this.#removeFilter = () => {
      detachIngress(netlink, place)
      removeClsactIfEmpty(netlink, index)
    }
    const program = new BpfProgram(NAME, new BpfAssembler().move(R0, ACTION_DISCARD).exit().assemble())
    try {
      attachIngress(netlink, place, program, nameOf(this.#handle))
    } finally {
      // The filter holds it from now on.
      program.close()
    }
  }
}

const nameOf = (handle: number): string => `${NAME}_${handle.toString(16).padStart(8, '0')}`

const placeOf = (device: number, handle: number): FilterPlace => ({
  device,
  priority: PRIORITY,
  handle,
  protocol: 'all',
})

/** Merged segments are longer than the device's MTU: nothing that could be forwarded. */
function mergeNothing(device: string): Undo {
  const before = offloads(device)
  if (!before.genericReceive) return () => {}
  setOffloads(device, { ...before, genericReceive: false })
  return () => setOffloads(device, before)
}

/** The device may be gone: then there is nothing to give back. */
function quietly(undo: Undo): void {
  try {
    undo()
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error
  }
}
