import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  formatIpv4Address,
  formatMacAddress,
  parseIpv4Address,
  parseIpv4Prefix,
  parseMacAddress,
  prefixMask,
} from '../../../engine/wire/index.ts'
import { anyAddress, mac } from './samples.ts'

describe('address', () => {
  it('reads the addresses it wrote, signed or unsigned', () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        expect(parseIpv4Address(formatIpv4Address(address))).to.equal(address)
        expect(parseIpv4Address(formatIpv4Address(address | 0))).to.equal(address)
      }),
    )
  })

  it('refuses what is not a dotted address', () => {
    for (const text of [
      '',
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
      '01.2.3.4',
      '1.2.3.4 ',
      '1.2.3.-4',
      'a.b.c.d',
      '1..2.3',
    ])
      expect(parseIpv4Address(text), text).to.equal(undefined)
  })

  it('reads prefixes, and bare addresses as /32', () => {
    expect(parseIpv4Prefix('10.1.2.3/8')).to.deep.equal({ address: 0x0a010203, length: 8 })
    expect(parseIpv4Prefix('0.0.0.0/0')).to.deep.equal({ address: 0, length: 0 })
    expect(parseIpv4Prefix('1.2.3.4')).to.deep.equal({ address: 0x01020304, length: 32 })
    for (const text of ['1.2.3.4/33', '1.2.3.4/', '1.2.3.4/08', '1.2.3.4/-1', '1.2.3/8', '/8'])
      expect(parseIpv4Prefix(text), text).to.equal(undefined)
  })

  it('has a mask for every prefix length', () => {
    for (let length = 0; length <= 32; length++)
      expect(prefixMask(length)).to.equal(2 ** 32 - 2 ** (32 - length))
  })

  it('reads the MACs it wrote', () => {
    fc.assert(
      fc.property(mac, (address) => {
        expect(parseMacAddress(formatMacAddress(address))).to.deep.equal(address)
      }),
    )
    for (const text of ['', '02:00:00:00:00', '02:00:00:00:00:0', '02-00-00-00-00-01', '02:00:00:00:00:0g'])
      expect(parseMacAddress(text), text).to.equal(undefined)
  })
})
