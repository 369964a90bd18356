import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  CALL,
  copyFrame,
  DONE,
  FrameError,
  FrameReader,
  HEADER_BYTES,
  readText,
  textFrame,
  writeHeader,
} from '../../../execution-env/sandbox/frame.ts'

const LIMIT = 1 << 20

/** Feeds bytes in pieces and collects the texts of the frames. */
function read(reader: FrameReader, bytes: Uint8Array, pieces: readonly number[] = []): string[] {
  const texts: string[] = []
  const steps = [...pieces, bytes.length]
  let from = 0
  for (const step of steps)
    while (from < Math.min(step, bytes.length)) {
      const at = reader.room()
      const count = Math.min(step - from, bytes.length - from, reader.bytes.length - at)
      reader.bytes.set(bytes.subarray(from, from + count), at)
      reader.fill(count)
      from += count
      while (reader.next()) {
        expect(reader.start % 8).to.equal(0)
        texts.push(`${reader.type} ${reader.sequence} ${readText(reader.bytes, reader.start, reader.length)}`)
      }
    }
  return texts
}

function join(frames: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(frames.flatMap((frame) => [...frame]))
}

describe('FrameReader', () => {
  describe('when frames come in pieces', () => {
    it('cuts the same frames however the stream is cut (property)', () => {
      const frames = fc.array(fc.tuple(fc.nat(2 ** 32 - 1), fc.string({ unit: 'grapheme', maxLength: 80 })), {
        minLength: 1,
        maxLength: 8,
      })
      fc.assert(
        fc.property(frames, fc.array(fc.nat(600), { maxLength: 12 }), (list, cuts) => {
          const bytes = join(list.map(([sequence, text]) => textFrame(CALL, sequence, text)))
          const texts = read(
            new FrameReader(LIMIT),
            bytes,
            cuts.sort((a, b) => a - b),
          )
          expect(texts).to.deep.equal(
            list.map(([sequence, text]) => `${CALL} ${sequence} ${Buffer.from(text).toString('utf8')}`),
          )
        }),
        { numRuns: 300 },
      )
    })

    it('grows for a large frame and shrinks again', () => {
      const reader = new FrameReader(LIMIT)
      const before = reader.bytes.length
      const text = 'x'.repeat(900_000)
      expect(read(reader, textFrame(DONE, 1, text))).to.deep.equal([`${DONE} 1 ${text}`])
      expect(reader.bytes.length).to.be.greaterThan(before)
      reader.room()
      expect(reader.bytes.length).to.equal(before)
    })

    it('keeps a copied frame when it goes on', () => {
      const reader = new FrameReader(LIMIT)
      read(reader, textFrame(CALL, 7, 'first', Uint8Array.of(1, 2, 3)))
      const copy = copyFrame(reader)
      read(reader, textFrame(CALL, 8, 'second'))
      expect(copy).to.include({ type: CALL, sequence: 7, start: 0, length: 8 })
      expect(readText(copy.bytes, 3, 5)).to.equal('first')
      expect(copy.words[0]! & 0xffffff).to.equal(0x030201)
    })
  })

  describe('when the bytes are hostile', () => {
    const header = (length: number, type: number, magic?: number): Uint8Array => {
      const bytes = new Uint8Array(HEADER_BYTES)
      const view = new DataView(bytes.buffer)
      writeHeader(view, type, 1, length)
      if (magic !== undefined) view.setUint32(12, magic, true)
      return bytes
    }

    for (const [what, bytes] of [
      ['no magic', header(0, CALL, 0)],
      ['no type', header(0, 0)],
      ['an unknown type', header(0, 200)],
      ['a length over the limit', header(LIMIT + 1, CALL)],
      ['a length that would overflow', header(0xffff_ffff, CALL)],
    ] as const)
      it(`refuses ${what}`, () => {
        expect(() => read(new FrameReader(LIMIT), bytes)).to.throw(FrameError)
      })

    it('takes no memory for a length that is only announced over the limit', () => {
      const reader = new FrameReader(LIMIT)
      const before = reader.bytes.length
      expect(() => read(reader, header(0x7fff_ffff, CALL))).to.throw(FrameError)
      expect(reader.bytes.length).to.equal(before)
    })

    it('gives frames or a FrameError for any bytes (property)', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          try {
            read(new FrameReader(LIMIT), bytes)
          } catch (error) {
            expect(error).to.be.instanceOf(FrameError)
          }
        }),
        { numRuns: 300 },
      )
    })
  })
})
