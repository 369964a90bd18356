import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { MILLISECOND, NEVER, SECOND } from '../../../engine/clock.ts'
import { dropCode } from '../../../engine/drop-reason.ts'
import { EngineError } from '../../../engine/errors.ts'
import { NONE } from '../../../engine/packet.ts'
import { makeLink } from './models/link.ts'

/** Sends at `rateBps` from `from` until `until` as an engine does, and counts bytes by label. */
function transmit(
  link: ReturnType<typeof makeLink>,
  owners: Map<number, number>,
  from: number,
  until: number,
  rateBps: number,
  refill?: (label: number, now: number) => void,
): Map<number, number> {
  const sent = new Map<number, number>()
  let now = from
  while (now < until) {
    const packet = link.scheduler.dequeue(now)
    if (packet === NONE) {
      now = Math.max(now + 1, link.scheduler.nextEligibleAt(now))
      continue
    }
    const bytes = link.lengthOf(packet)
    const label = owners.get(packet) ?? NONE
    sent.set(label, (sent.get(label) ?? 0) + bytes)
    link.slab.release(packet)
    const readyAt = now + (bytes * 8e9) / rateBps
    link.scheduler.busyUntil(readyAt)
    refill?.(label, now)
    now = readyAt
  }
  return sent
}

describe('LinkScheduler (R-PR-03, R-SLR-26)', () => {
  describe('when packets wait in several classes', () => {
    it('sends each class in its order and shares the link fairly, whatever the lengths', () => {
      const link = makeLink()
      link.classes.create({ name: 'a', weight: 1 }, 0, 0)
      link.classes.create({ name: 'b', weight: 3 }, 1, 0)
      const owners = new Map<number, number>()
      const order: number[][] = [[], []]
      const add = (label: number, now: number): void => {
        const [packet] = link.fill(label, 1, label === 0 ? 1500 : 90, now)
        owners.set(packet, label)
        order[label].push(packet)
      }
      for (let i = 0; i < 50; i++) for (const label of [0, 1]) add(label, 0)
      const sent = transmit(link, owners, 0, 100 * MILLISECOND, 100e6, add)
      const difference = (sent.get(0) ?? 0) / 1 - (sent.get(1) ?? 0) / 3
      expect(Math.abs(difference)).to.be.at.most(1500 / 1 + 90 / 3)
      expect((sent.get(0) ?? 0) + (sent.get(1) ?? 0)).to.be.at.least(100e6 / 8 / 10 - 1500)
    })

    it('says NONE when nothing waits', () => {
      const link = makeLink()
      expect(link.scheduler.dequeue(0)).to.equal(NONE)
      expect(link.scheduler.nextEligibleAt(0)).to.equal(NEVER)
      link.fill(NONE, 1)
      expect(link.scheduler.packets).to.equal(1)
      expect(link.scheduler.nextEligibleAt(5)).to.equal(5)
      expect(link.scheduler.dequeue(5)).to.not.equal(NONE)
      expect(link.scheduler.dequeue(6)).to.equal(NONE)
    })

    it('refuses a packet for a full queue and leaves it to the caller', () => {
      const link = makeLink()
      link.classes.create({ name: 'a', weight: 1, limitPackets: 1 }, 0, 0)
      link.fill(0, 1)
      const packet = link.packet(100)
      expect(link.scheduler.enqueue(packet, link.classes.leafOf(0), 0)).to.equal(
        dropCode('queue-packet-limit'),
      )
      expect(link.drops).to.deep.equal([])
      link.slab.release(packet)
    })
  })

  describe('when a packet arrives during a transmission', () => {
    /** Class a sends 1000 bytes until `ends`; b's packet comes at `at`; then both have more. Who is next? */
    const nextAfter = (ends: number | undefined, at: number): number[] => {
      const link = makeLink()
      link.classes.create({ name: 'a', weight: 1 }, 0, 0)
      link.classes.create({ name: 'b', weight: 1 }, 1, 0)
      const label = new Map<number, number>()
      const add = (to: number, bytes: number, now: number) => label.set(link.fill(to, 1, bytes, now)[0], to)
      add(0, 1000, 0)
      link.scheduler.dequeue(0)
      if (ends !== undefined) link.scheduler.busyUntil(ends)
      add(1, 100, at)
      for (let i = 0; i < 12; i++) add(1, 100, at)
      add(0, 1000, at)
      return Array.from({ length: 12 }, () => label.get(link.scheduler.dequeue(at + 1)) ?? NONE)
    }

    it('starts at the start tag in service: it has ten packets before the other’s next', () => {
      expect(nextAfter(80, 40)).to.deep.equal([...new Array(10).fill(1), 0, 1])
    })

    it('starts at the finish tag when the link was idle already', () => {
      // The service ended at 80: v is 1000 for both, ties to the lower leaf.
      expect(nextAfter(80, 80)).to.deep.equal([0, ...new Array(11).fill(1)])
      expect(nextAfter(80, 500)).to.deep.equal([0, ...new Array(11).fill(1)])
    })

    it('counts as during the transmission until the caller says when that ends', () => {
      expect(nextAfter(undefined, 500)).to.deep.equal([...new Array(10).fill(1), 0, 1])
    })
  })

  describe('when the service is completed', () => {
    it('needs no dequeue to see that the link is idle', () => {
      const link = makeLink()
      link.classes.create({ name: 'a', weight: 1 }, 0, 0)
      link.classes.create({ name: 'b', weight: 1 }, 1, 0)
      link.fill(0, 1, 1000)
      link.scheduler.dequeue(0)
      link.scheduler.complete(10)
      link.scheduler.complete(11)
      const [late] = link.fill(1, 1, 100, 20)
      const [next] = link.fill(0, 1, 100, 20)
      expect([link.scheduler.dequeue(21), link.scheduler.dequeue(22)]).to.deep.equal([next, late])
    })
  })

  describe('when classes have ceilings', () => {
    const rateBps = 100e6

    /** Three classes, always backlogged, for a second; the first has a ceiling of 10 Mb/s. */
    const shares = (nested: boolean): number[] => {
      const link = makeLink()
      const ceiling = { rateBps: 10e6, burstBytes: 3000 }
      const inner = nested ? { parent: 'outer' } : { ceiling }
      if (nested) link.classes.create({ name: 'outer', weight: 1, ceiling }, 9, 0)
      link.classes.create({ name: 'a', weight: 1, ...inner }, 0, 0)
      link.classes.create({ name: 'b', weight: 1 }, 1, 0)
      link.classes.create({ name: 'c', weight: 2 }, 2, 0)
      const owners = new Map<number, number>()
      const add = (label: number, now: number): void => {
        for (const packet of link.fill(label, 1, 500 + 300 * label, now)) owners.set(packet, label)
      }
      for (let i = 0; i < 30; i++) for (const label of [0, 1, 2]) add(label, 0)
      const sent = transmit(link, owners, 0, SECOND, rateBps, add)
      expect(link.scheduler.suspensions).to.be.above(100)
      return [0, 1, 2].map((label) => ((sent.get(label) ?? 0) * 8) / 1e6)
    }

    for (const nested of [false, true])
      it(`holds ${nested ? 'all below it' : 'a class'} to its rate and gives the rest to the others by weight`, () => {
        const [a, b, c] = shares(nested)
        expect(a).to.be.within(9.97, 10 + (3000 + 500) * 8e-6)
        expect(a + b + c).to.be.within(99.9, 100.1)
        expect(c / b).to.be.within(1.99, 2.01)
      })

    it('says when the next packet may go', () => {
      const link = makeLink()
      link.classes.create({ name: 'a', weight: 1, ceiling: { rateBps: 8e6, burstBytes: 1000 } }, 0, 0)
      link.fill(0, 3, 1000)
      expect(link.scheduler.nextEligibleAt(0)).to.equal(0)
      expect(link.scheduler.dequeue(0)).to.not.equal(NONE)
      expect(link.scheduler.dequeue(0)).to.equal(NONE)
      expect(link.scheduler.nextEligibleAt(0)).to.equal(1)
      expect(link.scheduler.dequeue(1)).to.not.equal(NONE)
      expect(link.scheduler.dequeue(2)).to.equal(NONE)
      // In debt by 999 bytes and a bit.
      expect(link.scheduler.nextEligibleAt(2)).to.equal(1_000_001)
      expect(link.scheduler.dequeue(1_000_000)).to.equal(NONE)
      expect(link.scheduler.dequeue(1_000_001)).to.not.equal(NONE)
    })

    it('never holds back a class whose ceiling is above what it can send', () => {
      const link = makeLink()
      link.classes.create({ name: 'a', weight: 1, ceiling: { rateBps: 1e9, burstBytes: 1 } }, 0, 0)
      link.classes.create({ name: 'b', weight: 1 }, 1, 0)
      const owners = new Map<number, number>()
      for (const label of [0, 1]) for (const packet of link.fill(label, 400, 1000)) owners.set(packet, label)
      const sent = transmit(link, owners, 0, 50 * MILLISECOND, rateBps)
      expect(sent.get(0)).to.be.within((sent.get(1) ?? 0) - 1000, (sent.get(1) ?? 0) + 1000)
    })
  })

  describe('when a suspension is over before the service ends', () => {
    it('never was one: no busy period ends, and no debt of a sibling is forgiven', () => {
      const link = makeLink()
      link.classes.create({ name: 'a', weight: 1, ceiling: { rateBps: 1e9, burstBytes: 1 } }, 0, 0)
      link.classes.create({ name: 'b', weight: 1 }, 1, 0)
      const owners = new Map<number, number>()
      const add = (label: number, count: number, bytes: number, now: number): void => {
        for (const packet of link.fill(label, count, bytes, now)) owners.set(packet, label)
      }
      add(0, 20, 100, 0)
      add(1, 1, 1000, 0)
      let now = 0
      const send = (): number => {
        const packet = link.scheduler.dequeue(now)
        now += link.lengthOf(packet) * 80
        link.scheduler.busyUntil(now)
        return owners.get(packet) ?? NONE
      }
      expect([send(), send(), send(), send()]).to.deep.equal([0, 1, 0, 0])
      add(1, 2, 100, now - 1) // its finish tag is 1000, a goes on from 300 and wins the tie
      expect(Array.from({ length: 9 }, send)).to.deep.equal([0, 0, 0, 0, 0, 0, 0, 0, 1])
    })

    it('forgets when it was to end once the ceiling is gone', () => {
      const link = makeLink()
      const ceiling = { rateBps: 8e6, burstBytes: 1 }
      link.classes.create({ name: 'a', weight: 1, ceiling }, 0, 0)
      link.classes.create({ name: 'b', weight: 1, ceiling }, 1, 0)
      link.fill(0, 1, 1001)
      link.fill(1, 2, 2001)
      for (let i = 0; i < 2; i++) expect(link.scheduler.dequeue(0)).to.not.equal(NONE)
      expect(link.scheduler.dequeue(0)).to.equal(NONE)
      expect(link.scheduler.nextEligibleAt(0)).to.equal(1_000_001)
      link.classes.set('a', { ceiling: null }, 0)
      expect(link.scheduler.nextEligibleAt(0)).to.equal(2_000_001)
    })
  })

  describe('when the port goes down', () => {
    it('throws all that waits away under the given reason', () => {
      const link = makeLink()
      link.classes.create({ name: 'a', weight: 1 }, 0, 0)
      link.classes.create({ name: 'gone', weight: 1 }, 1, 0)
      link.fill(NONE, 2)
      link.fill(0, 3)
      link.fill(1, 4)
      link.slab.release(link.scheduler.dequeue(0))
      link.classes.remove('gone')
      link.scheduler.purge(dropCode('port-down'), 5)
      expect(link.drops.map(({ code, at }) => [code, at])).to.deep.equal(
        new Array(8).fill([dropCode('port-down'), 5]),
      )
      expect([link.scheduler.packets, link.slab.available, link.classes.size]).to.deep.equal([0, 1024, 2])
      expect(link.scheduler.dequeue(6)).to.equal(NONE)
      link.fill(0, 1)
      expect(link.scheduler.dequeue(7)).to.not.equal(NONE)
    })
  })

  describe('when classes and traffic change at random', () => {
    it('has every packet sent, dropped, refused or queued at all times, and each leaf in order', () => {
      const names = ['a', 'b', 'c', 'd', 'e']
      const name = fc.constantFrom(...names)
      const label = fc.nat(names.length)
      const ceiling = fc.option(fc.record({ rateBps: fc.integer({ min: 1e6, max: 1e9 }) }), { nil: null })
      const what = <T extends string>(value: T) => fc.constant(value)
      const step = fc.oneof(
        {
          weight: 8,
          arbitrary: fc.record({ do: what('enqueue'), label, bytes: fc.integer({ min: 60, max: 1514 }) }),
        },
        { weight: 6, arbitrary: fc.record({ do: what('dequeue'), busy: fc.boolean() }) },
        { weight: 2, arbitrary: fc.record({ do: what('wait'), ns: fc.nat(2_000_000) }) },
        {
          weight: 2,
          arbitrary: fc.record({ do: what('create'), name, parent: fc.option(name, { nil: undefined }) }),
        },
        {
          weight: 1,
          arbitrary: fc.record({ do: what('set'), name, weight: fc.integer({ min: 1, max: 9 }), ceiling }),
        },
        { weight: 1, arbitrary: fc.record({ do: what('remove'), name }) },
        { weight: 1, arbitrary: fc.record({ do: what('complete') }) },
      )
      fc.assert(
        fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
          const link = makeLink({ capacity: 128, limitClasses: 8, codel: { targetNs: 1e5, intervalNs: 5e5 } })
          const { scheduler, classes, slab } = link
          let now = 0
          let offered = 0
          let refused = 0
          let sent = 0
          const queued = new Map<number, { owner: number; order: number }>()
          // Each class that was ever created has a number; packets of one leave in their order.
          const live = new Map<number, number>()
          const lastSent = new Map<number, number>()
          let created = 0
          for (const each of steps) {
            try {
              if (each.do === 'wait') now += each.ns
              else if (each.do === 'complete') scheduler.complete(now)
              else if (each.do === 'create') {
                const parent = each.parent === undefined ? {} : { parent: each.parent }
                const policy = { dropPolicy: each.name < 'c' ? ('codel' as const) : ('tail' as const) }
                const request = { name: each.name, weight: 1 + names.indexOf(each.name), limitPackets: 30 }
                classes.create({ ...request, ...policy, ...parent }, names.indexOf(each.name), now)
                live.set(names.indexOf(each.name), ++created)
              } else if (each.do === 'set')
                classes.set(each.name, { weight: each.weight, ceiling: each.ceiling }, now)
              else if (each.do === 'remove') {
                classes.remove(each.name)
                live.delete(names.indexOf(each.name))
              } else if (each.do === 'enqueue' && slab.available > 0) {
                const packet = link.packet(each.bytes)
                queued.set(packet, { owner: live.get(each.label) ?? 0, order: offered++ })
                if (scheduler.enqueue(packet, classes.leafOf(each.label), now) !== 0) {
                  refused++
                  queued.delete(packet)
                  slab.release(packet)
                }
              } else if (each.do === 'dequeue') {
                const packet = scheduler.dequeue(now)
                if (packet === NONE) expect(scheduler.nextEligibleAt(now)).to.be.above(now)
                else {
                  const was = queued.get(packet)
                  if (was === undefined) throw new Error('a packet came out that was not queued')
                  expect(was.order).to.be.above(lastSent.get(was.owner) ?? -1)
                  lastSent.set(was.owner, was.order)
                  queued.delete(packet)
                  slab.release(packet)
                  sent++
                  if (each.busy) scheduler.busyUntil(now + 1000)
                }
              }
            } catch (error) {
              if (!(error instanceof EngineError)) throw error
            }
            for (const { packet } of link.drops.splice(0)) {
              expect(queued.delete(packet), 'a dropped packet was queued').to.equal(true)
              refused++
            }
            expect(offered).to.equal(sent + refused + scheduler.packets)
            expect(queued.size).to.equal(scheduler.packets)
            expect(slab.available).to.equal(128 - scheduler.packets)
          }
          // Whatever happened, all that waits gets out once there is time.
          for (let turns = 0; scheduler.packets > 0; turns++) {
            expect(turns).to.be.below(2000)
            now = Math.max(now, scheduler.nextEligibleAt(now))
            const packet = scheduler.dequeue(now)
            if (packet !== NONE) slab.release(packet)
          }
          scheduler.complete(now)
          expect(classes.report().filter(({ draining }) => draining)).to.deep.equal([])
        }),
        { numRuns: 150 },
      )
    })
  })
})
