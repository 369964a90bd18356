/**
 * The simulator: packet hops per wall second in a busy lab, and the time from a lab of 1,000 hosts in memory to its
 * first event.
 */
import { backends, parseLabFile, runLab } from '../lab/index.ts'
import { Simulation } from '../lab/sim/simulation.ts'
import { type Benchmark, type Figure, figure } from './benchmark.ts'

const ROUNDS = 5
/** These labs name no other files. */
const NOWHERE = { folder: '/', exists: () => false }

/** Clients fetching pages and streams through a router that tunnels to three servers. */
const BUSY = `
name: busy
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1,
        clients: [ { protocol: http, to: "198.18.0.80:80", concurrency: 20, count: 3000 },
                   { protocol: tcp, to: "198.18.0.80:7000", count: 4, concurrency: 4, bytes: 5M } ] }
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24 },
        policy: { tunnels: { s1: 10.0.2.2, s2: 10.0.3.2 },
                  filters: [ { to: 198.18.0.0/15, action: { spread: [ { tunnel: s1 }, { tunnel: s2 } ] } } ] } }
  s1: { kind: host, addresses: { eth0: 10.0.2.2/24 }, gateway: 10.0.2.1, virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80, bytes: 10k }, { protocol: tcp, port: 7000 } ] }
  s2: { kind: host, addresses: { eth0: 10.0.3.2/24 }, gateway: 10.0.3.1, virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80, bytes: 10k }, { protocol: tcp, port: 7000 } ] }
links:
  - { endpoints: [ "c1:eth0", "r1:eth0" ], rate: 1Gbps, delay: 1ms }
  - { endpoints: [ "r1:eth1", "s1:eth0" ], rate: 1Gbps, delay: 100us, mtu: 1520 }
  - { endpoints: [ "r1:eth2", "s2:eth0" ], rate: 1Gbps, delay: 100us, mtu: 1520 }
`

/** 1,000 hosts around 10 routers. */
function crowd(): string {
  const nodes: string[] = []
  const links: string[] = []
  for (let r = 0; r < 10; r++) {
    const ports = Array.from({ length: 100 }, (_, h) => `eth${h}: 10.${r}.${h}.1/24`)
    nodes.push(`  r${r}: { kind: router, addresses: { ${ports.join(', ')} } }`)
    for (let h = 0; h < 100; h++) {
      nodes.push(
        `  h${r}-${h}: { kind: host, addresses: { eth0: 10.${r}.${h}.2/24 }, gateway: 10.${r}.${h}.1 }`,
      )
      links.push(`  - { endpoints: [ "h${r}-${h}:eth0", "r${r}:eth${h}" ], delay: 1ms }`)
    }
  }
  return `name: crowd\nduration: 1s\nnodes:\n${nodes.join('\n')}\nlinks:\n${links.join('\n')}\n`
}

async function hopsPerSecond(): Promise<number[]> {
  const backend = await backends.open('sim')
  const labFile = parseLabFile(BUSY, 'busy.yaml', NOWHERE)
  const rounds: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const report = await runLab(labFile, backend)
    if (!report.conservation || report.clients['c1']![0]!.failed > 0)
      throw new Error('the busy lab went wrong')
    if (round > 0) rounds.push(report.wall['packetHops']! / report.wall.seconds)
  }
  return rounds
}

function startSeconds(): number[] {
  const text = crowd()
  return Array.from({ length: ROUNDS }, () => {
    const started = performance.now()
    const { lab } = parseLabFile(text, 'crowd.yaml', NOWHERE)
    const simulation = new Simulation(lab)
    simulation.step(1, 1)
    return (performance.now() - started) / 1000
  })
}

export const bench: Benchmark = {
  name: 'simulator',
  describes: 'virtual networks: packet hops a second, and the start of a large lab',
  async run(): Promise<Figure[]> {
    return [
      figure(
        'packet hops per wall second (HTTP and streams through tunnels)',
        'hops/s',
        await hopsPerSecond(),
        {
          relation: '>=',
          value: 150_000,
        },
      ),
      figure('from the text of a lab of 1,000 hosts to its first event', 's', startSeconds(), {
        relation: '<=',
        value: 2,
      }),
    ]
  },
}
