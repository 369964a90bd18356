import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { MILLISECOND, type Nanoseconds, NEVER } from '../../../engine/clock.ts'
import { PacketSlab } from '../../../engine/packet.ts'
import { FaultInjector, type FaultInjectorOptions } from '../../../engine/ports/fault-injector.ts'
import { Impairment, type ImpairmentOptions } from '../../../engine/ports/impairment.ts'
import { MemoryPort } from '../../../engine/ports/memory-link.ts'
import { Random } from '../../../engine/random.ts'

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)

interface Arrival {
  readonly at: Nanoseconds
  readonly frame: Uint8Array
}

/** An injector around a memory port, the frames that leave it and those the faults swallow. */
class Rig {
  readonly port = new MemoryPort({ name: 'port', mac: MAC })
  readonly slab = new PacketSlab({ capacity: 64 })
  readonly sent: Arrival[] = []
  readonly dropped: string[] = []
  readonly injector: FaultInjector

  constructor(
    transmit: ImpairmentOptions | undefined,
    receive?: ImpairmentOptions,
    options: FaultInjectorOptions = {},
  ) {
    const random = Random.fromSeed(4)
    this.port.onTransmit = (bytes, start, length, at) =>
      this.sent.push({ at, frame: bytes.slice(start, start + length) })
    this.injector = new FaultInjector(this.port, {
      ...options,
      ...(transmit && { transmit: new Impairment(transmit, random.fork('transmit')) }),
      ...(receive && { receive: new Impairment(receive, random.fork('receive')) }),
      onDrop: (direction, _bytes, _start, length, now, comment) =>
        this.dropped.push(`${direction} ${length} ${now} ${comment}`),
    })
  }

  transmit(frame: Uint8Array, now: Nanoseconds): boolean {
    const packet = this.slab.load(frame)
    const sent = this.injector.transmit(this.slab, packet, now)
    this.slab.release(packet)
    this.injector.flush(now)
    return sent
  }

  receive(now: Nanoseconds, limit = 64): Arrival[] {
    const into = new Int32Array(limit)
    return [...into.subarray(0, this.injector.receive(this.slab, into, limit, now))].map((packet) => {
      const frame = this.slab.frame(packet).slice()
      this.slab.release(packet)
      return { at: now, frame }
    })
  }

  /** Polls whenever the injector wants to be, to the end. */
  drain(now: Nanoseconds): Arrival[] {
    const received: Arrival[] = []
    for (let at = this.injector.pollAt(now); at !== NEVER; at = this.injector.pollAt(at))
      received.push(...this.receive(at))
    return received
  }
}

const frameOf = (length: number, fill = 0): Uint8Array => new Uint8Array(length).fill(fill)
const times = (list: readonly Arrival[]): Nanoseconds[] => list.map((each) => each.at)

describe('FaultInjector', () => {
  describe('when its link has a rate and a delay', () => {
    it('is ready when the last bit has left, and hands the frame over when it arrives', () => {
      const rig = new Rig({ rateBps: 8_000_000, delayNs: 5 * MILLISECOND })
      expect(rig.transmit(frameOf(1000), 0)).to.equal(true)
      expect(rig.injector.readyAt(0)).to.equal(MILLISECOND)
      expect(rig.injector.pollAt(0)).to.equal(6 * MILLISECOND)
      rig.injector.flush(6 * MILLISECOND - 1)
      expect(rig.sent).to.deep.equal([])
      rig.drain(0)
      expect(times(rig.sent)).to.deep.equal([6 * MILLISECOND])
    })

    it('gives exactly the rate to a sender that waits for readyAt', () => {
      const rig = new Rig({ rateBps: 3_000_000 })
      let now = 0
      for (let each = 0; each < 3000; each++) {
        now = Math.max(now, rig.injector.readyAt(now))
        rig.transmit(frameOf(125), now)
      }
      expect(rig.injector.readyAt(now)).to.equal(1_000_000_000)
      rig.drain(now)
      expect(rig.sent).to.have.length(3000)
    })

    it('holds received frames until their time', () => {
      const rig = new Rig(undefined, { delayNs: 700 })
      rig.port.deliver(frameOf(60))
      expect(rig.receive(100)).to.deep.equal([])
      expect(rig.injector.pollAt(100)).to.equal(800)
      expect(rig.receive(799)).to.deep.equal([])
      expect(times(rig.receive(800))).to.deep.equal([800])
      expect(rig.injector.counters.receivedFrames).to.equal(1)
    })

    it('answers NEVER when nothing is held or waits', () => {
      expect(new Rig({ delayNs: 5 }, { delayNs: 5 }).injector.pollAt(0)).to.equal(NEVER)
    })
  })

  describe('when it corrupts', () => {
    it('inverts exactly one bit, and only in what arrives', () => {
      const rig = new Rig({ corrupt: 1 })
      for (let each = 0; each < 50; each++) {
        const frame = frameOf(100)
        expect(rig.transmit(frame, each)).to.equal(true)
        const ones = rig.sent
          .at(-1)!
          .frame.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)
        expect(ones).to.equal(1)
        expect(frame.every((byte) => byte === 0)).to.equal(true)
      }
    })
  })

  describe('when it loses', () => {
    it('answers true as a wire would, counts the loss and shows the frame', () => {
      const rig = new Rig({ loss: 1 })
      expect(rig.transmit(frameOf(77), 9)).to.equal(true)
      expect(rig.sent).to.deep.equal([])
      expect(rig.injector.counters.transmittedFrames).to.equal(1)
      expect(rig.injector.outward?.impairment.counters.lost).to.equal(1)
      expect(rig.dropped).to.deep.equal(['transmit 77 9 dropped: lost'])
    })
  })

  describe('when the sender can tell', () => {
    it('refuses what is longer than the link carries, and says so in its capabilities', () => {
      const rig = new Rig({ maxFrameBytes: 1000 })
      expect(rig.injector.capabilities.maxFrameBytes).to.equal(1000)
      expect(rig.transmit(frameOf(1001), 0)).to.equal(false)
      expect(rig.dropped).to.deep.equal(['transmit 1001 0 dropped: oversize'])
    })

    it('refuses what its queue or its hold has no room for', () => {
      const queue = new Rig({ rateBps: 8_000_000, queueBytes: 1500 })
      expect([queue.transmit(frameOf(1000), 0), queue.transmit(frameOf(1000), 0)]).to.deep.equal([
        true,
        false,
      ])
      const hold = new Rig({ delayNs: 100 }, undefined, { holdFrames: 2 })
      expect([1, 2, 3].map(() => hold.transmit(frameOf(60), 0))).to.deep.equal([true, true, false])
      expect(hold.dropped).to.deep.equal(['transmit 60 0 dropped: hold-full'])
      expect(hold.injector.counters.transmitDropped).to.equal(1)
      expect(hold.injector.outward?.counters.overflowed).to.equal(1)
    })
  })

  describe('when the link goes down with frames on it', () => {
    it('loses those that are due meanwhile and counts them', () => {
      const rig = new Rig({ delayNs: 1000 })
      rig.transmit(frameOf(60), 0)
      rig.transmit(frameOf(60), 900)
      rig.port.setUp(false)
      expect(rig.injector.readyAt(900)).to.equal(NEVER)
      expect(rig.injector.pollAt(900)).to.equal(1000)
      rig.receive(1000)
      rig.port.setUp(true)
      rig.receive(1900)
      expect(times(rig.sent)).to.deep.equal([1900])
      expect(rig.injector.outward?.counters).to.deep.equal({ overflowed: 0, delivered: 1, discarded: 1 })
    })
  })

  describe('when the inner driver is not ready', () => {
    function play(poll: (outer: FaultInjector, now: Nanoseconds) => Nanoseconds): Nanoseconds[] {
      const slow = new Rig({ rateBps: 8_000_000, queueBytes: 0 })
      const delay = new Impairment({ delayNs: 10 }, Random.fromSeed(1))
      const outer = new FaultInjector(slow.injector, { transmit: delay })
      const packet = slow.slab.load(frameOf(1000))
      for (let each = 0; each < 3; each++) outer.transmit(slow.slab, packet, 0)
      for (let at = poll(outer, 0); at < 5 * MILLISECOND; at = poll(outer, at))
        outer.receive(slow.slab, new Int32Array(4), 4, at)
      return times(slow.sent)
    }

    it('says until when it waits for it', () => {
      expect(play((outer, now) => outer.pollAt(now))).to.deep.equal([1_000_010, 2_000_010, 3_000_010])
    })

    it('loses nothing when it is polled early', () => {
      expect(play((_outer, now) => now + 10)).to.deep.equal([1_000_010, 2_000_010, 3_000_010])
    })
  })

  describe('when everything goes wrong at once', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    const faults = fc.record({
      rateBps: fc.integer({ min: 10 ** 5, max: 10 ** 9 }),
      delayNs: fc.constant(MILLISECOND),
      jitterNs: fc.nat(MILLISECOND),
      loss: share,
      duplicate: share,
      corrupt: share,
      reorder: fc.record({ probability: share }),
      queueBytes: fc.nat(20_000),
      maxFrameBytes: fc.constant(1400),
    })
    const event = fc.record({
      wait: fc.nat(300_000),
      length: fc.integer({ min: 14, max: 1514 }),
      kind: fc.constantFrom('transmit', 'transmit', 'deliver', 'deliver', 'poll', 'cut', 'heal'),
    })

    it('conserves frames: sent + duplicated = delivered + lost + held, each way', () => {
      fc.assert(
        fc.property(faults, faults, fc.integer({ min: 1, max: 30 }), fc.array(event, { maxLength: 80 }), run),
        { numRuns: 150 },
      )
    })

    function run(
      out: ImpairmentOptions,
      back: ImpairmentOptions,
      holdFrames: number,
      events: readonly { wait: number; length: number; kind: string }[],
    ): void {
      const rig = new Rig(out, back, { holdFrames })
      let now = 0
      let received = 0
      let transmitted = 0
      for (const { wait, length, kind } of events) {
        now += wait
        if (kind === 'transmit') transmitted += rig.transmit(frameOf(length), now) ? 1 : 0
        else if (kind === 'deliver') rig.port.deliver(frameOf(length))
        else if (kind === 'poll') received += rig.receive(now).length
        else rig.port.setUp(kind === 'heal')
        check(rig, transmitted, received)
      }
      received += rig.drain(now).length
      check(rig, transmitted, received)
      expect([rig.injector.outward?.held, rig.injector.inward?.held]).to.deep.equal([0, 0])
      expect(rig.slab.available).to.equal(rig.slab.capacity)
    }

    function check({ injector, port, sent }: Rig, transmitted: number, received: number): void {
      const { counters } = injector
      for (const path of [injector.outward!, injector.inward!]) {
        const { offered, oversize, queueFull, lost, passed, duplicated } = path.impairment.counters
        const { overflowed, delivered, discarded } = path.counters
        expect(offered).to.equal(oversize + queueFull + lost + passed)
        expect(passed + duplicated).to.equal(overflowed + delivered + discarded + path.held)
      }
      expect(counters.transmittedFrames).to.equal(transmitted)
      expect(sent.length).to.equal(injector.outward!.counters.delivered)
      expect(counters.receivedFrames).to.equal(received)
      expect(injector.inward!.counters.delivered).to.equal(received)
      expect(port.counters.receivedFrames).to.equal(injector.inward!.impairment.counters.offered)
    }
  })

  describe('when it is run again with the same seed', () => {
    it('delivers the same frames at the same times', () => {
      const faults = {
        rateBps: 10 ** 7,
        delayNs: 10 ** 6,
        jitterNs: 10 ** 6,
        loss: 0.1,
        duplicate: 0.2,
        corrupt: 0.3,
      }
      const play = (): Arrival[] => {
        const rig = new Rig({ ...faults, reorder: { probability: 0.2 } })
        for (let each = 0; each < 200; each++) rig.transmit(frameOf(60 + each), each * 100_000)
        rig.drain(200 * 100_000)
        return rig.sent
      }
      const first = play()
      expect(first.length).to.be.greaterThan(150)
      expect(play()).to.deep.equal(first)
    })
  })
})
