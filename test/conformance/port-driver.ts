/**
 * What every port driver promises, as one suite. An implementation is one call: it says how to build a rig, that is
 * a driver and the far side of its medium. Frames carry an experimental type, so that a rig on a real network can
 * tell them from what else is on the wire; it must keep anything else away from both sides.
 */
import { expect } from 'chai'
import { afterEach, beforeEach, type Context, describe, it } from 'mocha'
import { type Nanoseconds, NEVER } from '../../engine/clock.ts'
import { LENGTH, META_SHIFT, NONE, PacketSlab, START } from '../../engine/packet.ts'
import type { PortCounters, PortDriver } from '../../engine/ports/port-driver.ts'

/** A driver and the far side of its medium. */
export interface PortRig {
  readonly driver: PortDriver
  /** Puts a frame on the medium towards the driver. */
  offer(frame: Uint8Array): void | Promise<void>
  /** Takes copies of the frames that the driver has put on the medium since the last call, oldest first. */
  taken(): Uint8Array[] | Promise<Uint8Array[]>
  /** Disconnects or connects the medium. */
  setUp?(up: boolean): void | Promise<void>
  /** Removes what the rig made. The driver is closed by then. */
  dispose?(): void | Promise<void>
}

export interface PortConformanceOptions {
  /** Waits until frames have moved through a medium that takes real time. Default: they have. */
  readonly settle?: () => Promise<void>
  /** Runs before each test: skips where the medium is not to be had (requireTool, requireLab). */
  readonly require?: (context: Context) => void
  /** Why the medium cannot be disconnected, where `setUp` is absent. */
  readonly noLinkState?: string
}

/** Ethernet type for local experiments (IEEE 802, 0x88b5). */
const EXPERIMENTAL = [0x88, 0xb5]
const MIN_BYTES = 14
const ROUNDS = 200

/** A frame of `length` bytes whose content depends on `number`. */
export function testFrame(number: number, length: number): Uint8Array {
  const frame = Uint8Array.from({ length }, (_, at) => (at * 7 + number * 31 + (at >> 8)) & 0xff)
  frame.set([0x02, 0, 0, 0, 0, 0x99, 0x02, 0, 0, 0, number >> 8, number & 0xff, ...EXPERIMENTAL])
  return frame
}

/** One test's view of a rig: keeps the time, moves frames, checks what comes back. */
class Bench {
  readonly rig: PortRig
  readonly driver: PortDriver
  readonly #settle: () => Promise<void>
  now: Nanoseconds = 1_000_000

  constructor(rig: PortRig, settle: () => Promise<void>) {
    this.rig = rig
    this.driver = rig.driver
    this.#settle = settle
  }

  /** Moves on to the next thing the driver has announced, or lets real time pass. */
  async #wait(): Promise<void> {
    const at = this.driver.pollAt(this.now)
    if (at !== NEVER && at > this.now) this.now = at
    await this.#settle()
  }

  /** Offers frames one by one. */
  async offer(frames: readonly Uint8Array[]): Promise<void> {
    for (const frame of frames) await this.rig.offer(frame)
    await this.#settle()
  }

  /** Receives until `frames` frames have come or been counted as dropped; checks the packets and releases them. */
  async receive(slab: PacketSlab, frames: number, limit = 64): Promise<Uint8Array[]> {
    const { driver } = this
    const into = new Int32Array(limit)
    const before = driver.counters.receivedFrames + driver.counters.receiveDropped
    const received: Uint8Array[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const count = driver.receive(slab, into, limit, this.now)
      expect(count, 'never more than the limit').to.be.at.most(limit)
      for (const packet of into.subarray(0, count)) {
        received.push(checkedFrame(slab, packet, this.now))
        slab.release(packet)
      }
      if (driver.counters.receivedFrames + driver.counters.receiveDropped - before >= frames) break
      await this.#wait()
    }
    return received
  }

  /** Transmits when the driver is ready. */
  transmit(slab: PacketSlab, frame: Uint8Array): boolean {
    const packet = slab.load(frame)
    this.now = Math.max(this.now, this.driver.readyAt(this.now))
    const sent = this.driver.transmit(slab, packet, this.now)
    expect([...slab.frame(packet)], 'the frame is as it was').to.deep.equal([...frame])
    slab.release(packet)
    return sent
  }

  /** Takes frames from the far side until there are `frames`. */
  async taken(frames: number): Promise<Uint8Array[]> {
    const taken: Uint8Array[] = []
    for (let round = 0; round < ROUNDS; round++) {
      this.driver.flush(this.now)
      taken.push(...(await this.rig.taken()))
      if (taken.length >= frames) break
      await this.#wait()
    }
    return taken
  }
}

function checkedFrame(slab: PacketSlab, packet: number, now: Nanoseconds): Uint8Array {
  const at = packet << META_SHIFT
  expect(slab.meta[at + START], 'START').to.equal(packet * slab.stride + slab.headroom)
  expect(slab.time[packet], 'time').to.equal(now)
  expect(slab.meta[at + LENGTH]).to.be.at.least(MIN_BYTES)
  return slab.frame(packet).slice()
}

const hex = (frames: readonly Uint8Array[]): string[] =>
  frames.map((each) => Buffer.from(each).toString('hex'))
const lengths = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, each) => testFrame(each, 60 + ((each * 37) % 1440)))
const bytesOf = (frames: readonly Uint8Array[]): number => frames.reduce((sum, each) => sum + each.length, 0)

/** Runs the suite of all port drivers on one implementation. */
export function describePortDriver(
  name: string,
  factory: () => PortRig | Promise<PortRig>,
  options: PortConformanceOptions = {},
): void {
  const settle = options.settle ?? (() => Promise.resolve())

  describe(`port driver: ${name}`, () => {
    let rig: PortRig | undefined
    let bench: Bench
    let slab: PacketSlab

    beforeEach(async function () {
      options.require?.(this)
      rig = await factory()
      bench = new Bench(rig, settle)
      slab = new PacketSlab({ capacity: 128 })
    })

    afterEach(async () => {
      rig?.driver.close()
      await rig?.dispose?.()
      rig = undefined
    })

    const context = { bench: () => bench, slab: () => slab }
    describeIdentity(context)
    describeReceive(context)
    describeTransmit(context)
    describeReadiness(context)
    describeLinkState(context, options.noLinkState)
    describeClose(context)
  })
}

interface SuiteContext {
  bench(): Bench
  slab(): PacketSlab
}

function describeIdentity({ bench }: SuiteContext): void {
  describe('when it is new', () => {
    it('has a name, a hardware address, a frame limit and counters at zero', () => {
      const { driver } = bench()
      expect(driver.name).to.be.a('string').and.not.equal('')
      expect(driver.mac).to.be.instanceOf(Uint8Array).with.length(6)
      expect(driver.capabilities.maxFrameBytes).to.be.at.least(1514)
      expect(driver.up).to.equal(true)
      expect(Object.values(driver.counters)).to.deep.equal([0, 0, 0, 0, 0, 0])
    })

    it('finds nothing to receive', () => {
      const into = new Int32Array(8)
      expect(bench().driver.receive(new PacketSlab({ capacity: 8 }), into, 8, bench().now)).to.equal(0)
    })
  })
}

function describeReceive({ bench, slab }: SuiteContext): void {
  describe('when frames wait on its medium', () => {
    it('receives them whole, in order, with START, LENGTH and time set', async () => {
      const frames = lengths(40)
      await bench().offer(frames)
      expect(hex(await bench().receive(slab(), 40))).to.deep.equal(hex(frames))
    })

    it('receives at most the limit at once, and nothing for a limit of zero', async () => {
      const { driver } = bench()
      await bench().offer(lengths(10))
      expect(driver.receive(slab(), new Int32Array(0), 0, bench().now)).to.equal(0)
      expect(await bench().receive(slab(), 10, 3)).to.have.length(10)
    })

    it('writes no descriptor behind those it received', async () => {
      await bench().offer(lengths(2))
      const into = new Int32Array(8).fill(-7)
      let at = 0
      for (let round = 0; round < ROUNDS && at < 2; round++) {
        at += bench().driver.receive(slab(), into.subarray(at), 8 - at, bench().now)
        bench().now = nextPoll(bench())
        await bench().offer([])
      }
      expect([...into.subarray(2)]).to.deep.equal([-7, -7, -7, -7, -7, -7])
    })

    it('takes an Ethernet header alone and the longest frame', async () => {
      const frames = [testFrame(1, MIN_BYTES), testFrame(2, 60), testFrame(3, 1514)]
      await bench().offer(frames)
      expect(hex(await bench().receive(slab(), 3))).to.deep.equal(hex(frames))
    })

    it('counts frames and bytes', async () => {
      const frames = lengths(20)
      await bench().offer(frames)
      await bench().receive(slab(), 20)
      const { receivedFrames, receivedBytes, receiveDropped } = bench().driver.counters
      expect([receivedFrames, receivedBytes, receiveDropped]).to.deep.equal([20, bytesOf(frames), 0])
    })
  })

  describe('when a frame does not fit into a packet', () => {
    it('counts it as dropped and goes on with the next', async () => {
      const small = new PacketSlab({ capacity: 4, stride: 256 })
      const frames = [testFrame(1, small.room + 1), testFrame(2, small.room), testFrame(3, 1514)]
      await bench().offer(frames)
      expect(hex(await bench().receive(small, 3))).to.deep.equal(hex([frames[1]!]))
      expect(bench().driver.counters.receiveDropped).to.equal(2)
      expect(bench().driver.counters.receivedFrames).to.equal(1)
      expect(small.available, 'no packet leaks').to.equal(4)
    })
  })

  describe('when the slab is full', () => {
    it('loses no frame that it does not count', async () => {
      const tiny = new PacketSlab({ capacity: 3 })
      const frames = lengths(8)
      await bench().offer(frames)
      const received = await bench().receive(tiny, 8)
      const { receivedFrames, receiveDropped } = bench().driver.counters
      expect(receivedFrames + receiveDropped).to.equal(8)
      expect(received.length).to.equal(receivedFrames)
      expect(received.length).to.be.at.least(3)
      expect(tiny.available).to.equal(3)
    })
  })
}

const nextPoll = (bench: Bench): Nanoseconds => {
  const at = bench.driver.pollAt(bench.now)
  return at === NEVER ? bench.now : Math.max(bench.now, at)
}

function describeTransmit({ bench, slab }: SuiteContext): void {
  describe('when it transmits', () => {
    it('puts the frames on the medium whole and in order, and leaves the packets to the caller', async () => {
      const frames = lengths(40)
      const before = slab().available
      for (const frame of frames) expect(bench().transmit(slab(), frame)).to.equal(true)
      expect(slab().available).to.equal(before)
      expect(hex(await bench().taken(40))).to.deep.equal(hex(frames))
    })

    it('sends what the packet held at the call, whatever is written to it before the flush', async () => {
      const frame = testFrame(5, 200)
      const packet = slab().load(frame)
      bench().driver.transmit(slab(), packet, bench().now)
      slab().frame(packet).fill(0)
      slab().release(packet)
      expect(hex(await bench().taken(1))).to.deep.equal(hex([frame]))
    })

    it('sends a frame that does not start behind the headroom', async () => {
      const frame = testFrame(6, 100)
      const packet = slab().load(frame)
      const at = packet << META_SHIFT
      const start = slab().meta[at + START]! - 34
      slab().bytes.set(frame, start)
      slab().meta[at + START] = start
      expect(bench().driver.transmit(slab(), packet, bench().now)).to.equal(true)
      slab().release(packet)
      expect(hex(await bench().taken(1))).to.deep.equal(hex([frame]))
    })

    it('takes an Ethernet header alone and its longest frame', async () => {
      const big = new PacketSlab({ capacity: 4, stride: 65536 })
      const { maxFrameBytes } = bench().driver.capabilities
      const frames = [testFrame(1, MIN_BYTES), testFrame(2, maxFrameBytes)]
      for (const frame of frames) expect(bench().transmit(big, frame)).to.equal(true)
      expect(hex(await bench().taken(2))).to.deep.equal(hex(frames))
    })

    it('refuses longer frames and less than a header, and counts them', async () => {
      const big = new PacketSlab({ capacity: 4, stride: 65536 })
      const { maxFrameBytes } = bench().driver.capabilities
      const sizes = [maxFrameBytes + 1, MIN_BYTES - 1, 0]
      for (const size of sizes) expect(bench().transmit(big, new Uint8Array(size))).to.equal(false)
      expect(bench().driver.counters.transmitDropped).to.equal(3)
      expect(bench().driver.counters.transmittedFrames).to.equal(0)
      expect(big.available, 'the caller still owns the packets').to.equal(4)
      const good = testFrame(9, 100)
      expect(bench().transmit(big, good)).to.equal(true)
      expect(hex(await bench().taken(1))).to.deep.equal(hex([good]))
    })

    it('counts frames and bytes', async () => {
      const frames = lengths(20)
      for (const frame of frames) bench().transmit(slab(), frame)
      await bench().taken(20)
      const { transmittedFrames, transmittedBytes, transmitDropped } = bench().driver.counters
      expect([transmittedFrames, transmittedBytes, transmitDropped]).to.deep.equal([20, bytesOf(frames), 0])
    })
  })
}

function describeReadiness({ bench, slab }: SuiteContext): void {
  describe('when it is asked for its next times', () => {
    it('is ready at once while nothing was sent', () => {
      expect(bench().driver.readyAt(bench().now)).to.be.at.most(bench().now)
    })

    it('becomes ready again after each frame, without an outside event', async () => {
      for (let each = 0; each < 20; each++) {
        expect(bench().transmit(slab(), testFrame(each, 1000))).to.equal(true)
        bench().driver.flush(bench().now)
        expect(bench().driver.readyAt(bench().now)).to.be.a('number').and.not.equal(NEVER)
      }
      expect(await bench().taken(20)).to.have.length(20)
    })

    it('names a time for frames that it can produce by itself, and nothing is lost by polling only then', async () => {
      await bench().offer([testFrame(1, 100), testFrame(2, 100)])
      const at = bench().driver.pollAt(bench().now)
      expect(at).to.be.a('number')
      expect(await bench().receive(slab(), 2)).to.have.length(2)
    })

    it('answers the same when asked twice', () => {
      const { driver, now } = bench()
      expect(driver.readyAt(now)).to.equal(driver.readyAt(now))
      expect(driver.pollAt(now)).to.equal(driver.pollAt(now))
    })
  })
}

function describeLinkState({ bench, slab }: SuiteContext, noLinkState: string | undefined): void {
  if (noLinkState !== undefined) {
    describe('when its medium goes down', () => {
      it.skip(`is never ready (skipped: ${noLinkState})`)
    })
    return
  }
  describe('when its medium goes down', () => {
    it('is down and never ready, and counts what is transmitted nevertheless', async () => {
      const { driver, rig } = bench()
      await rig.setUp!(false)
      expect(driver.up).to.equal(false)
      expect(driver.readyAt(bench().now)).to.equal(NEVER)
      const packet = slab().load(testFrame(1, 100))
      expect(driver.transmit(slab(), packet, bench().now)).to.equal(false)
      expect(driver.counters.transmitDropped).to.equal(1)
      expect(slab().allocate()).to.not.equal(NONE)
    })

    it('works again when it comes back', async () => {
      const { driver, rig } = bench()
      await rig.setUp!(false)
      await rig.setUp!(true)
      expect(driver.up).to.equal(true)
      expect(driver.readyAt(bench().now)).to.not.equal(NEVER)
      const frame = testFrame(3, 300)
      expect(bench().transmit(slab(), frame)).to.equal(true)
      expect(hex(await bench().taken(1))).to.deep.equal(hex([frame]))
      await bench().offer([frame])
      expect(hex(await bench().receive(slab(), 1))).to.deep.equal(hex([frame]))
    })
  })
}

function describeClose({ bench, slab }: SuiteContext): void {
  describe('when it is closed', () => {
    it('is down, forgets what it holds, sends nothing, and can be closed again', async () => {
      const { driver, now } = bench()
      await bench().offer([testFrame(1, 100), testFrame(2, 100)])
      driver.receive(slab(), new Int32Array(1), 1, now)
      bench().transmit(slab(), testFrame(3, 100))
      driver.close()
      driver.close()
      expect(driver.up).to.equal(false)
      expect(driver.readyAt(now)).to.equal(NEVER)
      expect(driver.pollAt(now)).to.equal(NEVER)
      expect(driver.receive(slab(), new Int32Array(4), 4, now)).to.equal(0)
      expect(driver.transmit(slab(), slab().load(testFrame(1, 100)), now)).to.equal(false)
      driver.flush(now)
    })

    it('keeps its counters and counts no frame that it holds no more', async () => {
      const { driver } = bench()
      expect(bench().transmit(slab(), testFrame(1, 100))).to.equal(true)
      await bench().taken(1)
      const before: PortCounters = { ...driver.counters }
      driver.close()
      expect(driver.counters).to.deep.equal(before)
    })
  })
}
