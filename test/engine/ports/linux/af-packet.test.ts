import { expect } from 'chai'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { PacketSlab } from '../../../../engine/packet.ts'
import {
  AfPacketPort,
  describeDevice,
  disableOffloads,
  inNamespace,
  LINK_CHECK_NS,
  LINK_WAKE_NS,
  LinuxError,
  libc,
  Memory,
  offloads,
  type PortProblem,
  setOffloads,
} from '../../../../engine/ports/linux/index.ts'
import { parseMacAddress, transportChecksumOk } from '../../../../engine/wire/index.ts'
import { testFrame } from '../../../conformance/port-driver.ts'
import { KernelUdp } from '../../../support/kernel-udp.ts'
import { requireRoot, TestNamespace } from '../../../support/linux.ts'
import { RawDevice } from '../../../support/raw-device.ts'
import { linkBecomes, received, receivedNow, soon, transmitted } from '../../../support/received.ts'

const MAC = '02:00:00:00:77:01'
const NOW = 1_000_000
const NEVER = Number.POSITIVE_INFINITY

/** Two namespaces with a veth: `near` for the driver, `far` with the kernel's stack at 10.9.0.2. */
class Rig {
  readonly here = new TestNamespace()
  readonly there = new TestNamespace()
  readonly problems: PortProblem[] = []
  port!: AfPacketPort
  far!: RawDevice

  constructor() {
    this.link()
    this.open()
  }

  link(index = 101): void {
    const { here, there } = this
    here.run(
      `ip link add name near index ${index} address ${MAC} type veth peer name far index ${index + 100} netns ${there.name}`,
    )
    here.run('ip link set near up')
    there.run('ip link set far up')
    there.run('ip addr add 10.9.0.2/24 dev far')
    there.run(`ip neigh replace 10.9.0.1 lladdr ${MAC} dev far nud permanent`)
    here.waitRunning('near')
    there.waitRunning('far')
    this.far?.close()
    this.far = new RawDevice(there.path, 'far')
  }

  open(): void {
    const onProblem = (problem: PortProblem): void => void this.problems.push(problem)
    this.port = inNamespace(this.here.path, () =>
      AfPacketPort.open({ name: 'eth0', device: 'near', onProblem }),
    )
  }

  /** A UDP socket of the far kernel's, connected to nobody. */
  udp(): KernelUdp {
    return new KernelUdp(this.there.path, '10.9.0.2', 5000)
  }

  dispose(): void {
    this.port.close()
    this.far.close()
    this.here.remove()
    this.there.remove()
  }
}

/** The frame with an 802.1Q tag behind its addresses. */
function tagged(frame: Uint8Array, tag: number, type = 0x8100): Uint8Array {
  return Uint8Array.of(
    ...frame.subarray(0, 12),
    type >> 8,
    type & 0xff,
    tag >> 8,
    tag & 0xff,
    ...frame.subarray(12),
  )
}

/** Whether poll(2) finds anything on the descriptor now. */
function isReadable(descriptor: number): boolean {
  const memory = new Memory(8)
  memory.words[0] = descriptor
  memory.words[1] = 1
  const found = libc().poll(memory.address, 1, 0)
  memory.close()
  return found > 0
}

const frameOf = (bytes: Uint8Array[]): string[] => bytes.map((each) => Buffer.from(each).toString('hex'))

describe('AfPacketPort', () => {
  let rig: Rig

  before(function () {
    requireRoot(this)
  })
  beforeEach(() => {
    rig = new Rig()
  })
  afterEach(() => rig.dispose())

  describe('when frames carry a VLAN tag', () => {
    it('receives the tag that the kernel takes off', async () => {
      const frames = [
        tagged(testFrame(1, 100), 0x6007, 0x88a8),
        testFrame(2, 60),
        tagged(testFrame(3, 1514), 5),
      ]
      for (const frame of frames) rig.far.send(frame)
      expect(frameOf(await received(rig.port, 3))).to.deep.equal(frameOf(frames))
      expect(rig.port.details.tagsRestored).to.equal(2)
      expect(rig.port.counters.receivedBytes).to.equal(104 + 60 + 1518)
    })

    it('sends them, four bytes longer than the MTU allows otherwise', async () => {
      rig.there.run('ethtool -K far rxvlan off')
      expect(transmitted(rig.port, tagged(testFrame(1, 1514), 9))).to.equal(true)
      expect(transmitted(rig.port, testFrame(1, 1518))).to.equal(false)
      await soon()
      const kernelTakesTagsOff = rig.far.taken().map((each) => each.length)
      expect(kernelTakesTagsOff).to.deep.equal([1514])
      expect(rig.port.counters.transmittedBytes).to.equal(1518)
    })
  })

  describe('when the sender leaves checksums to hardware', () => {
    it('finishes them', async () => {
      const udp = rig.udp()
      for (const length of [1, 100, 1471]) udp.send(new Uint8Array(length), '10.9.0.1', 9)
      const frames = await received(rig.port, 3)
      udp.close()
      expect(frames.map((each) => transportChecksumOk(each, 14, each.length))).to.deep.equal([
        true,
        true,
        true,
      ])
      expect(rig.port.details.checksumsCompleted).to.equal(3)
    })

    it('leaves those of a sender that does not alone', async () => {
      inNamespace(rig.there.path, () => disableOffloads('far'))
      const udp = rig.udp()
      udp.send(testFrame(1, 100), '10.9.0.1', 9)
      const [frame] = await received(rig.port, 1)
      udp.close()
      expect(transportChecksumOk(frame!, 14, frame!.length)).to.equal(true)
      expect(rig.port.details.checksumsCompleted).to.equal(0)
    })
  })

  describe('when the sender leaves segmentation to hardware', () => {
    it('drops what is longer than the MTU, counts each and tells once', async () => {
      const udp = rig.udp()
      udp.segment(1000)
      udp.send(testFrame(1, 6000), '10.9.0.1', 9)
      udp.send(testFrame(1, 6000), '10.9.0.1', 9)
      udp.send(testFrame(1, 500), '10.9.0.1', 9)
      const frames = await received(rig.port, 1)
      udp.close()
      expect(frames.map((each) => each.length)).to.deep.equal([14 + 28 + 500])
      expect(rig.port.details.oversized).to.equal(2)
      expect(rig.port.counters.receiveDropped).to.equal(2)
      expect(rig.problems.map((each) => each.kind)).to.deep.equal(['frame-too-long'])
      expect(rig.problems[0]!.message).to.match(/^eth0: .*ethtool -K DEVICE tx off tso off gso off/)
    })
  })

  describe('when this machine itself sends on the device', () => {
    it('receives nothing of that, nor what it sent', async () => {
      const own = new RawDevice(rig.here.path, 'near')
      own.send(testFrame(1, 100))
      own.close()
      transmitted(rig.port, testFrame(2, 100))
      rig.far.send(testFrame(3, 100))
      expect(frameOf(await received(rig.port, 1))).to.deep.equal(frameOf([testFrame(3, 100)]))
      expect(await receivedNow(rig.port)).to.have.length(0)
      expect(rig.far.taken()).to.have.length(2)
    })
  })

  describe('when the MTU is another', () => {
    it('takes it from the device when it is opened', async () => {
      rig.port.close()
      rig.here.run('ip link set near mtu 9000')
      rig.there.run('ip link set far mtu 9000')
      rig.open()
      expect(rig.port.capabilities.maxFrameBytes).to.equal(9014)
      rig.far.send(testFrame(1, 9014))
      expect(frameOf(await received(rig.port, 1))).to.deep.equal(frameOf([testFrame(1, 9014)]))
      expect(transmitted(rig.port, testFrame(2, 9014))).to.equal(true)
      await soon()
      expect(frameOf(rig.far.taken())).to.deep.equal(frameOf([testFrame(2, 9014)]))
    })

    it('loses what a device whose MTU shrank refuses, counted, and sends the rest', async () => {
      rig.here.run('ip link set near mtu 1000')
      const frames = [testFrame(1, 200), testFrame(2, 1514), testFrame(3, 300)]
      for (const frame of frames) transmitted(rig.port, frame)
      await soon()
      expect(frameOf(rig.far.taken())).to.deep.equal(frameOf([frames[0]!, frames[2]!]))
      expect(rig.port.counters.transmitDropped).to.equal(1)
      expect(rig.port.counters.transmittedFrames).to.equal(2)
    })
  })

  describe('when the far end takes only shorter frames', () => {
    it('waits for one of them, loses the next at once, and sends the rest', async () => {
      rig.there.run('ip link set far mtu 1000')
      const [short, long, other] = [testFrame(1, 200), testFrame(2, 1514), testFrame(3, 300)]
      for (const frame of [short, long, other]) transmitted(rig.port, frame)
      await soon()
      expect(frameOf(rig.far.taken()), 'one stands in the way').to.deep.equal(frameOf([short]))
      rig.port.flush(NOW + 9e6)
      expect(rig.port.counters.transmitDropped).to.equal(0)
      rig.port.flush(NOW + 10e6)
      await soon()
      expect(frameOf(rig.far.taken())).to.deep.equal(frameOf([other]))
      for (const frame of [long, short]) transmitted(rig.port, frame, NOW + 11e6)
      await soon()
      expect(frameOf(rig.far.taken()), 'no waiting for its like').to.deep.equal(frameOf([short]))
      expect(rig.port.counters.transmitDropped).to.equal(2)
      expect(rig.problems.map(({ message }) => message).join()).to.match(
        /^eth0: frames of 1514 bytes .*smaller MTU/,
      )
      rig.there.run('ip link set far mtu 1500')
      transmitted(rig.port, long, NOW + 12e6)
      await soon()
      expect(frameOf(rig.far.taken()), 'it is tried every time').to.deep.equal(frameOf([long]))
    })
  })

  describe('when the link changes', () => {
    it('knows at once that its device was switched off', async () => {
      rig.here.run('ip link set near down')
      await received(rig.port, 1)
      expect(rig.port.up).to.equal(false)
      rig.here.run('ip link set near up')
      expect(rig.port.up, 'it asks seldom').to.equal(false)
      expect(await linkBecomes(rig.port, true)).to.equal(true)
    })

    it('knows after a while that the far end was switched off, and wants to be asked then', async () => {
      rig.port.receive({} as never, new Int32Array(0), 0, NOW)
      rig.there.run('ip link set far down')
      expect(rig.port.up).to.equal(true)
      expect(rig.port.pollAt(NOW)).to.equal(LINK_WAKE_NS)
      expect(await linkBecomes(rig.port, false)).to.equal(true)
      expect(rig.port.readyAt(NOW)).to.equal(NEVER)
      rig.there.run('ip link set far up')
      expect(await linkBecomes(rig.port, true)).to.equal(true)
    })

    it('loses what it could not send, counted', async () => {
      rig.there.run('ip link set far down')
      for (let each = 0; each < 10; each++) transmitted(rig.port, testFrame(each, 100))
      expect(await linkBecomes(rig.port, false)).to.equal(true)
      const { transmittedFrames, transmitDropped } = rig.port.counters
      expect([transmittedFrames, transmitDropped]).to.deep.equal([0, 10])
    })

    it('is down while its device is away and works on the one that has its name then', async () => {
      rig.here.run('ip link del near')
      await received(rig.port, 1)
      expect(rig.port.up).to.equal(false)
      expect(transmitted(rig.port, testFrame(1, 100))).to.equal(false)
      expect(isReadable(rig.port.descriptor), 'whoever waits for it may sleep').to.equal(false)
      rig.link(103)
      expect(await linkBecomes(rig.port, true)).to.equal(true)
      rig.far.send(testFrame(2, 200))
      expect(frameOf(await received(rig.port, 1))).to.deep.equal(frameOf([testFrame(2, 200)]))
      expect(transmitted(rig.port, testFrame(3, 100))).to.equal(true)
      expect(rig.problems.map((each) => each.kind)).to.deep.equal(['device-gone', 'device-back'])
    })
  })

  describe('when more comes than it takes', () => {
    it('counts what the kernel dropped', async () => {
      const count = 30_000
      const frame = testFrame(1, 1514)
      for (let each = 0; each < count; each++) rig.far.send(frame)
      let frames = 0
      for (let more = 1; more > 0; frames += more) more = (await received(rig.port, 64)).length
      rig.port.receive({} as never, new Int32Array(0), 0, NOW + LINK_CHECK_NS)
      const { receivedFrames, receiveDropped } = rig.port.counters
      expect(receivedFrames).to.equal(frames)
      expect(receiveDropped).to.be.greaterThan(0)
      expect(receivedFrames + receiveDropped).to.equal(count)
      expect(rig.port.details.kernelDropped).to.equal(receiveDropped)
    })
  })

  describe('when more is sent than a batch holds', () => {
    it('sends all in order without a flush between', async () => {
      const frames = Array.from({ length: 300 }, (_, each) => testFrame(each, 60 + each))
      const slab = new PacketSlab({ capacity: 1 })
      const taken: Uint8Array[] = []
      for (const frame of frames) {
        const packet = slab.load(frame)
        expect(rig.port.transmit(slab, packet, NOW)).to.equal(true)
        slab.release(packet)
        taken.push(...rig.far.taken())
      }
      expect(taken.length).to.be.at.least(300 - 64)
      rig.port.flush(NOW)
      await soon()
      expect(frameOf([...taken, ...rig.far.taken()])).to.deep.equal(frameOf(frames))
    })
  })

  describe('when it is opened', () => {
    it('refuses what is no device, no device name and no Ethernet', () => {
      const open = (device: string) => () =>
        inNamespace(rig.here.path, () => AfPacketPort.open({ name: 'x', device }))
      expect(open('nosuch'))
        .to.throw(LinuxError, /device nosuch: ENODEV/)
        .with.property('code', 'not-found')
      expect(open('a b')).to.throw(LinuxError).with.property('code', 'invalid')
      expect(open('lo0123456789abcdef')).to.throw(LinuxError).with.property('code', 'invalid')
      rig.here.run('ip tuntap add dev tun7 mode tun')
      expect(open('tun7'))
        .to.throw(LinuxError, /not an Ethernet/)
        .with.property('code', 'unsupported')
    })
  })
})

describe('devices', () => {
  let rig: Rig

  before(function () {
    requireRoot(this)
    rig = new Rig()
  })
  after(() => rig?.dispose())

  it('are described', () => {
    const device = inNamespace(rig.here.path, () => describeDevice('near'))
    expect(device).to.include({ name: 'near', mtu: 1500, up: true, running: true })
    expect([...device.mac]).to.deep.equal([...parseMacAddress(MAC)!])
    rig.here.run('ip link set near down')
    expect(inNamespace(rig.here.path, () => describeDevice('near'))).to.include({ up: false, running: false })
  })

  it('tell what they put off, stop it, and take it back', () => {
    inNamespace(rig.there.path, () => {
      const before = offloads('far')
      expect(before).to.include({ transmitChecksum: true, segmentation: true, genericSegmentation: true })
      expect(disableOffloads('far')).to.deep.equal(before)
      expect(Object.values(offloads('far'))).to.deep.equal([false, false, false, false])
      setOffloads('far', before)
      expect(offloads('far')).to.deep.equal(before)
    })
    expect(() => offloads('nosuch'))
      .to.throw(LinuxError)
      .with.property('code', 'not-found')
  })
})
