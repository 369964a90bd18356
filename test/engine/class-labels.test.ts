import { expect } from 'chai'
import { describe, it } from 'mocha'
import { ClassLabels } from '../../engine/class-labels.ts'

describe('ClassLabels', () => {
  it('gives a name one label as long as anyone uses it', () => {
    const labels = new ClassLabels(2)
    const gold = labels.labelOf('gold', 'at')
    labels.retain(gold)
    expect([labels.labelOf('gold', 'at'), labels.nameOf(gold), labels.size]).to.deep.equal([gold, 'gold', 1])
  })

  it('takes back labels that nobody uses when no new one is left, and refuses when all are used', () => {
    const labels = new ClassLabels(2)
    labels.retain(labels.labelOf('gold', 'at'))
    const tried = labels.labelOf('tried', 'at')
    const used = labels.labelOf('used', 'at')
    expect(used).to.equal(tried)
    labels.retain(used)
    expect(() => labels.labelOf('more', 'changes[0].class')).to.throw('changes[0].class: more than 2 names')
    labels.release(used)
    expect([labels.size, labels.nameOf(labels.labelOf('more', 'at'))]).to.deep.equal([1, 'more'])
  })

  it('refuses what is no name', () => {
    const labels = new ClassLabels()
    for (const name of ['', 'x'.repeat(129), 7 as unknown as string])
      expect(() => labels.labelOf(name, 'at')).to.throw('at: expected a name')
  })
})
