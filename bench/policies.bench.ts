/**
 * What a choice costs: each policy of the author's kit among ten backends, and what building a Maglev table costs.
 * Ratios are to hashing a flow, which is what a choice by hash cannot do without.
 */
import { hashFlow, leastLoad, Maglev, Rendezvous, RoundRobin } from '../sdk/policies/index.ts'
import { alternate, type Benchmark, type Figure, figure, ratio } from './benchmark.ts'

const CHOICES = 300_000
const TABLES = 4

function run(): Figure[] {
  const backends = Array.from({ length: 10 }, (_, index) => ({
    name: `10.0.${index}.2`,
    weight: 1 + (index % 3),
    load: index,
  }))
  const turns = new RoundRobin<(typeof backends)[number]>()
  const drawn = new Rendezvous<(typeof backends)[number]>()
  const table = new Maglev(backends)
  const flow = { source: 0, destination: 0xc612_0050, protocol: 6, fromPort: 1_024, toPort: 80 }
  const choices = (choose: () => number) => () => {
    let kept = 0
    for (let index = 0; index < CHOICES; index++) {
      flow.source = index
      kept += choose()
    }
    return kept
  }
  const times = alternate(
    {
      hash: choices(() => hashFlow(flow)),
      maglev: choices(() => table.pick(flow)!.load),
      'least load': choices(() => leastLoad(backends, flow)!.load),
      'round robin': choices(() => turns.pick(backends)!.load),
      rendezvous: choices(() => drawn.pick(backends, flow)!.load),
    },
    CHOICES,
  )
  const build = alternate(
    {
      table: () => {
        for (let index = 0; index < TABLES; index++) table.update(backends)
        return table.pick(flow)!.load
      },
    },
    TABLES,
  )
  const { hash, ...policies } = times
  return [
    figure('hash of a flow', 'ns', hash!),
    ...Object.entries(policies).flatMap(([name, rounds]) => [
      figure(name, 'ns per choice', rounds),
      figure(`${name} / hash of a flow`, 'x', ratio(rounds, hash!)),
    ]),
    figure(
      'Maglev table of 65,537 entries',
      'ms',
      build['table']!.map((ns) => ns / 1e6),
    ),
  ]
}

export const bench: Benchmark = {
  name: 'policies',
  describes: 'choices of the author’s kit among ten backends',
  run,
}
