import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  BpfAssembler,
  HELPER,
  R0,
  R1,
  R2,
  R3,
  R6,
  R9,
  R10,
} from '../../../../engine/ports/linux/bpf-assembler.ts'

/** Encodings worked out by hand from RFC 9669, sections 3 to 5. */
const GOLDEN: readonly (readonly [string, (a: BpfAssembler) => BpfAssembler, string])[] = [
  ['r0 = 1', (a) => a.move(R0, 1), 'b700000001000000'],
  ['r6 = r1', (a) => a.move(R6, R1), 'bf16000000000000'],
  ['r2 += -4', (a) => a.compute('add', R2, -4), '07020000fcffffff'],
  ['r3 -= r9', (a) => a.compute('sub', R3, R9), '1f93000000000000'],
  ['w1 &= 255', (a) => a.compute32('and', R1, 255), '54010000ff000000'],
  ['w1 |= w2', (a) => a.compute32('or', R1, R2), '4c21000000000000'],
  ['r1 <<= 2', (a) => a.compute('lsh', R1, 2), '6701000002000000'],
  ['r1 >>= 16', (a) => a.compute('rsh', R1, 16), '7701000010000000'],
  ['r1 ^= -1', (a) => a.compute('xor', R1, -1), 'a7010000ffffffff'],
  ['r2 = *(u8 *)(r1 + 9)', (a) => a.load('u8', R2, R1, 9), '7112090000000000'],
  ['r2 = *(u16 *)(r1 + 2)', (a) => a.load('u16', R2, R1, 2), '6912020000000000'],
  ['r2 = *(u32 *)(r1 + 76)', (a) => a.load('u32', R2, R1, 76), '61124c0000000000'],
  ['r2 = *(u64 *)(r1 - 8)', (a) => a.load('u64', R2, R1, -8), '7912f8ff00000000'],
  ['*(u8 *)(r2 + 1) = r1', (a) => a.store('u8', R2, 1, R1), '7312010000000000'],
  ['*(u32 *)(r10 - 4) = 7', (a) => a.store('u32', R10, -4, 7), '620afcff07000000'],
  ['lock *(u64 *)(r0 + 0) += r1', (a) => a.addAtomic('u64', R0, 0, R1), 'db10000000000000'],
  ['r2 = be16 r2', (a) => a.swapToNetwork(R2, 16), 'dc02000010000000'],
  ['r1 = map fd 5', (a) => a.loadMap(R1, 5), '18110000050000000000000000000000'],
  ['call 50', (a) => a.call(HELPER.skbAdjustRoom), '8500000032000000'],
  ['exit', (a) => a.exit(), '9500000000000000'],
  ['goto +1', (a) => a.jump('end').move(R0, 0).label('end').exit(), '0500010000000000'],
  [
    'if r0 == 0 goto +1',
    (a) => a.jumpIf(R0, '==', 0, 'end').move(R0, 0).label('end').exit(),
    '1500010000000000',
  ],
  [
    'if r0 > r9 goto +1',
    (a) => a.jumpIf(R0, '>', R9, 'end').move(R0, 0).label('end').exit(),
    '2d90010000000000',
  ],
  ['if r0 & 3 goto +0', (a) => a.jumpIf(R0, '&', 3, 'end').label('end').exit(), '4500000003000000'],
]

describe('BpfAssembler', () => {
  for (const [name, write, hex] of GOLDEN)
    it(`encodes ${name}`, () => {
      const bytes = write(new BpfAssembler()).assemble()
      expect(Buffer.from(bytes).toString('hex').slice(0, hex.length)).to.equal(hex)
    })

  describe('when labels are wrong', () => {
    it('refuses a jump to a label that is not there', () => {
      expect(() => new BpfAssembler().jump('nowhere').assemble()).to.throw('there is no label nowhere')
    })

    it('refuses a label twice', () => {
      expect(() => new BpfAssembler().label('a').label('a')).to.throw('twice')
    })

    it('refuses to jump back', () => {
      expect(() => new BpfAssembler().label('a').jump('a').assemble()).to.throw('loop')
    })
  })

  it('takes a number of 32 bits as its bits, whatever its sign', () => {
    const unsigned = new BpfAssembler().move(R0, 0xffffffff).assemble()
    expect(unsigned).to.deep.equal(new BpfAssembler().move(R0, -1).assemble())
  })
})
