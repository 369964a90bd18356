import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { Certificate } from '../../../execution-env/certificates/certificate.ts'
import { Fields, readDer, TAG, writeDer } from '../../../execution-env/certificates/der.ts'
import {
  integer,
  integerFromHex,
  objectIdentifier,
  readBoolean,
  readInteger,
  readNamedBits,
  readObjectIdentifier,
  readSerial,
  readTime,
  sequence,
  text,
  time,
} from '../../../execution-env/certificates/der-values.ts'
import { CertificateError } from '../../../execution-env/certificates/errors.ts'
import { RevocationList } from '../../../execution-env/certificates/revocation-list.ts'
import { signDetached } from '../../../execution-env/certificates/signed-data.ts'
import { readSignedData } from '../../../execution-env/certificates/signed-data-reader.ts'
import { edKey, leaf, list, NOW, root } from './kit.ts'

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
const read = (hex: string) => readDer(bytes(hex), 1_000)

function refuses(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    if (error instanceof CertificateError) return
    throw error
  }
  throw new Error('accepted')
}

/** Whether `read` accepts or refuses with a CertificateError; anything else is a failure. */
function survives(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
  }
}

describe('DER', () => {
  describe('readDer', () => {
    it('gives back the bytes it was given', () => {
      const whole = writeDer(
        sequence(integer(5), text(TAG.utf8String, 'é'), objectIdentifier('1.2.840.113549')),
      )
      expect(writeDer(readDer(whole, 100))).to.deep.equal(whole)
    })

    const refused: readonly [string, string][] = [
      ['nothing', ''],
      ['a cut off length', '3082'],
      ['a cut off value', '0403aabb'],
      ['something behind the end', '020101ff'],
      ['a long form of a short length', '02810101'],
      ['a length with leading zeros', '0482000100'],
      ['an indefinite length', '30800201010000'],
      ['an integer with a needless zero', '02020001'],
      ['an integer with needless ones', '0202ffff'],
      ['a length beyond memory', '0484ffffffff00'],
    ]
    for (const [what, hex] of refused) it(`refuses ${what}`, () => refuses(() => read(hex)))

    it('bounds depth and size', () => {
      let nested: Uint8Array = Uint8Array.of(0x05, 0x00)
      for (let level = 0; level < 22; level++) nested = Uint8Array.of(0x30, nested.length, ...nested)
      expect(readDer(nested, 1_000).constructed).to.equal(true)
      for (let level = 0; level < 4; level++) nested = Uint8Array.of(0x30, nested.length, ...nested)
      refuses(() => readDer(nested, 1_000))
      refuses(() => readDer(new Uint8Array(11), 10))
    })

    it('survives any bytes', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (data) => survives(() => readDer(data, 1_000))),
        { numRuns: 1_000 },
      )
    })
  })

  describe('values', () => {
    it('read as they were written', () => {
      for (const value of [0, 1, 127, 128, 255, 256, 0x7fffffff])
        expect(readInteger(integer(value))).to.equal(value)
      for (const serial of ['01', '7f', '80', 'ff00', 'ffffffffffffffffffffffffffffffffffffff'])
        expect(readSerial(integerFromHex(serial))).to.equal(serial)
      for (const name of ['2.5.4.3', '1.3.6.1.4.1.32473.1.2.4', '2.16.840.1.101.3.4.2.1'])
        expect(readObjectIdentifier(objectIdentifier(name))).to.equal(name)
    })

    it('write times before 2050 with two digits of the year and later ones with four', () => {
      for (const date of [
        '1970-01-01T00:00:00Z',
        '1999-12-31T23:59:59Z',
        '2049-12-31T23:59:59Z',
        '2050-01-01T00:00:00Z',
        '9999-12-31T23:59:59Z',
      ])
        expect(readTime(time(Date.parse(date))), date).to.equal(Date.parse(date))
      expect(time(Date.parse('2049-12-31T23:59:59Z')).value).to.equal('491231235959Z')
      expect(time(Date.parse('2050-01-01T00:00:00Z')).value).to.equal('20500101000000Z')
    })

    it('are refused in other forms', () => {
      for (const digits of [
        '990230000000Z',
        '9901010000Z',
        '990101000000+0100',
        '990101000060Z',
        '991301000000Z',
      ])
        refuses(() => readTime(text(TAG.utcTime, digits)))
      refuses(() => readTime(text(TAG.generalizedTime, '20260101000000.5Z')))
      refuses(() => readTime(text(TAG.utf8String, '20260101000000Z')))
      refuses(() => readInteger(read('0201ff')))
      refuses(() => readInteger(read('02050100000000')))
      refuses(() => readSerial(read('020100')))
      refuses(() => readBoolean(read('010101')))
      refuses(() => readNamedBits(read('030108')))
      refuses(() => readNamedBits(read('0300')))
    })

    it('never take one object identifier for another', () => {
      // 2.5.4.3 with a padded subidentifier, cut off within one, and one beyond 32 bits.
      for (const hex of ['0604558004' + '03', '0603550484', '060955048fffffffffff03', '0600'])
        expect(readObjectIdentifier(read(hex)), hex).to.match(/^unknown:/)
    })
  })

  describe('Fields', () => {
    it('hands out parts in order and refuses what is missing, of another type, or left over', () => {
      const fields = () => new Fields(sequence(integer(1), text(TAG.utf8String, 'a')), TAG.sequence, 'pair')
      const pair = fields()
      expect(readInteger(pair.take(TAG.integer, 'number'))).to.equal(1)
      expect(pair.optional(TAG.integer)).to.equal(undefined)
      expect(pair.done).to.equal(false)
      refuses(() => pair.end())
      refuses(() => fields().take(TAG.set, 'set'))
      refuses(() => new Fields(sequence(), TAG.sequence, 'nothing').any('part'))
      refuses(() => new Fields(integer(1), TAG.sequence, 'number'))
    })
  })

  describe('when the whole of a certificate, a list or a signature is damaged', () => {
    const top = root({ name: 'Ed25519 root', key: edKey('root') })
    const signer = leaf(top, { key: edKey('signer') })
    const content = Uint8Array.of(1, 2, 3)
    const wholes: readonly [string, Uint8Array, (damaged: Uint8Array) => unknown][] = [
      ['certificate', signer.certificate.der, (damaged) => new Certificate(damaged)],
      [
        'list',
        list(top, { '10': { atMs: NOW, reason: 'superseded' }, '80': { atMs: NOW, reason: 'unspecified' } })
          .der,
        (damaged) => new RevocationList(damaged),
      ],
      ['signature', signDetached(content, signer, NOW), readSignedData],
    ]
    for (const [what, whole, reader] of wholes)
      it(`a ${what} is refused or read, and nothing else happens`, () => {
        const position = fc.nat(whole.length - 1)
        fc.assert(
          fc.property(
            fc.array(fc.tuple(position, fc.nat(255)), { minLength: 1, maxLength: 3 }),
            (changes) => {
              const damaged = Uint8Array.from(whole)
              for (const [at, value] of changes) damaged[at] = value
              survives(() => reader(damaged))
            },
          ),
          { numRuns: 500 },
        )
        for (let length = 0; length < whole.length; length += 7) refuses(() => reader(whole.slice(0, length)))
      })
  })
})
