/** The port drivers that need no privilege and no medium of the machine's. */

import { PacketSlab } from '../../engine/packet.ts'
import { MemoryPort, memoryLink } from '../../engine/ports/memory-link.ts'
import { describePortDriver, type PortRig } from './port-driver.ts'

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)
const OTHER_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2)

/** A port whose far side is functions: what it transmits is collected. */
function memoryRig(): PortRig & { readonly driver: MemoryPort } {
  const driver = new MemoryPort({ name: 'memory', mac: MAC })
  let sent: Uint8Array[] = []
  driver.onTransmit = (bytes, start, length) => sent.push(bytes.slice(start, start + length))
  return {
    driver,
    offer: (frame) => void driver.deliver(frame),
    taken: () => {
      const taken = sent
      sent = []
      return taken
    },
    setUp: (up) => driver.setUp(up),
  }
}

/** A port joined to another one, whose frames are passed on by the far end. */
function linkRig(): PortRig {
  const [driver, far] = memoryLink({ name: 'near', mac: MAC }, { name: 'far', mac: OTHER_MAC })
  const slab = new PacketSlab({ capacity: 64 })
  const into = new Int32Array(64)
  return {
    driver,
    offer: (frame) => {
      const packet = slab.load(frame)
      far.transmit(slab, packet, 0)
      slab.release(packet)
    },
    taken: () => {
      const frames: Uint8Array[] = []
      for (const packet of into.subarray(0, far.receive(slab, into, 64, 0))) {
        frames.push(slab.frame(packet).slice())
        slab.release(packet)
      }
      return frames
    },
    setUp: (up) => far.setUp(up),
  }
}

describePortDriver('memory port', memoryRig)
describePortDriver('memory link', linkRig)
