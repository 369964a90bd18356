import { expect } from 'chai'
import { describe, it } from 'mocha'
import { EngineError } from '../../../engine/errors.ts'
import { NONE } from '../../../engine/packet.ts'
import type { ClassReport } from '../../../engine/scheduler/traffic-class.ts'
import { makeLink } from './models/link.ts'

type Link = ReturnType<typeof makeLink>

const named = (link: Link, name: string): ClassReport => {
  const found = link.classes.report().find((each) => each.name === name)
  if (found === undefined) throw new Error(`no class ${name}`)
  return found
}

/** Sends everything that waits and says how often each leaf's first byte count came: by packet length. */
function drain(link: Link, now = 0): number[] {
  const lengths: number[] = []
  for (let packet = link.scheduler.dequeue(now); packet !== NONE; packet = link.scheduler.dequeue(now)) {
    lengths.push(link.lengthOf(packet))
    link.slab.release(packet)
  }
  return lengths
}

const refused = (code: string, make: () => void) =>
  expect(make).to.throw(EngineError).with.property('code', code)

describe('ClassTree (R-SLR-26)', () => {
  describe('when it is new', () => {
    it('has the default class alone, which takes every label', () => {
      const link = makeLink()
      expect(link.classes.size).to.equal(1)
      expect(link.classes.leafOf(NONE)).to.equal(link.classes.defaultLeaf)
      expect(link.classes.leafOf(7)).to.equal(link.classes.defaultLeaf)
      expect(link.classes.report().map(({ name, weight }) => [name, weight])).to.deep.equal([['default', 1]])
    })

    it('takes the settings of the default class from its maker', () => {
      const link = makeLink({ defaultClass: { weight: 3, limitPackets: 2, dropPolicy: 'codel' } })
      expect(named(link, 'default').weight).to.equal(3)
      expect(named(link, 'default').queue).to.include({ limitPackets: 2, dropPolicy: 'codel' })
    })
  })

  describe('when classes are created', () => {
    it('finds leaves by label and falls back to the default class', () => {
      const link = makeLink()
      link.classes.create({ name: 'web', weight: 2 }, 5, 0)
      link.classes.create({ name: 'audio', weight: 3 }, 100, 0)
      const leaves = [5, 100, 6, 101, -1].map((label) => link.classes.leafOf(label))
      expect(new Set(leaves.slice(0, 2)).size).to.equal(2)
      expect(leaves.slice(2)).to.deep.equal(new Array(3).fill(link.classes.defaultLeaf))
      expect(link.classes.has('web')).to.equal(true)
    })

    it('shares the link as the classes say: 20, 30 and 50 per cent', () => {
      const link = makeLink()
      const classOf = new Map<number, string>()
      for (const [label, weight] of [20, 30, 50].entries()) {
        link.classes.create({ name: `class-${weight}`, weight }, label, 0)
        for (const packet of link.fill(label, 200, 1500)) classOf.set(packet, 'XYZ'[label])
      }
      const first = Array.from({ length: 100 }, () => classOf.get(link.scheduler.dequeue(0)))
      expect(first.join('')).to.equal('XYZZYZXZYZ'.repeat(10))
    })

    it('refuses names and labels that exist, unknown parents and values out of bounds, and changes nothing', () => {
      const link = makeLink()
      const { classes } = link
      classes.create({ name: 'web', weight: 1 }, 1, 0)
      const before = JSON.stringify(classes.report())
      refused('exists', () => classes.create({ name: 'web', weight: 1 }, 2, 0))
      refused('exists', () => classes.create({ name: 'default', weight: 1 }, 2, 0))
      refused('exists', () => classes.create({ name: 'other', weight: 1 }, 1, 0))
      refused('unknown', () => classes.create({ name: 'other', weight: 1, parent: 'none' }, 2, 0))
      refused('invalid', () => classes.create({ name: 'other', weight: 0 }, 2, 0))
      refused('invalid', () => classes.create({ name: 'other', weight: 1 }, 1.5, 0))
      refused('invalid', () => classes.create({ name: 'other', weight: 1, limitPackets: 0 }, 2, 0))
      refused('invalid', () => classes.create({ name: 'other', weight: 1, ceiling: { rateBps: 0 } }, 2, 0))
      refused('invalid', () =>
        classes.create({ name: 'a', weight: 0, parent: 'web', ceiling: { rateBps: 1e6 } }, 2, 0),
      )
      expect(JSON.stringify(classes.report())).to.equal(before)
      expect(classes.leafOf(2)).to.equal(classes.defaultLeaf)
      classes.create({ name: 'other', weight: 1 }, 2, 0)
      expect(classes.leafOf(2)).to.not.equal(classes.defaultLeaf)
    })

    it('limits how many there are and how deep', () => {
      const link = makeLink({ limitClasses: 40 })
      const chain = Array.from({ length: 32 }, (_, level) => `level-${level}`)
      for (const [level, name] of chain.entries())
        link.classes.create(
          { name, weight: 1, ...(level === 0 ? {} : { parent: chain[level - 1] }) },
          level,
          0,
        )
      refused('limit', () => link.classes.create({ name: 'deeper', weight: 1, parent: 'level-31' }, 50, 0))
      link.fill(31, 1)
      expect(drain(link)).to.deep.equal([1000])
      for (let i = 0; i < 7; i++) link.classes.create({ name: `more-${i}`, weight: 1 }, 60 + i, 0)
      expect(link.classes.size).to.equal(40)
      refused('limit', () => link.classes.create({ name: 'one', weight: 1 }, 99, 0))
    })
  })

  describe('when a class with packets gets a child', () => {
    it('keeps its packets and its share, and a queue of its own beside the child’s', () => {
      const link = makeLink()
      link.classes.create({ name: 'x', weight: 1 }, 1, 0)
      link.classes.create({ name: 'y', weight: 1 }, 2, 0)
      link.fill(1, 6, 100)
      link.fill(2, 12, 200)
      const first = link.scheduler.dequeue(0) // x's first packet is in service
      expect(link.lengthOf(first)).to.equal(100)
      link.classes.create({ name: 'x/a', weight: 1, parent: 'x' }, 3, 0)
      link.fill(3, 5, 100)
      expect(named(link, 'x').queue).to.include({ packets: 5, packetsIn: 6, packetsOut: 1 })
      expect(named(link, 'x/a')).to.include({ parent: 'x', weight: 1 })
      const lengths = drain(link)
      expect(lengths.length).to.equal(22)
      // Bytes of x and y stay level while both wait: 100 each to 200 each second time.
      expect(lengths.slice(0, 9).join(' ')).to.equal('200 100 100 200 100 100 200 100 100')
    })

    it('takes later packets of its label into that queue', () => {
      const link = makeLink()
      link.classes.create({ name: 'x', weight: 1 }, 1, 0)
      link.classes.create({ name: 'x/a', weight: 1, parent: 'x' }, 2, 0)
      link.fill(1, 3)
      expect(named(link, 'x').queue.packets).to.equal(3)
      expect(named(link, 'default').queue.packets).to.equal(0)
    })

    it('moves the default class’s leaf as well', () => {
      const link = makeLink()
      link.fill(9, 3)
      link.classes.create({ name: 'inside', weight: 1, parent: 'default' }, 1, 0)
      link.fill(9, 2)
      expect(named(link, 'default').queue.packets).to.equal(5)
      expect(drain(link).length).to.equal(5)
    })
  })

  describe('when a class is changed', () => {
    it('takes new weight, limits and policy at once and loses no packet', () => {
      const link = makeLink()
      link.classes.create({ name: 'x', weight: 1 }, 1, 0)
      link.classes.create({ name: 'y', weight: 1 }, 2, 0)
      link.fill(1, 40, 1001)
      link.fill(2, 40, 1002)
      for (let i = 0; i < 10; i++) link.slab.release(link.scheduler.dequeue(0))
      link.classes.set('y', { weight: 3, limitPackets: 10, limitBytes: 20_000, dropPolicy: 'codel' }, 0)
      expect(named(link, 'y').queue).to.include({ limitPackets: 10, limitBytes: 20_000, packets: 35 })
      const lengths = drain(link)
      expect(lengths.length).to.equal(70)
      expect(lengths.slice(0, 40).filter((length) => length === 1002).length).to.be.within(29, 31)
    })

    it('gives a class a ceiling, another one, and takes it away', () => {
      const link = makeLink()
      link.classes.create({ name: 'x', weight: 1 }, 1, 0)
      link.fill(1, 100, 1000)
      link.classes.set('x', { ceiling: { rateBps: 8e6, burstBytes: 2000 } }, 0)
      expect(named(link, 'x').ceiling).to.deep.equal({ rateBps: 8e6, burstBytes: 2000 })
      expect(drain(link).length).to.equal(2)
      expect(link.scheduler.nextEligibleAt(0)).to.equal(1)
      expect(drain(link, 1).length).to.equal(1)
      link.classes.set('x', { weight: 2 }, 1)
      expect(named(link, 'x').ceiling?.rateBps).to.equal(8e6)
      expect(drain(link, 1).length).to.equal(0)
      link.classes.set('x', { ceiling: null }, 1)
      expect(named(link, 'x').ceiling).to.equal(undefined)
      expect(drain(link, 1).length).to.equal(97)
    })

    it('fills in a burst of 10 ms, at least two frames', () => {
      const link = makeLink()
      link.classes.create({ name: 'fast', weight: 1, ceiling: { rateBps: 1e9 } }, 1, 0)
      link.classes.create({ name: 'slow', weight: 1, ceiling: { rateBps: 1000.4 } }, 2, 0)
      expect(named(link, 'fast').ceiling).to.deep.equal({ rateBps: 1e9, burstBytes: 1_250_000 })
      expect(named(link, 'slow').ceiling).to.deep.equal({ rateBps: 1000, burstBytes: 3036 })
    })

    it('refuses unknown classes and bad values, and changes nothing', () => {
      const link = makeLink()
      link.classes.create({ name: 'x', weight: 1 }, 1, 0)
      const before = JSON.stringify(link.classes.report())
      refused('unknown', () => link.classes.set('none', { weight: 1 }, 0))
      refused('invalid', () => link.classes.set('x', { weight: -1, limitPackets: 5 }, 0))
      refused('invalid', () => link.classes.set('x', { weight: 2, limitPackets: 0 }, 0))
      refused('invalid', () => link.classes.set('x', { weight: 2, ceiling: { rateBps: Number.NaN } }, 0))
      expect(JSON.stringify(link.classes.report())).to.equal(before)
    })
  })

  describe('when a class is removed', () => {
    it('sends what waits, gives new packets to the default class, and is gone when it is empty', () => {
      const link = makeLink()
      link.classes.create({ name: 'x', weight: 1 }, 1, 0)
      link.fill(1, 3, 100)
      const leaf = link.classes.leafOf(1)
      link.classes.remove('x')
      expect(link.classes.has('x')).to.equal(false)
      expect(named(link, 'x').draining).to.equal(true)
      expect(link.classes.leafOf(1)).to.equal(link.classes.defaultLeaf)
      const late = link.packet(200)
      expect(link.scheduler.enqueue(late, leaf, 0)).to.equal(0)
      expect(named(link, 'default').queue.packets).to.equal(1)
      expect(drain(link).sort()).to.deep.equal([100, 100, 100, 200])
      expect(link.classes.size).to.equal(1)
      expect(link.drops).to.deep.equal([])
    })

    it('waits for the packet in service', () => {
      const link = makeLink()
      link.classes.create({ name: 'x', weight: 1 }, 1, 0)
      link.fill(1, 1)
      link.scheduler.dequeue(0)
      link.classes.remove('x')
      expect(link.classes.size).to.equal(2)
      link.scheduler.complete(10)
      expect(link.classes.size).to.equal(1)
    })

    it('lets the name and the label be used again at once', () => {
      const link = makeLink()
      link.classes.create({ name: 'x', weight: 1 }, 1, 0)
      link.fill(1, 2, 100)
      link.classes.remove('x')
      link.classes.create({ name: 'x', weight: 1 }, 1, 0)
      link.fill(1, 2, 200)
      expect(link.classes.size).to.equal(3)
      expect(drain(link).length).to.equal(4)
      expect(link.classes.size).to.equal(2)
      refused('unknown', () => link.classes.remove('y'))
    })

    it('keeps its ceiling while it drains, and counts against the limit', () => {
      const link = makeLink({ limitClasses: 2 })
      const ceiling = { rateBps: 8e6, burstBytes: 1000 }
      link.classes.create({ name: 'x', weight: 1, ceiling }, 1, 0)
      link.fill(1, 3, 1000)
      link.classes.remove('x')
      expect(drain(link).length).to.equal(1)
      refused('limit', () => link.classes.create({ name: 'z', weight: 1 }, 1, 0))
      expect(drain(link, 3_000_000).length).to.equal(1)
      expect(drain(link, 6_000_000).length).to.equal(1)
      link.classes.create({ name: 'z', weight: 1 }, 1, 6_000_000)
    })

    it('refuses the default class and classes with children', () => {
      const link = makeLink()
      link.classes.create({ name: 'x', weight: 1 }, 1, 0)
      link.classes.create({ name: 'x/a', weight: 1, parent: 'x' }, 2, 0)
      refused('in-use', () => link.classes.remove('default'))
      refused('in-use', () => link.classes.remove('x'))
      expect(['x', 'x/a', 'y'].map((name) => link.classes.childrenOf(name))).to.deep.equal([1, 0, 0])
      expect(link.classes.get('x/a')).to.deep.equal(named(link, 'x/a'))
      expect(link.classes.get('y')).to.equal(undefined)
      link.classes.remove('x/a')
      link.classes.remove('x')
      expect(link.classes.size).to.equal(1)
    })

    it('goes after children that still drain, whichever is empty first', () => {
      for (const [own, child] of [
        [1, 3],
        [3, 1],
        [0, 2],
        [2, 0],
      ]) {
        const link = makeLink()
        link.classes.create({ name: 'x', weight: 1 }, 1, 0)
        link.classes.create({ name: 'x/a', weight: 1, parent: 'x' }, 2, 0)
        link.fill(1, own, 100)
        link.fill(2, child, 100)
        link.classes.remove('x/a')
        link.classes.remove('x')
        refused('unknown', () => link.classes.create({ name: 'b', weight: 1, parent: 'x' }, 3, 0))
        expect(drain(link).length).to.equal(own + child)
        expect(link.classes.size, `${own} and ${child}`).to.equal(1)
      }
    })
  })
})
