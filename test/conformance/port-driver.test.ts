/** All port drivers. Those on devices of the machine need root and make a namespace of their own. */
import { after, describe } from 'mocha'
import { MILLISECOND } from '../../engine/clock.ts'
import { PacketSlab } from '../../engine/packet.ts'
import { FaultInjector } from '../../engine/ports/fault-injector.ts'
import { Impairment } from '../../engine/ports/impairment.ts'
import { AfPacketPort, inNamespace, TapPort } from '../../engine/ports/linux/index.ts'
import { MemoryPort, memoryLink } from '../../engine/ports/memory-link.ts'
import { PcapPort, type ReplayFrame } from '../../engine/ports/pcap-port.ts'
import { Tracer } from '../../engine/ports/tracer.ts'
import { Random } from '../../engine/random.ts'
import { requireRoot, TestNamespace } from '../support/linux.ts'
import { RawDevice } from '../support/raw-device.ts'
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

/** A memory port behind a link that delays and paces both ways but loses nothing. */
function faultyRig(): PortRig {
  const rig = memoryRig()
  const random = Random.fromSeed(1)
  const link = { rateBps: 100_000_000, delayNs: 2 * MILLISECOND, jitterNs: MILLISECOND }
  const driver = new FaultInjector(rig.driver, {
    transmit: new Impairment(link, random.fork('transmit')),
    receive: new Impairment(link, random.fork('receive')),
  })
  return { ...rig, driver }
}

function passingRig(): PortRig {
  const rig = memoryRig()
  return { ...rig, driver: new FaultInjector(rig.driver, {}) }
}

function tracedRig(): PortRig {
  const rig = memoryRig()
  return { ...rig, driver: new Tracer(rig.driver, () => {}) }
}

/** A replay that is fed frame by frame, a millisecond apart. */
function replayRig(): PortRig {
  const frames: ReplayFrame[] = []
  let sent: Uint8Array[] = []
  const driver = new PcapPort({
    name: 'replay',
    mac: MAC,
    source: () => frames.shift(),
    record: (_direction, bytes, start, length) => sent.push(bytes.slice(start, start + length)),
  })
  return {
    driver,
    offer: (bytes) => void frames.push({ timeNs: frames.length * MILLISECOND, bytes: bytes.slice() }),
    taken: () => {
      const taken = sent
      sent = []
      return taken
    },
  }
}

describePortDriver('memory port', memoryRig)
describePortDriver('memory link', linkRig)
describePortDriver('fault injector with delay and rate', faultyRig)
describePortDriver('fault injector without faults', passingRig)
describePortDriver('tracer', tracedRig)
describePortDriver('capture file', replayRig, { noLinkState: 'a file is always there' })

const EXPERIMENTAL = 0x88b5
let space: TestNamespace | undefined

/** The namespace of all rigs on real devices, made when the first one is. */
function namespace(): TestNamespace {
  space ??= new TestNamespace()
  return space
}

/** A driver on a real device, with a raw socket on `farDevice`, which `switched` connects. */
function deviceRig(driver: AfPacketPort | TapPort, farDevice: string, remove: () => void): PortRig {
  const inside = namespace()
  const far = new RawDevice(inside.path, farDevice, EXPERIMENTAL)
  return {
    driver,
    offer: (frame) => far.send(frame),
    taken: () => far.taken(),
    setUp: (up) => {
      inside.run(`ip link set ${farDevice} ${up ? 'up' : 'down'}`)
      inside.waitRunning(driver.device, up)
      // A driver believes what it knows for a while; these tests do not wait.
      driver.checkLink()
    },
    dispose: () => {
      far.close()
      remove()
    },
  }
}

/** A port on one end of a veth pair. */
function packetRig(): PortRig {
  const inside = namespace()
  inside.run('ip link add name near type veth peer name far')
  inside.run('ip link set near up')
  inside.run('ip link set far up')
  inside.waitRunning('near')
  const driver = inNamespace(inside.path, () => AfPacketPort.open({ name: 'eth0', device: 'near' }))
  return deviceRig(driver, 'far', () => inside.run('ip link del near'))
}

function tapRig(): PortRig {
  const driver = inNamespace(namespace().path, () => TapPort.open({ name: 'eth0', device: 'tap0' }))
  return deviceRig(driver, 'tap0', () => {})
}

/** The same behind both wrappers. */
function wrappedPacketRig(): PortRig {
  const rig = packetRig()
  const random = Random.fromSeed(1)
  const link = { delayNs: 2 * MILLISECOND, jitterNs: MILLISECOND }
  const faulty = new FaultInjector(rig.driver, {
    transmit: new Impairment(link, random.fork('transmit')),
    receive: new Impairment(link, random.fork('receive')),
  })
  return { ...rig, driver: new Tracer(faulty, () => {}) }
}

describe('on devices of the machine', () => {
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))
  const options = { require: requireRoot, settle }
  describePortDriver('raw socket on a veth', packetRig, options)
  describePortDriver('raw socket behind a tracer and a fault injector', wrappedPacketRig, options)
  describePortDriver('TAP', tapRig, options)

  after(() => space?.remove())
})
