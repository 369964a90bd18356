import { expect } from 'chai'
import { describe, it } from 'mocha'
import { namespaceName, newLabId } from '../../../lab/netns/names.ts'

describe('names of a lab in namespaces', () => {
  it('are short however long the names of the file are, and never the same for two nodes', () => {
    const long = 'a'.repeat(64)
    const names = [0, 1, 9_999].map((index) => namespaceName(long, long, newLabId(), index))
    for (const name of names) expect(name.length, name).to.be.at.most(75)
    expect(new Set(names.map((name) => name.split('-').at(-1))).size).to.equal(3)
  })

  it('tell whose they are', () => {
    expect(namespaceName('two-servers', 's1', '00ff1a', 3)).to.equal('pronto-two-servers-s1-00ff1a-3')
    expect(newLabId()).to.match(/^[0-9a-f]{6}$/)
  })
})
