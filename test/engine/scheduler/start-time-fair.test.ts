import { expect } from 'chai'
import { describe, it } from 'mocha'
import { EngineError } from '../../../engine/errors.ts'
import { NO_NODE, ROOT, StartTimeFair } from '../../../engine/scheduler/start-time-fair.ts'
import { constantServer, simulate } from './models/discipline.ts'
import { EngineDiscipline } from './models/engine-discipline.ts'
import { FlatModel } from './models/start-time-model.ts'

/** `count` packets of each flow, all there from the beginning. */
function allAtOnce(flows: number, count: number, length: number) {
  return Array.from({ length: count * flows }, (_, i) => ({ at: 0, flow: i % flows, length }))
}

/** Serves the leaf in turn once and says which it was and with which start tag. */
function serve(fair: StartTimeFair, length: number, backlogged = true): [number, number] {
  const leaf = fair.pick()
  const tag = leaf === NO_NODE ? Number.NaN : fair.startTag(leaf)
  if (leaf !== NO_NODE) fair.account(length, backlogged)
  return [leaf, tag]
}

describe('StartTimeFair', () => {
  describe('when all flows are backlogged (R-SLR-26)', () => {
    it('serves weights 1, 2, 3 in the order of the theory, ties to the lower node', () => {
      // 1500-byte packets: 1500, 750 and 500 are exact doubles, thirds are not.
      const engine = EngineDiscipline.flat([1, 2, 3])
      const served = simulate(engine, allAtOnce(3, 12, 1500), constantServer(1))
      const order = served.map(({ flow }) => flow + 1).join('')
      expect(order).to.equal('123323123323123323123323122122111111')
      const firstTags = engine.startTags.slice(0, 7).map((tag) => tag / 1500)
      expect(firstTags).to.deep.equal([0, 0, 0, 500 / 1500, 750 / 1500, 1000 / 1500, 1])
    })

    it('has the finish tags of the vector: every next start of a backlogged flow is its last finish', () => {
      const model = new FlatModel([1, 2, 3])
      simulate(model, allAtOnce(3, 12, 1), constantServer(1))
      const shown = model.tags.slice(0, 7).map(({ flow, start, finish }) => `${flow + 1}(${start},${finish})`)
      expect(shown.join(' ')).to.equal('1(0,1) 2(0,1/2) 3(0,1/3) 3(1/3,2/3) 2(1/2,1) 3(2/3,1) 1(1,2)')
      const engine = EngineDiscipline.flat([1, 2, 3])
      simulate(engine, allAtOnce(3, 12, 1500), constantServer(1))
      expect(engine.startTags).to.deep.equal(model.tags.map(({ start }) => start.toNumber() * 1500))
    })

    it('gives 20, 30 and 50 of the first hundred packets, XYZZYZXZYZ over and over', () => {
      const served = simulate(EngineDiscipline.flat([20, 30, 50]), allAtOnce(3, 200, 1500), constantServer(1))
      const names = served.slice(0, 100).map(({ flow }) => 'XYZ'[flow])
      expect(names.join('')).to.equal('XYZZYZXZYZ'.repeat(10))
      expect(['X', 'Y', 'Z'].map((name) => names.filter((each) => each === name).length)).to.deep.equal([
        20, 30, 50,
      ])
    })

    it('ranks the packets of the published PIFO vector 0, 2 and 0, 1, 2', () => {
      const engine = EngineDiscipline.flat([1, 1])
      const arrivals = [2, 2, 1, 1, 1].map((length, i) => ({ at: 0, flow: i < 2 ? 0 : 1, length }))
      const served = simulate(engine, arrivals, constantServer(1))
      const ranks = (flow: number) => engine.startTags.filter((_, i) => served[i].flow === flow)
      expect(ranks(0)).to.deep.equal([0, 2])
      expect(ranks(1)).to.deep.equal([0, 1, 2])
    })
  })

  describe('when the length is known only after the service (R-SLR-26, processor time)', () => {
    it('replays the two threads of weights 1 and 2: blocking, an idle processor, waking during a quantum', () => {
      const fair = new StartTimeFair()
      const a = fair.addNode(ROOT, 1)
      const b = fair.addNode(ROOT, 2)
      const log: string[] = []
      const quantum = (at: number, runnable = true, during?: () => void): void => {
        const leaf = fair.pick()
        const start = fair.startTag(leaf)
        during?.()
        fair.account(10, runnable)
        log.push(`${at}${leaf === a ? 'A' : 'B'}(${start},${start + 10 / fair.weightOf(leaf)})`)
      }
      fair.activate(a)
      fair.activate(b)
      quantum(0)
      quantum(10)
      quantum(20)
      quantum(30)
      quantum(40)
      quantum(50, false) // B blocks at 60
      quantum(60)
      quantum(70)
      quantum(80, false) // A blocks at 90: the processor is idle
      expect(fair.virtualTime(ROOT)).to.equal(50)
      expect(fair.pick()).to.equal(NO_NODE)
      fair.activate(a) // 110
      expect(fair.startTag(a)).to.equal(50)
      quantum(110, true, () => {
        fair.activate(b) // 115, in the middle of A's quantum
        expect(fair.startTag(b)).to.equal(50)
      })
      quantum(120)
      quantum(130)
      expect(log.join(' ')).to.equal(
        '0A(0,10) 10B(0,5) 20B(5,10) 30A(10,20) 40B(10,15) 50B(15,20) ' +
          '60A(20,30) 70A(30,40) 80A(40,50) 110A(50,60) 120B(50,55) 130B(55,60)',
      )
    })

    it('charges what a blocked leaf used, not what it asked for', () => {
      const fair = new StartTimeFair()
      const [a, b] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 1)]
      fair.activate(a)
      fair.activate(b)
      expect(fair.pick()).to.equal(a)
      fair.deactivate(a) // blocks in service
      expect(fair.startTag(a)).to.equal(0)
      fair.account(4, false)
      expect(fair.startTag(a)).to.be.NaN
      expect(serve(fair, 10)).to.deep.equal([b, 0])
      fair.activate(a) // v is 0: its own finish tag counts
      expect(fair.startTag(a)).to.equal(4)
    })
  })

  describe('when a flow arrives during a service', () => {
    it('starts at the start tag in service, not at the finish tag', () => {
      const fair = new StartTimeFair()
      const [busy, late] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 1)]
      fair.activate(busy)
      serve(fair, 1000)
      expect(fair.pick()).to.equal(busy)
      expect(fair.virtualTime(ROOT)).to.equal(1000)
      fair.activate(late)
      expect(fair.startTag(late)).to.equal(1000)
      fair.account(1000, true)
      expect(serve(fair, 1000)).to.deep.equal([late, 1000])
    })

    it('keeps what is in service on top of the queue even when a lower node ties with it', () => {
      const fair = new StartTimeFair()
      const [low, high] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 1)]
      fair.activate(high)
      expect(fair.pick()).to.equal(high)
      fair.activate(low)
      fair.account(100, true)
      expect(serve(fair, 100)).to.deep.equal([low, 0])
      expect(serve(fair, 100)).to.deep.equal([low, 100])
      expect(serve(fair, 100)).to.deep.equal([high, 100])
    })
  })

  describe('when a busy period ends', () => {
    it('sets v to the largest finish tag served, which is not always the last one', () => {
      const fair = new StartTimeFair()
      const [slow, fast] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 10)]
      fair.activate(slow)
      fair.activate(fast)
      expect(serve(fair, 1000, false)).to.deep.equal([slow, 0]) // F = 1000
      expect(serve(fair, 1000, false)).to.deep.equal([fast, 0]) // F = 100
      expect(fair.virtualTime(ROOT)).to.equal(1000)
      fair.activate(fast)
      fair.activate(slow)
      expect([fair.startTag(fast), fair.startTag(slow)]).to.deep.equal([1000, 1000])
    })

    it('lets no old finish tag hold a flow back', () => {
      const fair = new StartTimeFair()
      const [a, b] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 1)]
      fair.activate(a)
      for (let i = 0; i < 50; i++) serve(fair, 1000)
      serve(fair, 1000, false) // F of a = 51000, idle
      fair.activate(a)
      fair.activate(b)
      const order = Array.from({ length: 6 }, () => serve(fair, 1000)[0])
      expect(order).to.deep.equal([a, b, a, b, a, b])
    })
  })

  describe('when classes are nested', () => {
    it('shares each node among its children alone', () => {
      // The OSDI example: weights 2 and 6 beside a node of weight 1; below the first, 1 and 3.
      const fair = new StartTimeFair()
      const [x, y] = [fair.addNode(ROOT, 2), fair.addNode(ROOT, 6)]
      const [x1, x3] = [fair.addNode(x, 1), fair.addNode(x, 3)]
      for (const leaf of [y, x1, x3]) fair.activate(leaf)
      const used = new Map<number, number>()
      for (let i = 0; i < 8000; i++) {
        const [leaf] = serve(fair, 1200)
        used.set(leaf, (used.get(leaf) ?? 0) + 1)
      }
      expect([used.get(y), used.get(x1), used.get(x3)]).to.deep.equal([6000, 500, 1500])
    })

    it('serves leaves thirty levels down', () => {
      const fair = new StartTimeFair()
      const down = (from: number): number => {
        let node = from
        for (let level = 0; level < 30; level++) node = fair.addNode(node, 1)
        return node
      }
      const [a, b] = [down(ROOT), down(ROOT)]
      fair.activate(a)
      fair.activate(b)
      const order = Array.from({ length: 6 }, () => serve(fair, 10)[0])
      expect(order).to.deep.equal([a, b, a, b, a, b])
    })
  })

  describe('when weights change while packets wait', () => {
    it('loses no backlog and shares by the new weights from the next service on', () => {
      const fair = new StartTimeFair()
      const [a, b] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 1)]
      fair.activate(a)
      fair.activate(b)
      for (let i = 0; i < 10; i++) serve(fair, 1500)
      fair.setWeight(b, 4)
      const used = new Map<number, number>()
      for (let i = 0; i < 1000; i++) {
        const [leaf] = serve(fair, 1500)
        used.set(leaf, (used.get(leaf) ?? 0) + 1)
      }
      expect(used.get(b)).to.be.within(799, 801)
      expect(used.get(a)).to.be.within(199, 201)
    })

    it('counts a service in progress at the new weight', () => {
      const fair = new StartTimeFair()
      const a = fair.addNode(ROOT, 1)
      fair.activate(a)
      fair.pick()
      fair.setWeight(a, 3)
      fair.account(1500, true)
      expect(fair.startTag(a)).to.equal(500)
    })
  })

  describe('when a node is suspended', () => {
    it('counts as not backlogged: siblings share its part and it collects no credit', () => {
      const fair = new StartTimeFair()
      const [a, b, c] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 1), fair.addNode(ROOT, 1)]
      for (const leaf of [a, b, c]) fair.activate(leaf)
      for (let i = 0; i < 3; i++) serve(fair, 100)
      fair.suspend(b)
      expect(fair.startTag(b)).to.be.NaN
      const meanwhile = Array.from({ length: 8 }, () => serve(fair, 100)[0])
      expect(meanwhile).to.deep.equal([a, c, a, c, a, c, a, c])
      fair.resume(b)
      const after = Array.from({ length: 6 }, () => serve(fair, 100)[0])
      // It starts at v, the start tag served last: level with the others but for the one in service then.
      expect(after).to.deep.equal([b, a, b, c, a, b])
    })

    it('changes no tag when it is resumed before anything was served', () => {
      const fair = new StartTimeFair()
      const [a, b] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 1)]
      fair.activate(a)
      fair.activate(b)
      serve(fair, 100)
      serve(fair, 70)
      fair.suspend(b)
      fair.resume(b)
      expect([fair.startTag(a), fair.startTag(b)]).to.deep.equal([100, 70])
    })

    it('takes an interior node out with all below it, and its parent when nothing else is there', () => {
      const fair = new StartTimeFair()
      const outer = fair.addNode(ROOT, 1)
      const inner = fair.addNode(outer, 1)
      const leaf = fair.addNode(inner, 1)
      const other = fair.addNode(ROOT, 1)
      fair.activate(leaf)
      fair.suspend(inner)
      expect(fair.backlogged).to.equal(false)
      expect(fair.pick()).to.equal(NO_NODE)
      fair.activate(other)
      expect(serve(fair, 100, false)[0]).to.equal(other)
      fair.resume(inner)
      expect(fair.backlogged).to.equal(true)
      expect(serve(fair, 100)[0]).to.equal(leaf)
    })

    it('lets a service in progress end first', () => {
      const fair = new StartTimeFair()
      const outer = fair.addNode(ROOT, 1)
      const [a, b] = [fair.addNode(outer, 1), fair.addNode(ROOT, 1)]
      fair.activate(a)
      fair.activate(b)
      expect(fair.pick()).to.equal(a)
      fair.suspend(outer)
      fair.account(100, true)
      expect(serve(fair, 100)[0]).to.equal(b)
      expect(serve(fair, 100)[0]).to.equal(b)
      fair.resume(outer)
      expect(serve(fair, 100)[0]).to.equal(a)
    })

    it('resumed during its service, it was never suspended', () => {
      const fair = new StartTimeFair()
      const a = fair.addNode(ROOT, 1)
      fair.activate(a)
      fair.pick()
      fair.suspend(a)
      fair.resume(a)
      fair.account(100, true)
      expect(serve(fair, 100)).to.deep.equal([a, 100])
    })

    it('remembers backlog that comes during the suspension', () => {
      const fair = new StartTimeFair()
      const a = fair.addNode(ROOT, 1)
      fair.suspend(a)
      fair.activate(a)
      expect(fair.pick()).to.equal(NO_NODE)
      fair.resume(a)
      expect(fair.pick()).to.equal(a)
    })
  })

  describe('when the tree changes', () => {
    it('gives a leaf with backlog a child in its place, also in the middle of its service', () => {
      for (const inService of [false, true]) {
        const fair = new StartTimeFair()
        const [a, b] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 1)]
        fair.activate(a)
        fair.activate(b)
        if (inService) expect(fair.pick()).to.equal(a)
        const own = fair.split(a, 1)
        const more = fair.addNode(a, 1)
        if (inService) {
          expect(fair.serving).to.equal(own)
          fair.account(100, true)
        } else expect(serve(fair, 100)[0]).to.equal(own)
        fair.activate(more)
        const order = Array.from({ length: 7 }, () => serve(fair, 100)[0])
        expect(order).to.deep.equal([b, more, b, own, b, more, b])
      }
    })

    it('splits an idle leaf, a suspended one, and one whose last packet is in service', () => {
      const fair = new StartTimeFair()
      const idle = fair.addNode(ROOT, 1)
      expect(fair.parentOf(fair.split(idle, 1))).to.equal(idle)
      const held = fair.addNode(ROOT, 1)
      fair.activate(held)
      fair.suspend(held)
      const below = fair.split(held, 1)
      expect(fair.pick()).to.equal(NO_NODE)
      fair.resume(held)
      expect(fair.pick()).to.equal(below)
      fair.deactivate(below)
      const deeper = fair.split(below, 1)
      expect(fair.serving).to.equal(deeper)
      fair.account(10, false)
      expect(fair.backlogged).to.equal(false)
    })

    it('takes a removed leaf out of the middle of the queue', () => {
      const fair = new StartTimeFair()
      const leaves = Array.from({ length: 20 }, () => fair.addNode(ROOT, 1))
      for (const leaf of leaves) fair.activate(leaf)
      for (const leaf of [leaves[7], leaves[0], leaves[19]]) fair.removeNode(leaf)
      const order = Array.from({ length: 17 }, () => serve(fair, 10)[0])
      expect(order).to.deep.equal(leaves.filter((_, i) => ![0, 7, 19].includes(i)))
    })

    it('uses numbers of removed nodes again without their past', () => {
      const fair = new StartTimeFair()
      const a = fair.addNode(ROOT, 1)
      fair.activate(a)
      fair.suspend(a)
      fair.removeNode(a)
      const again = fair.addNode(ROOT, 2)
      expect(again).to.equal(a)
      expect(fair.pick()).to.equal(NO_NODE)
      fair.activate(again)
      expect(serve(fair, 10)).to.deep.equal([again, 0])
      expect(fair.size).to.equal(2)
    })

    it('ends a busy period when the last leaf is withdrawn', () => {
      const fair = new StartTimeFair()
      const inner = fair.addNode(ROOT, 1)
      const [a, b] = [fair.addNode(inner, 1), fair.addNode(ROOT, 1)]
      fair.activate(a)
      serve(fair, 100)
      fair.deactivate(a)
      expect(fair.backlogged).to.equal(false)
      expect(fair.virtualTime(ROOT)).to.equal(100)
      expect(fair.virtualTime(inner)).to.equal(100)
      fair.activate(b)
      expect(fair.startTag(b)).to.equal(100)
    })

    it('grows to many children without disturbing those that wait', () => {
      const fair = new StartTimeFair({ initial: 1, limit: 5000 })
      const leaves: number[] = []
      for (let i = 0; i < 4000; i++) {
        leaves.push(fair.addNode(ROOT, 1 + (i % 3)))
        fair.activate(leaves[i])
      }
      const order = Array.from({ length: 4000 }, () => serve(fair, 600)[0])
      expect(order).to.deep.equal(leaves)
      const inner = fair.addNode(ROOT, 1)
      const below = Array.from({ length: 998 }, () => fair.addNode(inner, 1))
      expect(() => fair.addNode(ROOT, 1))
        .to.throw(EngineError)
        .with.property('code', 'limit')
      for (const leaf of below) fair.removeNode(leaf)
      expect(fair.childrenOf(inner)).to.equal(0)
    })

    it('refuses what it cannot do', () => {
      const fair = new StartTimeFair()
      const parent = fair.addNode(ROOT, 1)
      const leaf = fair.addNode(parent, 1)
      for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e-7, 1e7]) {
        expect(() => fair.addNode(ROOT, weight))
          .to.throw(EngineError)
          .with.property('code', 'invalid')
        expect(() => fair.setWeight(leaf, weight))
          .to.throw(EngineError)
          .with.property('code', 'invalid')
      }
      expect(() => fair.removeNode(parent))
        .to.throw(EngineError)
        .with.property('code', 'in-use')
      expect(() => fair.removeNode(ROOT))
        .to.throw(EngineError)
        .with.property('code', 'in-use')
      fair.activate(leaf)
      expect(() => fair.addNode(leaf, 1))
        .to.throw(EngineError)
        .with.property('code', 'in-use')
      expect(() => fair.account(1, true)).to.throw('no service')
      fair.pick()
      expect(() => fair.pick()).to.throw('in progress')
      expect(() => fair.removeNode(leaf))
        .to.throw(EngineError)
        .with.property('code', 'in-use')
      expect(() => fair.account(Number.NaN, true)).to.throw('length')
      expect(() => fair.activate(parent)).to.throw('leaf')
    })
  })

  describe('when it has served for a very long time', () => {
    it('never runs out of digits: tiny steps count beside terabytes without an idle moment', () => {
      const fair = new StartTimeFair()
      const [old, heavy, light] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 1e6), fair.addNode(ROOT, 1e6)]
      fair.activate(old)
      // 2^53 units of virtual time: without moving the tags back, 64 / 1e6 would no longer change a double.
      for (let i = 0; i < 2 ** 13; i++) serve(fair, 2 ** 40)
      expect(fair.virtualTime(ROOT)).to.be.closeTo(2 ** 53, 2 ** 41)
      fair.activate(heavy)
      fair.activate(light)
      const used = new Map<number, number>()
      for (let i = 0; i < 10_000; i++) {
        const [leaf] = serve(fair, 64)
        used.set(leaf, (used.get(leaf) ?? 0) + 1)
      }
      expect(used.get(heavy)).to.be.within(4990, 5010)
      expect(used.get(light)).to.be.within(4990, 5010)
    })

    it('keeps the order exact when tags are moved back between backlogged flows', () => {
      // Lengths so large that tags pass 2^26 every few services.
      const engine = EngineDiscipline.flat([1, 2, 3])
      const served = simulate(engine, allAtOnce(3, 600, 3 * 2 ** 25), constantServer(1))
      const model = new FlatModel([1, 2, 3])
      const expected = simulate(model, allAtOnce(3, 600, 3 * 2 ** 25), constantServer(1))
      expect(served).to.deep.equal(expected)
      expect(engine.startTags).to.deep.equal(model.tags.map(({ start }) => start.toNumber()))
    })

    it('keeps count of virtual time when a busy period with moved tags ends', () => {
      const fair = new StartTimeFair()
      const a = fair.addNode(ROOT, 1)
      fair.activate(a)
      for (let i = 0; i < 9; i++) serve(fair, 2 ** 26 + 1)
      serve(fair, 5, false)
      expect(fair.virtualTime(ROOT)).to.equal(9 * (2 ** 26 + 1) + 5)
      fair.activate(a)
      expect(fair.startTag(a)).to.equal(9 * (2 ** 26 + 1) + 5)
    })

    it('changes no tag when a flow is suspended and resumed after tags were moved back', () => {
      const fair = new StartTimeFair()
      const [busy, ahead] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 1)]
      fair.activate(busy)
      fair.activate(ahead)
      serve(fair, 2 ** 25)
      serve(fair, 2 ** 28)
      while (fair.startTag(busy) < 2 ** 27) serve(fair, 2 ** 25)
      fair.suspend(ahead)
      fair.resume(ahead)
      expect(fair.startTag(ahead)).to.equal(2 ** 28)
    })

    it('remembers the finish tag of a flow that pauses while tags are moved back', () => {
      const fair = new StartTimeFair()
      const [busy, pauses] = [fair.addNode(ROOT, 1), fair.addNode(ROOT, 1)]
      fair.activate(busy)
      fair.activate(pauses)
      serve(fair, 2 ** 25) // busy: next start 2^25
      serve(fair, 2 ** 28, false) // pauses with F = 2^28
      while (fair.startTag(busy) < 2 ** 27) serve(fair, 2 ** 25) // moved back meanwhile
      fair.activate(pauses)
      expect(fair.startTag(pauses)).to.equal(2 ** 28)
    })
  })
})
