import { expect } from 'chai'
import { describe, it } from 'mocha'
import { Random } from '../../../engine/random.ts'
import {
  backlogs,
  classServer,
  type FluctuationConstrained,
  lateness,
  longest,
  shortfall,
  unfairness,
} from './models/bounds.ts'
import { type Arrival, outageServer, type Service, simulate } from './models/discipline.ts'
import { EngineDiscipline } from './models/engine-discipline.ts'
import { FlatModel, type Mutation, TreeModel, type TreeNode } from './models/start-time-model.ts'

/**
 * The theorems of the papers, on random cases with a server that has outages, and the engine against models in
 * exact rationals. A tick is a nanosecond; the server sends a byte in 8 ticks when it is up.
 */
const TICKS_PER_BYTE = 8
const PERIOD = 200_000
const FLAT_CASES = 300
const TREE_CASES = 300

interface Case {
  readonly seed: number
  readonly arrivals: readonly Arrival[]
  readonly outage: number
  readonly server: FluctuationConstrained
}

/** Arrivals of bursts and pauses, from overload to mostly idle; `length` draws a packet's length. */
function randomArrivals(
  random: Random,
  flows: readonly number[],
  most: number,
  length: () => number,
): Arrival[] {
  const arrivals: Arrival[] = []
  const pause = flows.length * [5_000, 20_000, 50_000, 60_000][random.below(4)]
  for (const flow of flows) {
    let at = 0
    for (let count = 15 + random.below(most); count > 0; count--) {
      if (random.below(4) === 0) at += random.below(pause)
      arrivals.push({ at, flow, length: length() })
    }
  }
  return arrivals.sort((a, b) => a.at - b.at || a.flow - b.flow)
}

function randomCase(random: Random, seed: number, arrivals: readonly Arrival[]): Case {
  const outage = random.below(9) * 10_000
  const rate = (1 - outage / PERIOD) / TICKS_PER_BYTE
  return { seed, arrivals, outage, server: { rate, delta: rate * outage } }
}

/** Lengths and weights whose quotients are whole numbers, or any at all. */
function randomUnits(random: Random, exact: boolean): { weight: () => number; length: () => number } {
  if (!exact) return { weight: () => 1 + random.below(20), length: () => 40 + random.below(1461) }
  if (random.below(2) === 0)
    return { weight: () => 1 + random.below(8), length: () => 840 * (1 + random.below(3)) }
  return { weight: () => 2 ** random.below(7), length: () => 40 + random.below(1461) }
}

function flatCase(seed: number, exact: boolean): Case & { readonly weights: number[] } {
  const random = Random.fromSeed(seed)
  const { weight, length } = randomUnits(random, exact)
  const weights = Array.from({ length: 2 + random.below(6) }, weight)
  const flows = weights.map((_, flow) => flow)
  return { weights, ...randomCase(random, seed, randomArrivals(random, flows, 100, length)) }
}

/** Two to four classes, each with two to four children, some of which have children of their own. */
function treeCase(
  seed: number,
  exact: boolean,
): Case & { readonly tree: TreeNode[]; readonly leaves: number[] } {
  const random = Random.fromSeed(1_000_000 + seed)
  const { weight, length } = randomUnits(random, exact)
  const tree: TreeNode[] = [{ parent: -1, weight: 1 }]
  const add = (parent: number): number => tree.push({ parent, weight: weight() }) - 1
  for (let classes = 2 + random.below(3); classes > 0; classes--) {
    const top = add(0)
    for (let children = 1 + random.below(3); children > 0; children--) {
      const child = add(top)
      if (random.below(3) === 0) for (let below = 2; below > 0; below--) add(child)
    }
  }
  const leaves = tree.map((_, node) => node).filter((node) => !tree.some(({ parent }) => parent === node))
  return { tree, leaves, ...randomCase(random, seed, randomArrivals(random, leaves, 50, length)) }
}

const serverOf = ({ outage }: Case) => outageServer(TICKS_PER_BYTE, PERIOD, outage)

/** Rate of each weight when the weights share the server. */
function ratesOf(weights: readonly number[], rate: number): number[] {
  const sum = weights.reduce((total, each) => total + each, 0)
  return weights.map((each) => (rate * each) / sum)
}

/** The worst share of each bound that the flows of a flat case used. */
function worstOf(served: readonly Service[], rates: readonly number[], server: FluctuationConstrained) {
  const flows = rates.map((_, flow) => flow)
  const sum = flows.reduce((total, flow) => total + longest(served, [flow]), 0)
  let fairness = 0
  for (const one of flows)
    for (const two of flows.slice(one + 1))
      fairness = Math.max(fairness, unfairness(served, [one], rates[one], [two], rates[two]))
  const throughput = Math.max(...flows.map((flow) => shortfall(served, flow, rates[flow], server, sum)))
  const delay = Math.max(
    ...flows.map((flow) => lateness(served, flow, rates[flow], server, sum - longest(served, [flow]))),
  )
  return { fairness, throughput, delay }
}

describe('StartTimeFair (R-SLR-26, theorems)', () => {
  describe('when flows are flat', () => {
    it('serves in the order and with the start tags of the exact model', () => {
      for (let seed = 0; seed < FLAT_CASES; seed++) {
        const each = flatCase(seed, true)
        const engine = EngineDiscipline.flat(each.weights)
        const model = new FlatModel(each.weights)
        const served = simulate(engine, each.arrivals, serverOf(each))
        expect(served, `seed ${seed}`).to.deep.equal(simulate(model, each.arrivals, serverOf(each)))
        expect(served.length).to.equal(each.arrivals.length)
        expect(engine.startTags, `seed ${seed}`).to.deep.equal(
          model.tags.map(({ start }) => start.toNumber()),
        )
      }
    })

    it('keeps the bounds of fairness, throughput and delay on a server with outages', () => {
      const worst = { fairness: 0, throughput: 0, delay: 0 }
      for (let seed = 0; seed < FLAT_CASES; seed++) {
        const each = flatCase(seed, false)
        const served = simulate(EngineDiscipline.flat(each.weights), each.arrivals, serverOf(each))
        const used = worstOf(served, ratesOf(each.weights, each.server.rate), each.server)
        for (const bound of ['fairness', 'throughput', 'delay'] as const) {
          expect(used[bound], `${bound}, seed ${seed}`).to.be.at.most(1)
          worst[bound] = Math.max(worst[bound], used[bound])
        }
      }
      // Bounds that no case comes near would prove little.
      expect(worst.fairness).to.be.above(0.8)
      expect(worst.throughput).to.be.above(0.5)
      expect(worst.delay).to.be.above(0.8)
    })
  })

  describe('when classes are nested', () => {
    it('serves in the order of the exact model, with its tags at every level', () => {
      for (let seed = 0; seed < TREE_CASES; seed++) {
        const each = treeCase(seed, true)
        const engine = new EngineDiscipline(each.tree)
        const model = new TreeModel(each.tree)
        const served = simulate(engine, each.arrivals, serverOf(each))
        expect(served, `seed ${seed}`).to.deep.equal(simulate(model, each.arrivals, serverOf(each)))
        for (const node of each.tree.keys())
          expect(engine.fair.virtualTime(engine.nodes[node]), `seed ${seed}, v of ${node}`).to.equal(
            model.virtualTime(node).toNumber(),
          )
      }
    })

    it('keeps fairness between siblings at every node and the delay bound of every leaf', () => {
      let worstFairness = 0
      let worstDelay = 0
      for (let seed = 0; seed < TREE_CASES; seed++) {
        const each = treeCase(seed, false)
        const { tree, leaves } = each
        const served = simulate(new EngineDiscipline(tree), each.arrivals, serverOf(each))
        const childrenOf = (node: number) => [...tree.keys()].filter((child) => tree[child].parent === node)
        const flowsOf = (node: number): number[] => {
          const below = childrenOf(node)
          return below.length === 0 ? [node] : below.flatMap(flowsOf)
        }
        // Each class is a fluctuation constrained server to what is below it, so one walk checks all levels.
        const visit = (node: number, server: FluctuationConstrained): void => {
          const children = childrenOf(node)
          const weights = children.map((child) => tree[child].weight)
          const rates = ratesOf(weights, server.rate)
          const lengths = children.map((child) => longest(served, flowsOf(child)))
          const sum = lengths.reduce((total, length) => total + length, 0)
          for (const [i, child] of children.entries()) {
            for (let j = i + 1; j < children.length; j++) {
              const used = unfairness(served, flowsOf(child), rates[i], flowsOf(children[j]), rates[j])
              expect(used, `fairness of ${child} and ${children[j]}, seed ${seed}`).to.be.at.most(1)
              worstFairness = Math.max(worstFairness, used)
            }
            if (leaves.includes(child)) {
              const used = lateness(served, child, rates[i], server, sum - lengths[i])
              expect(used, `delay of ${child}, seed ${seed}`).to.be.at.most(1)
              worstDelay = Math.max(worstDelay, used)
            } else visit(child, classServer(rates[i], server, sum, lengths[i]))
          }
        }
        visit(0, each.server)
      }
      expect(worstFairness).to.be.above(0.8)
      expect(worstDelay).to.be.above(0.5)
    })
  })

  describe('when the algorithm is got wrong', () => {
    const cases = Array.from({ length: 60 }, (_, seed) => flatCase(seed, true))
    const differing = (mutation: Mutation): number =>
      cases.filter((each) => {
        const engine = simulate(EngineDiscipline.flat(each.weights), each.arrivals, serverOf(each))
        const wrong = simulate(new FlatModel(each.weights, mutation), each.arrivals, serverOf(each))
        return engine.some(({ flow }, i) => flow !== wrong[i].flow)
      }).length

    it('tells the finish tag in service from the start tag', () => {
      expect(differing({ during: 'finish' })).to.be.above(30)
    })

    it('tells service by finish tags from service by start tags', () => {
      expect(differing({ by: 'finish' })).to.be.above(30)
    })

    it('tells a virtual time that is reset, or left alone, when the server is idle', () => {
      expect(differing({ idle: 'zero' })).to.be.above(3)
      expect(differing({ idle: 'unchanged' })).to.be.above(3)
    })

    it('sees which bounds break: all but fairness for self-clocking, fairness for tags that are reset', () => {
      const broken = (mutation: Mutation) => {
        const counts = { fairness: 0, throughput: 0, delay: 0 }
        for (const each of cases) {
          const served = simulate(new FlatModel(each.weights, mutation), each.arrivals, serverOf(each))
          const used = worstOf(served, ratesOf(each.weights, each.server.rate), each.server)
          for (const bound of ['fairness', 'throughput', 'delay'] as const)
            if (used[bound] > 1) counts[bound]++
        }
        return counts
      }
      expect(broken({})).to.deep.equal({ fairness: 0, throughput: 0, delay: 0 })
      const selfClocked = broken({ during: 'finish', by: 'finish' })
      expect(selfClocked.fairness).to.equal(0)
      expect(selfClocked.delay).to.be.above(20)
      expect(broken({ during: 'finish' }).fairness).to.be.above(10)
      expect(broken({ idle: 'zero' }).fairness).to.be.above(0)
    })
  })

  describe('when backlogs are read from a simulation', () => {
    it('joins packets that wait for one another and parts those that do not', () => {
      const packet = (arrival: number, finish: number): Service => ({
        flow: 0,
        index: 0,
        length: 1,
        arrival,
        start: finish - 1,
        finish,
      })
      const served = [packet(0, 5), packet(3, 9), packet(9, 11)]
      expect(backlogs(served, [0])).to.deep.equal([
        { from: 0, to: 9 },
        { from: 9, to: 11 },
      ])
    })
  })
})
