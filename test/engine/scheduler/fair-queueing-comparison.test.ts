import { expect } from 'chai'
import { describe, it } from 'mocha'
import { delayBound, lateness, unfairness } from './models/bounds.ts'
import { type Arrival, constantServer, type Discipline, type Service, simulate } from './models/discipline.ts'
import { EngineDiscipline } from './models/engine-discipline.ts'
import { Fraction } from './models/fraction.ts'
import { selfClocked, WeightedFairModel } from './models/other-disciplines.ts'

/** `count` packets of one flow at one time. */
function burst(flow: number, count: number, length: number, at = 0): Arrival[] {
  return Array.from({ length: count }, () => ({ at, flow, length }))
}

const orderOf = (served: readonly Service[]): number[] => served.map(({ flow }) => flow)

describe('StartTimeFair beside SCFQ and WFQ (R-SLR-26)', () => {
  describe('when a flow of low rate wakes beside a busy one of high rate', () => {
    // Weights 10 and 1, packets of 10 units, one unit a tick. The slow flow arrives during the first packet.
    const weights = [10, 1]
    const arrivals = [...burst(0, 20, 10), { at: 5, flow: 1, length: 10 }]
    const placeOfSlow = (discipline: Discipline): number =>
      orderOf(simulate(discipline, arrivals, constantServer(1))).indexOf(1)

    it('serves it next, for its start tag is that in service', () => {
      expect(placeOfSlow(EngineDiscipline.flat(weights))).to.equal(1)
    })

    it('differs from SCFQ, where it waits for eleven packets: tags up to 1 + 10 and the tie', () => {
      expect(placeOfSlow(selfClocked(weights))).to.equal(11)
    })

    it('differs from WFQ, where it waits for ten: its finish is 0.5 + 10 in the fluid virtual time', () => {
      expect(placeOfSlow(new WeightedFairModel(weights, Fraction.of(1)))).to.equal(10)
    })
  })

  describe('when the server is slower than its nominal rate', () => {
    // One unit a tick is promised, a fifth of it is there. Equal weights; the second flow starts later.
    const arrivals = [...burst(0, 60, 10), ...burst(1, 30, 10, 600)]
    const slow = constantServer(5)
    const served = (discipline: Discipline): Service[] => simulate(discipline, arrivals, slow)
    const share = (services: readonly Service[]): number => {
      const both = services.filter(({ start, finish }) => start >= 600 && finish <= 600 + 20 * 50)
      return both.filter(({ flow }) => flow === 1).length / both.length
    }

    it('stays fair', () => {
      const services = served(EngineDiscipline.flat([1, 1]))
      expect(unfairness(services, [0], 1, [1], 1)).to.be.at.most(1)
      expect(share(services)).to.be.within(0.45, 0.55)
    })

    it('differs from WFQ, which starves the flow that came later', () => {
      const services = served(new WeightedFairModel([1, 1], Fraction.of(1)))
      expect(unfairness(services, [0], 1, [1], 1)).to.be.above(5)
      expect(share(services)).to.equal(0)
    })
  })

  describe('when 70 flows of 1 Mb/s and 200 of 64 kb/s share 100 Mb/s in packets of 200 bytes', () => {
    const bits = 1600
    const capacityBps = 100e6
    const milliseconds = (seconds: number): number => Math.round(seconds * 1e6) / 1e3

    it('has delay bounds that differ from WFQ by 20.696 ms and -2.704 ms, from SCFQ by 24.984 ms', () => {
      const startTime = delayBound.startTime(bits, capacityBps, 270)
      expect(milliseconds(delayBound.weighted(bits, capacityBps, 64e3) - startTime)).to.equal(20.696)
      expect(milliseconds(delayBound.weighted(bits, capacityBps, 1e6) - startTime)).to.equal(-2.704)
      expect(milliseconds(delayBound.selfClocked(bits, capacityBps, 270, 64e3) - startTime)).to.equal(24.984)
    })

    /**
     * The worst case, in ticks of 0.5 us (16 us a packet, 32 ticks): all others backlogged from time 0, a filler
     * among them so that the rates sum to the capacity, and one packet of the flow looked at (the last, so that it
     * loses ties) at tick 1. Returns its delay in seconds.
     */
    const worstDelay = (rateKbps: number, make: (weights: number[]) => Discipline): number => {
      const others = [
        ...new Array<number>(70).fill(1000),
        ...new Array<number>(200).fill(64),
        100_000 - 70_000 - 12_800,
      ]
      others.splice(others.indexOf(rateKbps), 1)
      const arrivals = others.flatMap((rate, flow) => burst(flow, Math.ceil(rate / 30) + 2, 32))
      const looked = { at: 1, flow: others.length, length: 32 }
      const weights = [...others, rateKbps]
      const served = simulate(
        make(weights),
        [...arrivals, looked].sort((a, b) => a.at - b.at),
        constantServer(1),
      )
      const packet = served.find(({ flow }) => flow === looked.flow)
      if (packet === undefined) throw new Error('the packet was not served')
      return (packet.finish - packet.arrival) * 0.5e-6
    }
    const weighted = (weights: number[]): Discipline => new WeightedFairModel(weights, Fraction.of(1))
    const flows = 271
    const packetTime = bits / capacityBps

    it('delays a packet of a slow flow less than WFQ and SCFQ, by what the bounds say', () => {
      const startTime = worstDelay(64, EngineDiscipline.flat)
      expect(startTime).to.be.at.most(delayBound.startTime(bits, capacityBps, flows))
      const gain = worstDelay(64, weighted) - startTime
      const expected =
        delayBound.weighted(bits, capacityBps, 64e3) - delayBound.startTime(bits, capacityBps, flows)
      // Whole packets instead of a fluid: near the bounds' difference, not on it.
      expect(gain).to.be.closeTo(expected, 0.1 * expected)
      const gainOverSelfClocked = worstDelay(64, selfClocked) - startTime
      const most = bits / 64e3 - packetTime
      expect(gainOverSelfClocked).to.be.within(0.75 * most, most)
    })

    it('delays a packet of a fast flow more than WFQ, by what the bounds say', () => {
      const startTime = worstDelay(1000, EngineDiscipline.flat)
      const loss = worstDelay(1000, weighted) - startTime
      const expected =
        delayBound.weighted(bits, capacityBps, 1e6) - delayBound.startTime(bits, capacityBps, flows)
      expect(loss).to.be.closeTo(expected, 0.1 * -expected)
    })
  })

  describe('when a flow keeps to its rate', () => {
    it('meets its expected arrivals within the bound, as SCFQ does not', () => {
      // The slow flow sends a packet of 10 each 110 ticks: its share of 1 in 11 of a unit a tick.
      const weights = [10, 1]
      const slow = Array.from({ length: 20 }, (_, i) => ({ at: 5 + i * 110, flow: 1, length: 10 }))
      const arrivals = [...burst(0, 300, 10), ...slow].sort((a, b) => a.at - b.at)
      const server = { rate: 1, delta: 0 }
      const late = (discipline: Discipline): number =>
        lateness(simulate(discipline, arrivals, constantServer(1)), 1, 1 / 11, server, 10)
      expect(late(EngineDiscipline.flat(weights))).to.be.at.most(1)
      expect(late(selfClocked(weights))).to.be.above(3)
    })
  })
})
