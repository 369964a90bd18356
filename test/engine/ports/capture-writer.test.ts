import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { PacketSlab } from '../../../engine/packet.ts'
import { CaptureWriter, type CaptureWriterOptions } from '../../../engine/ports/capture-writer.ts'
import { FaultInjector } from '../../../engine/ports/fault-injector.ts'
import { Impairment } from '../../../engine/ports/impairment.ts'
import { MemoryPort } from '../../../engine/ports/memory-link.ts'
import { readCapture } from '../../../engine/ports/pcapng.ts'
import { Tracer } from '../../../engine/ports/tracer.ts'
import { Random } from '../../../engine/random.ts'
import { requireTool, runTool } from '../../support/oracle.ts'

const frame = (fill: number, length = 60): Uint8Array => new Uint8Array(length).fill(fill)

/** A capture of three frames on two ports, one of them dropped. */
function capture(options: CaptureWriterOptions = {}): { file: Uint8Array; writer: CaptureWriter } {
  const blocks: Uint8Array[] = []
  const writer = new CaptureWriter((block) => blocks.push(block), options)
  const one = writer.port('eth0')
  const two = writer.port('eth1')
  one('receive', frame(1), 0, 60, 1_000, '')
  two('transmit', frame(2, 100), 20, 64, 2_000, '')
  one('receive', frame(3), 0, 60, 3_000, 'dropped: policy')
  return { file: new Uint8Array(Buffer.concat(blocks)), writer }
}

describe('CaptureWriter', () => {
  describe('when ports show their frames', () => {
    it('writes them with port, direction, time and the reason of drops', () => {
      const { file, writer } = capture({ epochSeconds: 1_700_000_000 })
      const { interfaces, packets } = readCapture(file)
      expect(interfaces.map((each) => each.name)).to.deep.equal(['eth0', 'eth1'])
      const told = packets.map((each) => [
        each.interfaceIndex,
        each.direction,
        each.seconds,
        each.nanoseconds,
        each.bytes.length,
        each.comment,
      ])
      expect(told).to.deep.equal([
        [0, 'inbound', 1_700_000_000, 1000, 60, undefined],
        [1, 'outbound', 1_700_000_000, 2000, 64, undefined],
        [0, 'inbound', 1_700_000_000, 3000, 60, 'dropped: policy'],
      ])
      expect(writer.counters).to.deep.equal({ frames: 3, bytes: file.length, omitted: 0 })
    })

    it('gives the same bytes for the same frames', () => {
      expect(capture().file).to.deep.equal(capture().file)
    })

    it('is read by tshark', function () {
      requireTool(this, 'tshark')
      const folder = mkdtempSync(join(tmpdir(), 'pronto-capture-'))
      try {
        const path = join(folder, 'capture.pcapng')
        writeFileSync(path, capture({ epochSeconds: 1_700_000_000 }).file)
        const fields = ['frame.interface_name', 'frame.len', 'frame.comment', 'frame.time_epoch']
        const shown = runTool('tshark', [
          '-r',
          path,
          '-T',
          'fields',
          ...fields.flatMap((field) => ['-e', field]),
        ])
        expect(shown.trim().split('\n')).to.deep.equal([
          'eth0\t60\t\t1700000000.000001000',
          'eth1\t64\t\t1700000000.000002000',
          'eth0\t60\tdropped: policy\t1700000000.000003000',
        ])
      } finally {
        rmSync(folder, { recursive: true })
      }
    })
  })

  describe('when frames are longer than the snap length', () => {
    it('keeps their beginning and their length', () => {
      const [first] = readCapture(capture({ snapLength: 20 }).file).packets
      expect([first?.bytes.length, first?.originalLength]).to.deep.equal([20, 60])
    })
  })

  describe('when the file reaches its limit', () => {
    it('ends with a whole block and counts what it leaves out', () => {
      const whole = capture().file.length
      for (let limitBytes = 0; limitBytes < whole; limitBytes += 7) {
        const { file, writer } = capture({ limitBytes })
        expect(file.length).to.be.at.most(limitBytes)
        expect(writer.counters.frames + writer.counters.omitted).to.equal(3)
        if (file.length > 0) expect(readCapture(file).packets).to.have.length(writer.counters.frames)
      }
    })
  })

  describe('when it watches a lossy link through a tracer and a fault injector', () => {
    it('shows what was sent and, by name, what was lost', () => {
      const blocks: Uint8Array[] = []
      const sink = new CaptureWriter((block) => blocks.push(block)).port('wire')
      const port = new MemoryPort({ name: 'port', mac: Uint8Array.of(2, 0, 0, 0, 0, 1) })
      port.onTransmit = () => {}
      const lossy = new Impairment({ loss: 0.5 }, Random.fromSeed(3))
      const driver = new FaultInjector(new Tracer(port, sink), { transmit: lossy, onDrop: sink })
      const slab = new PacketSlab({ capacity: 1 })
      const packet = slab.load(frame(1))
      for (let now = 0; now < 100; now++) {
        driver.transmit(slab, packet, now)
        driver.flush(now)
      }
      const { packets } = readCapture(new Uint8Array(Buffer.concat(blocks)))
      const lost = packets.filter((each) => each.comment === 'dropped: lost')
      expect(packets).to.have.length(100)
      expect(lost).to.have.length(lossy.counters.lost)
      expect(lost.length).to.be.within(20, 80)
    })
  })
})
