import { expect } from 'chai'
import { describe, it } from 'mocha'
import { NAME_LIMIT, NamedResources } from '../../engine/named-resources.ts'
import { OWNER_LIMIT, Owners, ROUTER_OWNER } from '../../engine/owners.ts'

describe('NamedResources', () => {
  function names(): { owners: Owners; names: NamedResources; plugin: number } {
    const owners = new Owners()
    return { owners, names: new NamedResources(owners), plugin: owners.numberOf('plugin') }
  }

  it('knows things by owner, kind and name', () => {
    const { names: all, plugin } = names()
    all.bind(0, 'tunnel', 'x', 1, 'at')
    all.bind(plugin, 'tunnel', 'x', 2, 'at')
    all.bind(plugin, 'filter', 'x', 3, 'at')
    expect([
      all.find(0, 'tunnel', 'x'),
      all.find(plugin, 'tunnel', 'x'),
      all.find(plugin, 'filter', 'x'),
    ]).to.deep.equal([1, 2, 3])
    expect(all.find(plugin, 'class', 'x')).to.equal(undefined)
    expect(() => all.bind(plugin, 'tunnel', 'x', 4, 'at')).to.throw('at: tunnel x exists already')
    expect([...all.all()].map(({ owner, kind, number }) => [owner, kind, number])).to.deep.equal([
      [ROUTER_OWNER, 'tunnel', 1],
      ['plugin', 'tunnel', 2],
      ['plugin', 'filter', 3],
    ])
  })

  it("lets one owner name what is another's, but not take it away", () => {
    const { names: all, plugin } = names()
    all.bind(0, 'tunnel', 'x', 1, 'at')
    expect(all.resolve(plugin, 'tunnel', 'router/x', 'at')).to.equal(1)
    expect(() => all.resolve(plugin, 'tunnel', 'nobody/x', 'at')).to.throw('at: no tunnel "nobody/x"')
    expect(() => all.unbind(plugin, 'tunnel', 'router/x', 'at')).to.throw('at: no tunnel "router/x"')
    expect([all.holds(plugin, 'tunnel', 'router/x'), all.holds(0, 'tunnel', 'x')]).to.deep.equal([
      false,
      true,
    ])
    expect([all.isHeld('tunnel', 'x'), all.isHeld('filter', 'x')]).to.deep.equal([true, false])
    expect(all.unbind(0, 'tunnel', 'x', 'at')).to.equal(1)
    expect(all.isHeld('tunnel', 'x')).to.equal(false)
  })

  it('refuses names that are none, and more than an owner may have', () => {
    const { names: all, plugin } = names()
    for (const name of ['', 'a b', 'a/b', 'ü', 'x'.repeat(129), 'a\n', null as unknown as string])
      expect(() => all.bind(plugin, 'filter', name, 1, 'at'), JSON.stringify(name))
        .to.throw()
        .that.includes({ code: 'invalid', place: 'at' })
    for (let i = 0; i < NAME_LIMIT; i++) all.bind(plugin, 'filter', `f${i}`, i, 'at')
    expect(() => all.bind(plugin, 'filter', 'more', 1, 'at'))
      .to.throw()
      .that.includes({ code: 'limit' })
    all.bind(0, 'filter', 'more', 1, 'at')
  })
})

describe('Owners', () => {
  it('numbers owners as they come, the router first, and never twice', () => {
    const owners = new Owners()
    expect([
      owners.numberOf(ROUTER_OWNER),
      owners.numberOf('a'),
      owners.numberOf('b'),
      owners.numberOf('a'),
    ]).to.deep.equal([0, 1, 2, 1])
    expect([owners.size, owners.find('b'), owners.find('c'), owners.nameOf(1)]).to.deep.equal([
      3,
      2,
      undefined,
      'a',
    ])
  })

  it('refuses what is no name, and more than it can number', () => {
    const owners = new Owners()
    for (const name of ['', '.a', 'a b', 'a/b', 'x'.repeat(129)])
      expect(() => owners.numberOf(name))
        .to.throw()
        .that.includes({ code: 'invalid' })
    for (let i = 1; i < OWNER_LIMIT; i++) owners.numberOf(`o${i}`)
    expect(() => owners.numberOf('more'))
      .to.throw()
      .that.includes({ code: 'limit' })
    expect(owners.size).to.equal(OWNER_LIMIT)
  })
})
