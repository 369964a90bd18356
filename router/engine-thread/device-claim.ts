/**
 * Having a device for the router alone. The one idea: a packet socket only looks over the shoulder of the machine's own
 * stack, which would answer ARP and connections as well; so a program at the device's entrance discards for the stack
 * what the router takes, and what the device would put off or merge for the machine's comfort is switched off.
 *
 * Given back at the end. What a killed router has left, its next start finds and replaces.
 */
import {
  addClsact,
  attachIngress,
  BpfAssembler,
  BpfProgram,
  detachIngress,
  type FilterPlace,
  findLink,
  LinuxError,
  Netlink,
  offloads,
  R0,
  removeClsactIfEmpty,
  setLinkUp,
  setOffloads,
} from '../../engine/ports/linux/index.ts'

const NAME = 'pronto_claim'
/** Behind what others may want to do first, such as counting. */
const PRIORITY = 40_000
const HANDLE = 0x5052
/** The packet is no more, for those behind. */
const ACTION_DISCARD = 2

type Undo = () => void

/** Takes a device, which is brought up; answers with the way back. @throws LinuxError; nothing has changed then */
export function claimDevice(device: string): Undo {
  const netlink = new Netlink()
  const undo: Undo[] = [() => netlink.close()]
  const giveBack = (): void => {
    for (const each of undo.splice(0).reverse()) quietly(each)
  }
  try {
    const { index, isUp } = findLink(netlink, device)
    if (!isUp) setLinkUp(netlink, index, true)
    undo.push(mergeNothing(device))
    undo.push(discardForTheStack(netlink, index))
    return giveBack
  } catch (error) {
    giveBack()
    throw error
  }
}

function discardForTheStack(netlink: Netlink, index: number): Undo {
  const place: FilterPlace = { device: index, priority: PRIORITY, handle: HANDLE, protocol: 'all' }
  detachIngress(netlink, place)
  addClsact(netlink, index)
  const program = new BpfProgram(NAME, new BpfAssembler().move(R0, ACTION_DISCARD).exit().assemble())
  try {
    attachIngress(netlink, place, program)
  } finally {
    // The filter holds it from now on.
    program.close()
  }
  return () => {
    detachIngress(netlink, place)
    removeClsactIfEmpty(netlink, index)
  }
}

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
