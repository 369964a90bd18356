import { expect } from 'chai'
import { before, describe, it } from 'mocha'
import {
  BpfAssembler,
  BpfMap,
  BpfProgram,
  HELPER,
  LinuxError,
  R0,
  R1,
  R2,
  R10,
} from '../../../../engine/ports/linux/index.ts'
import { requireRoot } from '../../../support/linux.ts'
import { requireLab } from '../../../support/oracle.ts'

const key = (number: number): Uint8Array => new Uint8Array(Uint32Array.of(number).buffer)

/** Adds one to an entry of an array map, and answers 7. */
function counting(map: BpfMap, entry: number): Uint8Array {
  return new BpfAssembler()
    .store('u32', R10, -4, entry)
    .loadMap(R1, map.descriptor)
    .move(R2, R10)
    .compute('add', R2, -4)
    .call(HELPER.mapLookup)
    .jumpIf(R0, '==', 0, 'end')
    .move(R1, 1)
    .addAtomic('u64', R0, 0, R1)
    .label('end')
    .move(R0, 7)
    .exit()
    .assemble()
}

describe('eBPF in the kernel', () => {
  before(function () {
    requireRoot(this)
    try {
      new BpfMap({ kind: 'array', name: 'test_try', keyBytes: 4, valueBytes: 8, maxEntries: 1 }).close()
    } catch (error) {
      requireLab(this, (error as Error).message)
    }
  })

  it('runs a program that counts in a map', () => {
    const map = new BpfMap({ kind: 'array', name: 'test_count', keyBytes: 4, valueBytes: 8, maxEntries: 2 })
    const program = new BpfProgram('test_count', counting(map, 1))
    try {
      const frame = new Uint8Array(60).fill(3)
      for (let runs = 0; runs < 3; runs++) expect(program.test(frame)).to.deep.equal({ answer: 7, frame })
      expect(map.get(key(1))).to.deep.equal(Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0))
      expect(map.get(key(0))).to.deep.equal(new Uint8Array(8))
      expect(map.get(key(2))).to.equal(undefined)
    } finally {
      program.close()
      map.close()
      map.close()
    }
  })

  it('finds the longest prefix, and refuses more than a map holds', () => {
    const prefix = (length: number, ...address: number[]) => Uint8Array.of(length, 0, 0, 0, ...address)
    const map = new BpfMap({
      kind: 'longest prefix',
      name: 'test_lpm',
      keyBytes: 8,
      valueBytes: 1,
      maxEntries: 2,
    })
    try {
      map.set(prefix(8, 10, 0, 0, 0), Uint8Array.of(8))
      map.set(prefix(16, 10, 1, 0, 0), Uint8Array.of(16))
      expect(map.get(prefix(32, 10, 1, 2, 3))).to.deep.equal(Uint8Array.of(16))
      expect(map.get(prefix(32, 10, 2, 2, 3))).to.deep.equal(Uint8Array.of(8))
      expect(map.get(prefix(32, 11, 0, 0, 1))).to.equal(undefined)
      expect(() => map.set(prefix(8, 12, 0, 0, 0), Uint8Array.of(1))).to.throw(LinuxError)
      expect(map.delete(prefix(16, 10, 1, 0, 0))).to.equal(true)
      expect(map.delete(prefix(16, 10, 1, 0, 0))).to.equal(false)
      expect(map.get(prefix(32, 10, 1, 2, 3))).to.deep.equal(Uint8Array.of(8))
    } finally {
      map.close()
    }
  })

  it('says what the verifier says', () => {
    const unsafe = new BpfAssembler().load('u32', R0, R1, 4000).exit().assemble()
    expect(() => new BpfProgram('unsafe', unsafe)).to.throw(
      LinuxError,
      /verifier says:[\s\S]*invalid bpf_context/,
    )
    expect(() => new BpfProgram('unsafe', new BpfAssembler().exit().assemble())).to.throw(/R0 !read_ok/)
  })
})
