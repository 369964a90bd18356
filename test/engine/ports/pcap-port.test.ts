import { expect } from 'chai'
import { describe, it } from 'mocha'
import { NEVER, SECOND } from '../../../engine/clock.ts'
import { PacketSlab } from '../../../engine/packet.ts'
import { PcapPort, type ReplaySource, replayOf } from '../../../engine/ports/pcap-port.ts'
import { readCapture, writeCapture } from '../../../engine/ports/pcapng.ts'

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)
const frame = (fill: number, length = 60): Uint8Array => new Uint8Array(length).fill(fill)

function drain(source: ReplaySource): [number, number][] {
  const frames: [number, number][] = []
  for (let next = source(); next !== undefined; next = source()) frames.push([next.timeNs, next.bytes[0]!])
  return frames
}

/** Receives with a fresh slab: the first byte of each frame. */
function receive(port: PcapPort, now: number, limit = 8): number[] {
  const slab = new PacketSlab({ capacity: 8 })
  const into = new Int32Array(limit)
  return [...into.subarray(0, port.receive(slab, into, limit, now))].map((packet) => slab.frame(packet)[0]!)
}

/** Two interfaces; times past 2^53 ns, as those of real captures are. */
const capture = readCapture(
  writeCapture(
    [
      { name: 'eth0', epochSeconds: 1_700_000_000 },
      { name: 'eth1', epochSeconds: 1_700_000_000 },
    ],
    [
      { interfaceIndex: 0, timeNs: 1_000_000_500, bytes: frame(1) },
      { interfaceIndex: 1, timeNs: 1_000_000_600, bytes: frame(2) },
      { interfaceIndex: 0, timeNs: 1_000_000_700, bytes: frame(3), direction: 'outbound' },
      { interfaceIndex: 0, timeNs: 3_000_000_001, bytes: frame(5), direction: 'inbound' },
      { interfaceIndex: 0, timeNs: 2_000_000_000, bytes: frame(4) },
      { interfaceIndex: 0, timeNs: 4_000_000_000, bytes: frame(6), originalLength: 100 },
    ],
  ),
)

describe('replayOf', () => {
  describe('when a capture holds several interfaces and both directions', () => {
    it('takes what the first interface received, whole, in order of time from zero', () => {
      expect(drain(replayOf(capture))).to.deep.equal([
        [0, 1],
        [999_999_500, 4],
        [1_999_999_501, 5],
      ])
    })

    it('takes the interface of a name, and nothing for one that is not there', () => {
      expect(drain(replayOf(capture, 'eth1'))).to.deep.equal([[0, 2]])
      expect(drain(replayOf(capture, 'eth9'))).to.deep.equal([])
    })

    it('takes nothing from what is not Ethernet', () => {
      const raw = writeCapture(
        [{ name: 'tun0', linkType: 101 }],
        [{ interfaceIndex: 0, timeNs: 0, bytes: frame(1) }],
      )
      expect(drain(replayOf(readCapture(raw)))).to.deep.equal([])
    })
  })
})

describe('PcapPort', () => {
  describe('when it keeps the recorded pace', () => {
    it('receives each frame at its time and says when the next is due', () => {
      const port = new PcapPort({ name: 'replay', mac: MAC, source: replayOf(capture), startAt: 10 * SECOND })
      expect(port.pollAt(0)).to.equal(10 * SECOND)
      expect(receive(port, 10 * SECOND - 1)).to.deep.equal([])
      expect(receive(port, 10 * SECOND)).to.deep.equal([1])
      expect(port.pollAt(10 * SECOND)).to.equal(10 * SECOND + 999_999_500)
      expect(receive(port, 13 * SECOND)).to.deep.equal([4, 5])
      expect(port.pollAt(13 * SECOND)).to.equal(NEVER)
    })
  })

  describe('when it goes as fast as it can', () => {
    it('receives as much as it is asked for', () => {
      const port = new PcapPort({ name: 'replay', mac: MAC, source: replayOf(capture), pace: 'fastest' })
      expect(port.pollAt(7)).to.equal(7)
      expect(receive(port, 7, 2)).to.deep.equal([1, 4])
      expect(receive(port, 7, 2)).to.deep.equal([5])
    })
  })

  describe('when the capture holds what is no frame', () => {
    it('counts it and goes on', () => {
      const frames = [frame(1, 13), frame(2, 5000), frame(3)].map((bytes) => ({ timeNs: 0, bytes }))
      const port = new PcapPort({ name: 'replay', mac: MAC, source: () => frames.shift() })
      expect(receive(port, 0)).to.deep.equal([3])
      expect(port.counters.receiveDropped).to.equal(2)
    })
  })

  describe('when it transmits', () => {
    it('shows the frame to its recorder with its time', () => {
      const shown: unknown[] = []
      const port = new PcapPort({
        name: 'replay',
        mac: MAC,
        source: () => undefined,
        record: (direction, bytes, start, length, now) => shown.push([direction, bytes[start], length, now]),
      })
      const slab = new PacketSlab({ capacity: 1 })
      expect(port.transmit(slab, slab.load(frame(8)), 99)).to.equal(true)
      expect(shown).to.deep.equal([['transmit', 8, 60, 99]])
    })
  })
})
