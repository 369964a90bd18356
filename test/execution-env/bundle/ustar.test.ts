import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { BundleError } from '../../../execution-env/bundle/errors.ts'
import { readArchive, writeArchive } from '../../../execution-env/bundle/ustar.ts'
import { requireLab, requireTool, runTool } from '../../support/oracle.ts'
import { codeOf } from './kit.ts'

const EXPECTED = [
  { name: 'a', maxBytes: 2_000, optional: false },
  { name: 'b.txt', maxBytes: 2_000, optional: false },
  { name: 'c', maxBytes: 2_000, optional: true },
]
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const ENTRIES = [
  { name: 'a', content: bytesOf('first') },
  { name: 'b.txt', content: bytesOf('x'.repeat(512)) },
]

describe('ustar', () => {
  it('reads back what it wrote, any content, in whole blocks', () => {
    const content = fc.uint8Array({ maxLength: 1_500 })
    fc.assert(
      fc.property(content, content, fc.option(content, { nil: undefined }), (a, b, c) => {
        const entries = [
          { name: 'a', content: a },
          { name: 'b.txt', content: b },
          ...(c === undefined ? [] : [{ name: 'c', content: c }]),
        ]
        const archive = writeArchive(entries)
        expect(archive.length % 512).to.equal(0)
        const found = readArchive(archive, EXPECTED)
        expect(
          found.map(({ name, content: each }) => ({ name, content: Uint8Array.from(each) })),
        ).to.deep.equal(entries)
        expect(writeArchive(entries)).to.deep.equal(archive)
      }),
      { numRuns: 100 },
    )
  })

  it('survives any bytes and any change', () => {
    const archive = writeArchive(ENTRIES)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        expect(codeOf(() => readArchive(bytes, EXPECTED))).to.not.equal('accepted')
      }),
      { numRuns: 300 },
    )
    const change = fc.tuple(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 }))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const damaged = Uint8Array.from(archive)
        for (const [at, mask] of changes) damaged[at]! ^= mask
        codeOf(() => readArchive(damaged, EXPECTED))
      }),
      { numRuns: 1_000 },
    )
  })

  it('names the entry and what is wrong with it', () => {
    const archive = writeArchive(ENTRIES)
    archive.set(bytesOf('0000755'), 100)
    const sum = archive
      .subarray(0, 512)
      .reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0)
    archive.set(bytesOf(sum.toString(8).padStart(6, '0')), 148)
    expect(() => readArchive(archive, EXPECTED)).to.throw(
      BundleError,
      'a: its mode is not the one a bundle has',
    )
  })

  it('is what GNU tar writes, and what it reads', function () {
    requireTool(this, 'tar')
    if (!runTool('tar', ['--version']).includes('GNU tar')) requireLab(this, 'tar is not GNU tar')
    const folder = mkdtempSync(join(tmpdir(), 'pronto-ustar-'))
    try {
      for (const { name, content } of ENTRIES) writeFileSync(join(folder, name), content)
      const options = [
        '--format=ustar',
        '--owner=0',
        '--group=0',
        '--numeric-owner',
        '--mtime=@0',
        '--mode=0644',
        '-b',
        '1',
      ]
      const made = spawnSync('tar', [...options, '-C', folder, '-cf', join(folder, 'out.tar'), 'a', 'b.txt'])
      expect(made.status, String(made.stderr)).to.equal(0)
      expect(Buffer.compare(readFileSync(join(folder, 'out.tar')), writeArchive(ENTRIES))).to.equal(0)
      expect(runTool('tar', ['-tvf', join(folder, 'out.tar')]).split('\n')[0]).to.match(
        /^-rw-r--r-- 0\/0 +5 .* a$/,
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
