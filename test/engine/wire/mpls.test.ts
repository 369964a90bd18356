import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { dropCode } from '../../../engine/drop-reason.ts'
import {
  createLabelStack,
  emitLabel,
  entryBottom,
  entryLabel,
  entryTrafficClass,
  entryTtl,
  labelEntry,
  MPLS_MAX_DEPTH,
  parseLabelStack,
} from '../../../engine/wire/index.ts'
import { byte, frameOf } from './samples.ts'

const label = fc.integer({ min: 0, max: 0xfffff })
const entries = fc.array(fc.tuple(label, fc.nat(7), byte), { minLength: 1, maxLength: MPLS_MAX_DEPTH })

describe('mpls', () => {
  it('reads the stacks it wrote, at any offset', () => {
    fc.assert(
      fc.property(entries, fc.nat(9), (wanted, offset) => {
        const bytes = new Uint8Array(64)
        let end = offset
        wanted.forEach(([value, trafficClass, ttl], i) => {
          end = emitLabel(bytes, end, value, trafficClass, i === wanted.length - 1, ttl)
        })
        const stack = createLabelStack()
        expect(parseLabelStack(bytes, offset, end, stack)).to.equal(0)
        expect(stack).to.include({ depth: wanted.length, payloadOffset: end })
        const read = Array.from(stack.entries.subarray(0, stack.depth), (entry) => [
          entryLabel(entry),
          entryTrafficClass(entry),
          entryTtl(entry),
        ])
        expect(read).to.deep.equal(wanted)
        expect(Array.from(stack.entries.subarray(0, stack.depth), entryBottom).lastIndexOf(false)).to.equal(
          wanted.length - 2,
        )
      }),
    )
  })

  it('reads a captured stack', () => {
    const frame = frameOf('mpls')
    const stack = createLabelStack()
    expect(parseLabelStack(frame, 14, frame.length, stack)).to.equal(0)
    expect(stack.depth).to.equal(2)
    expect(stack.entries[0]).to.equal(labelEntry(1001, 5, false, 56))
    expect(stack.entries[1]).to.equal(labelEntry(17, 5, true, 56))
    expect(frame[stack.payloadOffset]).to.equal(0x45)
  })

  describe('when its bottom is not reached', () => {
    it('is malformed at the end of the bytes', () => {
      const frame = frameOf('mpls')
      for (let end = 14; end < 22; end++)
        expect(parseLabelStack(frame, 14, end, createLabelStack()), `${end}`).to.equal(
          dropCode('label-malformed'),
        )
    })

    it('is malformed beyond the greatest depth', () => {
      const bytes = new Uint8Array(MPLS_MAX_DEPTH * 4 + 4)
      for (let i = 0; i < MPLS_MAX_DEPTH; i++) emitLabel(bytes, i * 4, 16, 0, false, 64)
      emitLabel(bytes, MPLS_MAX_DEPTH * 4, 16, 0, true, 64)
      expect(parseLabelStack(bytes, 0, bytes.length, createLabelStack())).to.equal(
        dropCode('label-malformed'),
      )
    })
  })

  it('keeps fields within their bits', () => {
    expect(labelEntry(0x1f_ffff, 15, true, 0x1ff)).to.equal(0xffffffff)
    expect(labelEntry(0, 0, false, 0)).to.equal(0)
  })
})
