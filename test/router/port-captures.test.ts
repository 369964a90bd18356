import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { Engine, FrameSink } from '../../engine/index.ts'
import { readPcapng } from '../../engine/ports/pcapng-reader.ts'
import { PortCaptures } from '../../router/port-captures.ts'

describe('PortCaptures', () => {
  /** What of an engine captures use, and the time. */
  class Port {
    now = 0
    sink: FrameSink | undefined
    readonly captures: PortCaptures

    constructor() {
      const engine = {
        portNames: ['eth0'],
        trace: (_name: string, sink: FrameSink | undefined) => {
          this.sink = sink
        },
      }
      this.captures = new PortCaptures(engine as unknown as Engine, () => this.now)
    }

    begin(): number {
      return this.captures.begin('eth0', 0, 0)
    }

    /** Frames of 1500 bytes. */
    carry(frames: number): void {
      const frame = new Uint8Array(1_500)
      for (let each = 0; each < frames; each++) this.sink?.('receive', frame, 0, frame.length, this.now, '')
    }
  }

  it('keeps what fits, counts what does not, and goes on when it was taken', () => {
    const port = new Port()
    const capture = port.begin()
    port.carry(4_000)
    const { bytes, omitted } = port.captures.take(capture)
    expect(bytes.length).to.be.within(4 << 20, (4 << 20) + 4_096)
    expect(omitted).to.be.within(1, 1_500)
    port.carry(1)
    expect(port.captures.take(capture)).to.have.property('omitted', omitted)
    port.captures.end(capture)
    port.captures.end(capture)
    expect(port.sink).to.equal(undefined)
  })

  it('gives up what is full and forsaken', () => {
    const port = new Port()
    const forsaken = port.begin()
    const other = port.begin()
    port.carry(4_000)
    port.now = 61e9
    port.captures.take(other)
    port.carry(1)
    expect(() => port.captures.take(forsaken)).to.throw('no capture')
    expect(port.captures.take(other).omitted).to.be.above(0)
    port.captures.end(other)
    expect(port.sink).to.equal(undefined)
  })

  it('tells the calendar time of frames to the fraction of a second', () => {
    const port = new Port()
    const capture = port.captures.begin('eth0', 0, 1_000.75)
    port.now = 0.5e9
    port.carry(1)
    const [frame] = readPcapng(port.captures.take(capture).bytes).packets
    expect(frame).to.deep.include({ seconds: 1_001, nanoseconds: 250_000_000 })
  })

  it('is bounded in number, and knows its ports', () => {
    const port = new Port()
    for (let each = 0; each < 8; each++) port.begin()
    expect(() => port.begin()).to.throw('more than 8')
    expect(() => port.captures.begin('eth9', 0, 0)).to.throw('no port eth9')
    port.now = 61e9
    port.begin()
  })
})
