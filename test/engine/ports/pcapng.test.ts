import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { after, before, describe, it } from 'mocha'
import { EngineError } from '../../../engine/errors.ts'
import {
  emitInterface,
  emitPacket,
  emitSection,
  type InterfaceDescription,
  type PacketRecord,
  readCapture,
  writeCapture,
} from '../../../engine/ports/pcapng.ts'
import { requireTool, runTool } from '../../support/oracle.ts'

const text = fc.string({ maxLength: 20, unit: 'grapheme' })
const description: fc.Arbitrary<InterfaceDescription> = fc.record(
  {
    name: text,
    linkType: fc.nat(300),
    snapLength: fc.nat(0xffff),
    epochSeconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  },
  { requiredKeys: ['name'] },
)
const record: fc.Arbitrary<PacketRecord> = fc.record(
  {
    interfaceIndex: fc.constantFrom(0, 1),
    timeNs: fc.maxSafeNat(),
    bytes: fc.uint8Array({ maxLength: 60 }),
    originalLength: fc.nat(0xffff),
    direction: fc.constantFrom('inbound' as const, 'outbound' as const),
    comment: text,
  },
  { requiredKeys: ['interfaceIndex', 'timeNs', 'bytes'] },
)
const interfaces = fc.array(description, { minLength: 2, maxLength: 2 })
const packets = fc.array(record, { maxLength: 6 })

/** A classic file of two packets whose second is a nanosecond (or microsecond) short of the next second. */
function classic(magic: number, little: boolean, fraction: number): Uint8Array {
  const bytes = new Uint8Array(24 + 2 * 16 + 6 + 4)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, magic, little)
  view.setUint16(4, 2, little)
  view.setUint16(6, 4, little)
  view.setUint32(16, 65_535, little)
  view.setUint32(20, 1, little)
  for (const [at, length, seconds] of [
    [24, 6, 1_700_000_000],
    [46, 4, 0xffffffff],
  ] as const) {
    view.setUint32(at, seconds, little)
    view.setUint32(at + 4, fraction, little)
    view.setUint32(at + 8, length, little)
    view.setUint32(at + 12, length + 10, little)
    bytes.fill(length, at + 16, at + 16 + length)
  }
  return bytes
}

/** The same blocks in the other byte order: a pcapng file with one interface and one packet, ticks of 2^-10 s. */
function bigEndianFile(): Uint8Array {
  const bytes = new Uint8Array(28 + 28 + 36)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x0a0d0d0a)
  view.setUint32(4, 28)
  view.setUint32(8, 0x1a2b3c4d)
  view.setUint16(12, 1)
  view.setBigInt64(16, -1n)
  view.setUint32(24, 28)
  view.setUint32(28, 1)
  view.setUint32(32, 28)
  view.setUint16(36, 101)
  view.setUint16(44, 9)
  view.setUint16(46, 1)
  view.setUint8(48, 0x80 | 10)
  view.setUint32(52, 28)
  view.setUint32(56, 6)
  view.setUint32(60, 36)
  view.setUint32(72, 1024 + 256)
  view.setUint32(76, 3)
  view.setUint32(80, 9)
  bytes.set([7, 8, 9], 84)
  view.setUint32(88, 36)
  return bytes
}

function faultOf(bytes: Uint8Array): EngineError {
  try {
    readCapture(bytes)
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
  throw new Error('the file was accepted')
}

describe('capture files', () => {
  describe('when they are written as pcapng', () => {
    it('are read back as they were, times exact', () => {
      fc.assert(
        fc.property(interfaces, packets, (described, records) => {
          const capture = readCapture(writeCapture(described, records))
          expect(capture.interfaces).to.deep.equal(
            described.map(({ name, linkType = 1, snapLength = 0 }) => ({ name, linkType, snapLength })),
          )
          expect(capture.packets).to.have.length(records.length)
          records.forEach((each, i) => {
            const { timeNs, originalLength = each.bytes.length, ...rest } = each
            const epoch = described[each.interfaceIndex]!.epochSeconds ?? 0
            expect(capture.packets[i]).to.deep.equal({
              ...rest,
              originalLength,
              seconds: Math.floor(timeNs / 1e9) + epoch,
              nanoseconds: timeNs % 1e9,
            })
          })
        }),
        { numRuns: 200 },
      )
    })

    it('are the same bytes for the same packets, and block by block', () => {
      fc.assert(
        fc.property(interfaces, packets, (described, records) => {
          const whole = Buffer.from(writeCapture(described, records))
          const blocks = [emitSection(), ...described.map(emitInterface), ...records.map(emitPacket)]
          expect(Buffer.concat(blocks).equals(whole)).to.equal(true)
        }),
        { numRuns: 50 },
      )
    })

    it('keep to their exact bytes from release to release', () => {
      const file = writeCapture(
        [{ name: 'e0' }],
        [
          {
            interfaceIndex: 0,
            timeNs: 2 ** 32 + 5,
            bytes: Uint8Array.of(1, 2, 3),
            direction: 'outbound',
            comment: 'x',
          },
        ],
      )
      expect(Buffer.from(file).toString('hex')).to.equal(
        '0a0d0d0a2c0000004d3c2b1a01000000ffffffffffffffff0400060070726f6e746f0000000000002c000000' +
          '010000002800000001000000000000000200020065300000' + // interface e0
          '09000100090000000000000028000000' + // nanoseconds
          '06000000' +
          '38000000000000000100000005000000030000000300000001020300' + // packet
          '01000100780000000200040002000000' +
          '0000000038000000',
      )
    })

    it('refuse times and texts that do not fit', () => {
      const packet = { interfaceIndex: 0, timeNs: 0, bytes: new Uint8Array(0) }
      for (const timeNs of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])
        expect(() => emitPacket({ ...packet, timeNs })).to.throw(RangeError)
      expect(() => emitPacket({ ...packet, comment: 'x'.repeat(65_536) })).to.throw(RangeError)
    })
  })

  describe('when they are foreign', () => {
    for (const [name, magic, fraction, nanoseconds] of [
      ['microseconds', 0xa1b2c3d4, 999_999, 999_999_000],
      ['nanoseconds', 0xa1b23c4d, 999_999_999, 999_999_999],
    ] as const)
      for (const little of [true, false])
        it(`reads the classic format in ${name}, ${little ? 'little' : 'big'}-endian`, () => {
          const capture = readCapture(classic(magic, little, fraction))
          expect(capture.interfaces).to.deep.equal([{ name: '', linkType: 1, snapLength: 65_535 }])
          expect(capture.packets).to.deep.equal([
            {
              interfaceIndex: 0,
              seconds: 1_700_000_000,
              nanoseconds,
              bytes: new Uint8Array(6).fill(6),
              originalLength: 16,
            },
            {
              interfaceIndex: 0,
              seconds: 0xffffffff,
              nanoseconds,
              bytes: new Uint8Array(4).fill(4),
              originalLength: 14,
            },
          ])
        })

    it('carries a fraction of more than a second', () => {
      const [packet] = readCapture(classic(0xa1b2c3d4, true, 0xffffffff)).packets
      expect(packet).to.include({ seconds: 1_700_000_000 + 4294, nanoseconds: 967_295_000 })
    })

    it('reads the other byte order and resolutions that are powers of two', () => {
      const capture = readCapture(bigEndianFile())
      expect(capture.interfaces).to.deep.equal([{ name: '', linkType: 101, snapLength: 0 }])
      expect(capture.packets).to.deep.equal([
        {
          interfaceIndex: 0,
          seconds: 1,
          nanoseconds: 250_000_000,
          bytes: Uint8Array.of(7, 8, 9),
          originalLength: 9,
        },
      ])
    })

    it('numbers the interfaces of each section anew', () => {
      const one = writeCapture([{ name: 'a' }], [{ interfaceIndex: 0, timeNs: 1, bytes: Uint8Array.of(1) }])
      const capture = readCapture(Buffer.concat([one, bigEndianFile(), one]))
      expect(capture.interfaces.map(({ name }) => name)).to.deep.equal(['a', '', 'a'])
      expect(capture.packets.map(({ interfaceIndex }) => interfaceIndex)).to.deep.equal([0, 1, 2])
    })

    it('reads simple packets and skips blocks that it does not know', () => {
      const head = Buffer.concat([emitSection(), emitInterface({ name: 'a', snapLength: 2 })])
      const simple = Buffer.from('030000001400000003000000010203001400' + '0000', 'hex')
      const unknown = Buffer.from('ad0b00000c0000000c000000', 'hex')
      const capture = readCapture(Buffer.concat([head, unknown, simple]))
      expect(capture.packets).to.deep.equal([
        { interfaceIndex: 0, seconds: 0, nanoseconds: 0, bytes: Uint8Array.of(1, 2), originalLength: 3 },
      ])
    })

    it('reads from a view into a larger buffer', () => {
      const file = writeCapture([{ name: 'a' }], [{ interfaceIndex: 0, timeNs: 1, bytes: Uint8Array.of(5) }])
      const larger = new Uint8Array(file.length + 20).fill(0xff)
      larger.set(file, 7)
      const view = larger.subarray(7, 7 + file.length)
      expect(readCapture(view)).to.deep.equal(readCapture(file))
    })
  })

  describe('when they are hostile', () => {
    const good = writeCapture(
      [{ name: 'eth0' }],
      [{ interfaceIndex: 0, timeNs: 1, bytes: new Uint8Array(9), comment: 'c', direction: 'inbound' }],
    )
    const packetAt = emitSection().length + emitInterface({ name: 'eth0' }).length
    /** The file with a 32-bit number written over. */
    const lie = (at: number, value: number): Uint8Array => {
      const copy = Uint8Array.from(good)
      new DataView(copy.buffer).setUint32(at, value, true)
      return copy
    }

    it('says that it is no capture', () => {
      for (const bytes of [[], [1, 2, 3], [1, 2, 3, 4], [0x0a, 0x0d, 0x0d]])
        expect(faultOf(Uint8Array.from(bytes)).message).to.equal(
          'byte 0: neither a pcapng nor a classic capture file',
        )
    })

    for (const [what, at, value, place] of [
      ['a block shorter than its frame', packetAt + 4, 8, packetAt],
      ['a block length that is no multiple of four', packetAt + 4, 65, packetAt],
      ['a block longer than the file', packetAt + 4, 0x7ffffffc, packetAt],
      ['two lengths that differ', good.length - 4, 12, good.length - 4],
      ['an interface that was not described', packetAt + 8, 1, packetAt + 8],
      ['the greatest interface', packetAt + 8, 0xffffffff, packetAt + 8],
      ['more bytes than the block holds', packetAt + 20, 0xffffffff, packetAt + 20],
      ['one byte more than the block holds', packetAt + 20, good.length - packetAt - 31, packetAt + 20],
      ['an option one byte longer than its block', good.length - 16, 0x00090002, good.length - 16],
      ['an option longer than its block', packetAt + 40, 0xffff0001, packetAt + 40],
      ['no byte order mark', 8, 0, 8],
      ['another version', 12, 2, 12],
    ] as const)
      it(`names the byte of ${what}`, () => {
        const fault = faultOf(lie(at, value))
        expect(fault.code).to.equal('invalid')
        expect(fault.place).to.equal(`byte ${place}`)
      })

    it('refuses each file that is cut within a block', () => {
      const sizes = new Set([emitSection().length, packetAt, good.length])
      for (let length = 0; length < good.length; length++)
        if (!sizes.has(length)) expect(faultOf(good.subarray(0, length)).code).to.equal('invalid')
      const old = classic(0xa1b2c3d4, true, 0)
      for (let length = 0; length < old.length; length++)
        if (length !== 24 && length !== 46) expect(faultOf(old.subarray(0, length)).code).to.equal('invalid')
    })

    it('either reads or refuses, and never reads outside, whatever bytes are changed', () => {
      const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 })
      const files = fc.constantFrom(good, bigEndianFile(), classic(0xa1b23c4d, false, 5))
      const attempt = (file: Uint8Array, around: number): string => {
        const larger = new Uint8Array(file.length + 64).fill(around)
        larger.set(file, 32)
        try {
          return JSON.stringify(readCapture(larger.subarray(32, 32 + file.length)))
        } catch (error) {
          if (!(error instanceof EngineError)) throw error
          return error.message
        }
      }
      fc.assert(
        fc.property(files, flips, (file, changes) => {
          const copy = Uint8Array.from(file)
          for (const [at, value] of changes) copy[at % copy.length] = value
          expect(attempt(copy, 0)).to.equal(attempt(copy, 0xff))
        }),
        { numRuns: 1500 },
      )
    })
  })

  describe('when other tools read them', () => {
    let folder = ''
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'capture-'))
    })
    after(() => rmSync(folder, { recursive: true, force: true }))

    const frame = Uint8Array.from(Buffer.from('020000000002020000000001080045000014000000004011', 'hex'))
    const written = (): string => {
      const path = join(folder, 'written.pcapng')
      const described = [
        { name: 'r1-eth0', epochSeconds: 1_700_000_000 },
        { name: 'r1-eth1', epochSeconds: 1_700_000_000 },
      ]
      const records: PacketRecord[] = [
        {
          interfaceIndex: 0,
          timeNs: 123_456_789_123,
          bytes: frame,
          direction: 'inbound',
          comment: 'no-route',
        },
        {
          interfaceIndex: 1,
          timeNs: 123_456_789_124,
          bytes: frame,
          originalLength: 999,
          direction: 'outbound',
        },
      ]
      writeFileSync(path, writeCapture(described, records))
      return path
    }

    it('gives tshark names, nanoseconds, directions, lengths and comments', function () {
      requireTool(this, 'tshark')
      const fields = [
        'frame.interface_name',
        'frame.time_epoch',
        'frame.packet_flags_direction',
        'frame.cap_len',
        'frame.len',
        'frame.comment',
      ]
      const output = runTool('tshark', [
        '-r',
        written(),
        '-Tfields',
        ...fields.flatMap((field) => ['-e', field]),
      ])
      expect(output.slice(0, -1).split('\n')).to.deep.equal([
        'r1-eth0\t1700000123.456789123\t0x00000001\t24\t24\tno-route',
        'r1-eth1\t1700000123.456789124\t0x00000002\t24\t999\t',
      ])
    })

    it('gives tcpdump nanoseconds', function () {
      requireTool(this, 'tcpdump')
      const output = runTool('tcpdump', ['-nttr', written(), '--nano'])
      expect(output).to.match(/^1700000123\.456789123 /)
    })

    it('reads what tcpdump and tshark write', function () {
      requireTool(this, 'tcpdump')
      requireTool(this, 'tshark')
      const path = written()
      const wanted = readCapture(new Uint8Array(readFileSync(path))).packets
      runTool('tcpdump', ['-r', path, '-w', join(folder, 'old.pcap'), '--nano'])
      runTool('tshark', ['-r', path, '-w', join(folder, 'new.pcapng')])
      runTool('tshark', ['-r', path, '-F', 'nsecpcap', '-w', join(folder, 'old-ns.pcap')])
      for (const name of ['old.pcap', 'new.pcapng', 'old-ns.pcap']) {
        const read = readCapture(new Uint8Array(readFileSync(join(folder, name)))).packets
        const plain = ({ seconds, nanoseconds, bytes, originalLength }: (typeof read)[number]): unknown => {
          return { seconds, nanoseconds, bytes: [...bytes], originalLength }
        }
        expect(read.map(plain), name).to.deep.equal(wanted.map(plain))
      }
    })
  })
})
