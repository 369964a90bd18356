import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { createIpv4 } from '../../../engine/wire/index.ts'
import { HostCounters } from '../../../host/stack/counters.ts'
import type { Datagram } from '../../../host/stack/network.ts'
import {
  DEFAULT_REASSEMBLY_LIMITS,
  Reassembly,
  type ReassemblyLimits,
} from '../../../host/stack/reassembly.ts'
import { TimerQueue } from '../../../host/stack/timers.ts'
import { pattern } from '../../support/transfer.ts'

const SECOND = 1_000_000_000

interface Bench {
  readonly reassembly: Reassembly
  readonly counters: HostCounters
  readonly timers: TimerQueue
  readonly clock: { now: number }
  readonly timedOut: Uint8Array[]
  add(id: number, offset: number, bytes: Uint8Array, more: boolean): Uint8Array | undefined
}

function bench(limits: Partial<ReassemblyLimits> = {}): Bench {
  const counters = new HostCounters()
  const timers = new TimerQueue()
  const clock = { now: 0 }
  const timedOut: Uint8Array[] = []
  const shared = { counters, timers, clock }
  const all = { ...DEFAULT_REASSEMBLY_LIMITS, ...limits }
  const reassembly = new Reassembly(shared, all, (packet) => timedOut.push(packet))
  const add = (id: number, offset: number, bytes: Uint8Array, more: boolean): Uint8Array | undefined => {
    const packet = new Uint8Array(20 + bytes.length)
    packet[0] = 0x45
    packet.set(bytes, 20)
    const datagram: Datagram = {
      bytes: packet,
      network: 0,
      transport: 20,
      end: packet.length,
      header: {
        ...createIpv4(),
        id,
        fragmentOffset: offset,
        moreFragments: more,
        source: 1,
        destination: 2,
        protocol: 17,
      },
      device: 0,
      group: false,
      depth: 0,
    }
    return reassembly.add(datagram)
  }
  return { reassembly, counters, timers, clock, timedOut, add }
}

describe('Reassembly', () => {
  it('puts any fragments in any order together, repeated ones ignored', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(cuts, fc.integer({ min: 1, max: 8 }), fc.nat(), (sizes, tail, seed) => {
        const { add, reassembly } = bench()
        const edges = [0]
        for (const size of sizes) edges.push(edges.at(-1)! + size * 8)
        const total = edges.at(-1)! + tail
        const whole = pattern(0, total)
        const pieces = edges.map((from, i) => ({
          from,
          bytes: whole.subarray(from, edges[i + 1] ?? total),
          more: i + 1 < edges.length,
        }))
        const shuffled = pieces
          .flatMap((piece, i) => [piece, piece].slice(0, 1 + ((seed >> i) & 1)))
          .map((piece, i) => ({ piece, key: Math.imul(seed + i, 0x9e3779b1) >>> 0 }))
          .sort((one, other) => one.key - other.key)
          .map(({ piece }) => piece)
        let packet: Uint8Array | undefined
        for (const { from, bytes, more } of shuffled) {
          const result = add(7, from, bytes, more)
          packet ??= result
        }
        expect([...packet!.subarray(20)]).to.deep.equal([...whole])
        expect(new DataView(packet!.buffer).getUint16(2)).to.equal(total + 20)
        expect(reassembly.size.bytes).to.be.at.most(total)
      }),
      { numRuns: 100 },
    )
  })

  it('keeps datagrams of different identification apart', () => {
    const { add } = bench()
    add(1, 0, pattern(0, 8), true)
    expect(add(2, 8, pattern(0, 8), false)).to.equal(undefined)
    expect(add(1, 8, pattern(0, 8), false)?.length).to.equal(36)
  })

  describe('when fragments overlap with other content', () => {
    it('condemns the datagram until it times out', () => {
      const { add, counters, reassembly } = bench()
      add(1, 0, pattern(0, 16), true)
      add(1, 8, pattern(100, 16), true)
      add(1, 16, pattern(0, 8), false)
      add(1, 0, pattern(0, 16), true)
      expect(counters.dropped('fragment-overlap')).to.equal(3)
      expect(reassembly.size).to.deep.equal({ datagrams: 1, bytes: 0 })
    })

    it('condemns two different ends, and data beyond the end', () => {
      for (const [offset, length, more] of [
        [16, 8, false],
        [24, 8, true],
        [0, 8, false],
      ] as const) {
        const { add, counters } = bench()
        add(1, 8, pattern(0, 16), false)
        add(1, offset, pattern(9, length), more)
        expect(counters.dropped('fragment-overlap'), `${offset}`).to.equal(1)
      }
    })
  })

  describe('when fragments are malformed', () => {
    it('drops empty ones, odd ones and those beyond 65535', () => {
      const { add, counters } = bench()
      add(1, 0, new Uint8Array(0), true)
      add(1, 0, pattern(0, 9), true)
      add(1, 65_528, pattern(0, 100), false)
      expect(counters.dropped('fragment-malformed')).to.equal(3)
    })
  })

  describe('when there are too many', () => {
    it('bounds datagrams, the oldest makes room', () => {
      const { add, reassembly, counters } = bench({ datagrams: 4 })
      for (let id = 0; id < 10; id++) add(id, 0, pattern(0, 8), true)
      expect(reassembly.size.datagrams).to.equal(4)
      expect(counters.dropped('fragment-limit')).to.equal(6)
      expect(add(9, 8, pattern(0, 8), false)).to.not.equal(undefined)
      expect(add(0, 8, pattern(0, 8), false)).to.equal(undefined)
    })

    it('bounds bytes and fragments', () => {
      const { add, reassembly } = bench({ bytes: 10_000, fragments: 3 })
      for (let id = 0; id < 10; id++) add(id, 0, pattern(0, 4000), true)
      expect(reassembly.size.bytes).to.be.at.most(10_000)
      const few = bench({ fragments: 3 })
      for (let i = 0; i < 10; i++) few.add(1, i * 16, pattern(0, 8), true)
      expect(few.reassembly.size.bytes).to.equal(24)
    })
  })

  describe('when the rest never comes', () => {
    it('gives up after 30 s and reports those whose first fragment is here', () => {
      const { add, reassembly, timers, clock, counters, timedOut } = bench()
      add(1, 0, pattern(0, 16), true)
      add(2, 8, pattern(0, 16), true)
      clock.now = 30 * SECOND
      timers.run(clock.now)
      expect(reassembly.size).to.deep.equal({ datagrams: 0, bytes: 0 })
      expect(counters.dropped('fragment-timeout')).to.equal(2)
      expect(timedOut.map((packet) => packet.length)).to.deep.equal([36])
      expect(timers.size).to.equal(0)
    })
  })
})
