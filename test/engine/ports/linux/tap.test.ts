import { expect } from 'chai'
import { afterEach, before, beforeEach, describe, it } from 'mocha'
import {
  inNamespace,
  LinuxError,
  type PortProblem,
  TapPort,
  Tun,
} from '../../../../engine/ports/linux/index.ts'
import { transportChecksumOk } from '../../../../engine/wire/index.ts'
import { testFrame } from '../../../conformance/port-driver.ts'
import { KernelUdp } from '../../../support/kernel-udp.ts'
import { requireRoot, TestNamespace } from '../../../support/linux.ts'
import { udp } from '../../../support/packets.ts'
import { RawDevice } from '../../../support/raw-device.ts'
import { linkBecomes, received, soon, transmitted } from '../../../support/received.ts'

let space: TestNamespace

function inside<T>(work: () => T): T {
  return inNamespace(space.path, work)
}

const openTap = (options: Partial<Parameters<typeof TapPort.open>[0]> = {}): TapPort =>
  inside(() => TapPort.open({ name: 'eth0', device: 'tap0', ...options }))
const exists = (device: string): boolean => space.run('ip -o link').includes(` ${device}:`)

describe('TapPort', () => {
  before(function () {
    requireRoot(this)
  })
  beforeEach(() => {
    space = new TestNamespace()
  })
  afterEach(() => space.remove())

  it('has another MAC than the kernel, its own where one is given, and the MTU that is asked for', () => {
    const port = openTap({ mtu: 4000 })
    const device = space.run('ip -o link show tap0')
    expect(device).to.include('mtu 4000').and.include('LOWER_UP')
    expect(port.capabilities.maxFrameBytes).to.equal(4014)
    expect(device).to.not.include(Buffer.from(port.mac).toString('hex').match(/../g)!.join(':'))
    port.close()
    const other = openTap({ mac: Uint8Array.of(2, 1, 2, 3, 4, 5) })
    expect([...other.mac]).to.deep.equal([2, 1, 2, 3, 4, 5])
    other.close()
  })

  it('removes the device that it made, and leaves one that was there', () => {
    openTap().close()
    expect(exists('tap0')).to.equal(false)
    space.run('ip tuntap add dev tap0 mode tap')
    openTap().close()
    expect(exists('tap0')).to.equal(true)
  })

  it('refuses a device of another kind, one that is taken, and a bad name', () => {
    space.run('ip tuntap add dev tun0 mode tun')
    expect(() => openTap({ device: 'tun0' }))
      .to.throw(LinuxError)
      .with.property('code', 'invalid')
    expect(() => openTap({ device: 'no/device' }))
      .to.throw(LinuxError)
      .with.property('code', 'invalid')
    const port = openTap()
    expect(() => openTap())
      .to.throw(LinuxError, /TAP tap0: EBUSY/)
      .with.property('code', 'busy')
    port.close()
  })

  it('receives finished checksums and no frame longer than the MTU', async () => {
    const port = openTap()
    space.run('ip addr add 10.9.0.2/24 dev tap0')
    space.run('ip neigh add 10.9.0.1 lladdr 02:00:00:00:00:01 dev tap0')
    const socket = new KernelUdp(space.path, '10.9.0.2', 5000)
    socket.send(new Uint8Array(700), '10.9.0.1', 9)
    socket.segment(1000)
    socket.send(new Uint8Array(4000), '10.9.0.1', 9)
    const frames = await received(port, 5)
    expect(frames.map((each) => each.length)).to.deep.equal([742, 1042, 1042, 1042, 1042])
    for (const frame of frames) expect(transportChecksumOk(frame, 14, frame.length)).to.equal(true)
    socket.close()
    port.close()
  })

  it('carries VLAN tags', async () => {
    const port = openTap()
    const far = new RawDevice(space.path, 'tap0')
    const frame = testFrame(1, 1518)
    frame.set([0x81, 0, 0, 7], 12)
    far.send(frame)
    expect((await received(port, 1)).map((each) => [...each])).to.deep.equal([[...frame]])
    expect(transmitted(port, frame)).to.equal(true)
    await soon()
    expect(far.taken().map((each) => each.length)).to.deep.equal([1514])
    far.close()
    port.close()
  })

  it('is down when the device is switched off, up again after, and down for good when it is removed', async () => {
    const problems: PortProblem[] = []
    const port = openTap({ onProblem: (problem) => void problems.push(problem) })
    space.run('ip link set tap0 down')
    expect(transmitted(port, testFrame(1, 100)), 'the kernel refuses').to.equal(false)
    expect(port.up).to.equal(false)
    space.run('ip link set tap0 up')
    expect(await linkBecomes(port, true)).to.equal(true)
    expect(transmitted(port, testFrame(1, 100))).to.equal(true)
    space.run('ip link del tap0')
    expect(await received(port, 1)).to.have.length(0)
    expect(port.up).to.equal(false)
    expect(port.descriptor).to.equal(-1)
    expect(port.pollAt(0)).to.equal(Number.POSITIVE_INFINITY)
    expect(transmitted(port, testFrame(1, 100))).to.equal(false)
    expect(problems.map((each) => each.kind)).to.deep.equal(['device-gone'])
    port.close()
  })
})

describe('Tun', () => {
  before(function () {
    requireRoot(this)
  })
  beforeEach(() => {
    space = new TestNamespace()
  })
  afterEach(() => space.remove())

  it('carries packets to the system and back', async () => {
    const tun = inside(() => Tun.open({ device: 'punt0', mtu: 1400 }))
    space.run('ip addr add 10.8.0.1/24 dev punt0')
    const socket = new KernelUdp(space.path, '10.8.0.1', 5000)
    const into = new Uint8Array(2000)
    expect(tun.read(into)).to.equal(0)

    const packet = udp({ from: '10.8.0.2', to: '10.8.0.1', fromPort: 9, toPort: 5000, data: 300 })
    const buffer = Uint8Array.of(0, 0, 0, ...packet, 0)
    expect(tun.write(buffer, 3, packet.length)).to.equal(true)
    await soon()
    expect([...socket.receive()!]).to.deep.equal([...packet.subarray(28)])

    socket.send(Uint8Array.of(1, 2, 3), '10.8.0.2', 9)
    let length = 0
    for (let round = 0; round < 100 && length === 0; round++) {
      await soon()
      length = tun.read(into)
    }
    expect(length).to.equal(31)
    expect([...into.subarray(28, 31)]).to.deep.equal([1, 2, 3])
    expect(transportChecksumOk(into, 0, length)).to.equal(true)
    socket.close()
    tun.close()
    tun.close()
    expect(tun.read(into)).to.equal(0)
    expect(tun.write(packet, 0, packet.length)).to.equal(false)
  })

  it('refuses what is no packet, passes over what does not fit, and ends with its device', async () => {
    const tun = inside(() => Tun.open({ device: 'punt0' }))
    space.run('ip addr add 10.8.0.1/24 dev punt0')
    expect(tun.write(new Uint8Array(40), 0, 0)).to.equal(false)
    expect(tun.write(new Uint8Array(40).fill(0xff), 0, 40), 'no IP version').to.equal(false)
    const socket = new KernelUdp(space.path, '10.8.0.1', 5000)
    socket.send(new Uint8Array(1000), '10.8.0.2', 9)
    await soon()
    expect(tun.read(new Uint8Array(500))).to.equal(0)
    socket.close()
    space.run('ip link del punt0')
    expect(tun.read(new Uint8Array(500))).to.equal(0)
    expect(tun.descriptor).to.equal(-1)
    tun.close()
  })
})
