import { expect } from 'chai'
import { describe, it } from 'mocha'
import { compileFilter, type Filter, protocolNumber } from '../../../engine/classifier/filter.ts'
import { EngineError } from '../../../engine/errors.ts'

const compile = (filter: Filter) => compileFilter(filter, (name) => (name === 'eth1' ? 1 : undefined), 'f')

describe('compileFilter', () => {
  it('leaves open what is not given', () => {
    expect(compile({})).to.deep.equal({
      sourceValue: 0,
      sourceMask: 0,
      destinationValue: 0,
      destinationMask: 0,
      protocol: -1,
      sourcePortFrom: 0,
      sourcePortTo: 65535,
      destinationPortFrom: 0,
      destinationPortTo: 65535,
      inPort: -1,
    })
  })

  it('takes addresses, prefixes and pairs of value and mask (decision 5)', () => {
    expect(compile({ from: '198.18.0.80' })).to.include({ sourceValue: 0xc6120050, sourceMask: 0xffffffff })
    expect(compile({ from: '198.18.5.6/15' })).to.include({ sourceValue: 0xc6120000, sourceMask: 0xfffe0000 })
    expect(compile({ to: '0.0.0.0/0' })).to.include({ destinationValue: 0, destinationMask: 0 })
    expect(compile({ to: { value: '128.0.0.2', mask: '255.0.0.3' } })).to.include({
      destinationValue: 0x80000002,
      destinationMask: 0xff000003,
    })
  })

  it('takes protocols, ports, ranges and ports of the router', () => {
    expect(
      compile({ protocol: 'tcp', fromPort: 7, toPort: { from: 0, to: 1023 }, inPort: 'eth1' }),
    ).to.include({
      protocol: 6,
      sourcePortFrom: 7,
      sourcePortTo: 7,
      destinationPortFrom: 0,
      destinationPortTo: 1023,
      inPort: 1,
    })
    expect(
      ['udp', 'icmp', 'igmp', 'ip-in-ip', 0, 255].map((each) => protocolNumber(each as 'udp')),
    ).to.deep.equal([17, 1, 2, 4, 0, 255])
  })

  describe('when a value is wrong', () => {
    const wrong: readonly [string, Filter, string, string][] = [
      ['an address', { from: '10.0.0' }, 'invalid', 'f.from'],
      ['a prefix', { to: '10.0.0.0/33' }, 'invalid', 'f.to'],
      ['a mask', { from: { value: '10.0.0.0', mask: '8' } }, 'invalid', 'f.from'],
      ['bits outside the mask', { from: { value: '10.0.0.1', mask: '255.0.0.0' } }, 'invalid', 'f.from'],
      ['a protocol', { protocol: 256 }, 'invalid', 'f.protocol'],
      ['a port', { protocol: 'tcp', toPort: 65536 }, 'invalid', 'f.toPort'],
      ['a range', { protocol: 'tcp', fromPort: { from: 2, to: 1 } }, 'invalid', 'f.fromPort'],
      ['ports without a protocol that has them', { toPort: 80 }, 'invalid', 'f.protocol'],
      ['a port of the router', { inPort: 'eth9' }, 'unknown', 'f.inPort'],
    ]
    for (const [what, filter, code, place] of wrong)
      it(`refuses ${what} by name`, () => {
        expect(() => compile(filter))
          .to.throw(EngineError)
          .that.includes({ code, place })
      })
  })
})
