/** Two routers, each with its own clients, servers and instance of one plugin, that share a sandbox process. */
import { resolve } from 'node:path'
import { type LabFile, parseLabFile } from '../../lab/index.ts'

const examples = resolve(import.meta.dirname, '../../examples')

/** @param events lines of the lab file's `events` */
export function twinRouters(events: string): LabFile {
  const half = (n: number) => `
  c${n}: { kind: host, addresses: { eth0: 10.${n}.1.2/24 }, gateway: 10.${n}.1.1,
        clients: [ { protocol: http, to: "198.18.0.80:80", rate: 100/s, count: 800 },
                   { protocol: tcp, to: "198.18.0.80:7000", count: 3, concurrency: 3, bytes: 2M, start: 1800ms } ] }
  r${n}:
    kind: router
    addresses: { eth0: 10.${n}.1.1/24, eth1: 10.${n}.2.1/24, eth2: 10.${n}.3.1/24 }
    plugins:
      - { plugin: ./round-robin, config: { virtualHost: 198.18.0.0/15, servers: [ { address: 10.${n}.2.2 }, { address: 10.${n}.3.2 } ] } }
  a${n}: { kind: host, addresses: { eth0: 10.${n}.2.2/24 }, gateway: 10.${n}.2.1, virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80 }, { protocol: tcp, port: 7000 } ] }
  b${n}: { kind: host, addresses: { eth0: 10.${n}.3.2/24 }, gateway: 10.${n}.3.1, virtualHosts: [ 198.18.0.0/15 ],
        services: [ { protocol: http, port: 80 }, { protocol: tcp, port: 7000 } ] }`
  const links = (n: number) => `
  - { endpoints: [ "c${n}:eth0", "r${n}:eth0" ], rate: 100Mbps, delay: 2ms }
  - { endpoints: [ "r${n}:eth1", "a${n}:eth0" ], rate: 1Gbps, delay: 100us, mtu: 1520 }
  - { endpoints: [ "r${n}:eth2", "b${n}:eth0" ], rate: 1Gbps, delay: 100us, mtu: 1520 }`
  const text = `
name: twins
duration: 15s
nodes:${half(1)}${half(2)}
links:${links(1)}${links(2)}
events:
${events}
`
  return parseLabFile(text, 'twins.yaml', { folder: examples, exists: () => true })
}
