import { expect } from 'chai'
import { describe, it } from 'mocha'
import { hint, nearest } from '../../lab/index.ts'

describe('nearest', () => {
  const words = ['addresses', 'gateway', 'routes', 'clients', 'services']

  it('finds a word with a slip', () => {
    expect(nearest('adresses', words)).to.equal('addresses')
    expect(nearest('gatewya', words)).to.equal('gateway')
    expect(nearest('Routes', words)).to.equal('routes')
  })

  it('finds nothing where nothing is near', () => {
    expect(nearest('xyz', words)).to.equal(undefined)
    expect(nearest('', words)).to.equal(undefined)
    expect(nearest('a'.repeat(100_000), ['a'.repeat(100_000)])).to.equal(undefined)
  })

  it('hints only where there is something to say', () => {
    expect(hint('cleints', words)).to.equal('; did you mean clients?')
    expect(hint('zzz', words)).to.equal('')
  })
})
