/** A small correct lab for tests, its loading from text, and the refusals of a changed one. */
import { type Lab, LabFileError, type Problem, parseLabFile } from '../../../lab/index.ts'

export const SAMPLE = `name: sample
nodes:
  c1:
    kind: host
    addresses: { eth0: 10.0.1.2/24 }
    gateway: 10.0.1.1
    clients:
      - { protocol: http, to: "198.18.0.80:80", rate: 50/s, count: 1000, bytes: 10k, start: 1s }
  r1:
    kind: router
    addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24 }
    policy:
      tunnels: { s1: 10.0.2.2 }
      filters: [ { to: 198.18.0.0/15, action: { tunnel: s1 } } ]
  s1:
    kind: host
    addresses: { eth0: 10.0.2.2/24 }
    gateway: 10.0.2.1
    virtualHosts: [ 198.18.0.0/15 ]
    services: [ { protocol: http, port: 80, bytes: 1k } ]
links:
  - { endpoints: [ "c1:eth0", "r1:eth0" ], rate: 100Mbps, delay: 2ms, loss: 0% }
  - { endpoints: [ "r1:eth1", "s1:eth0" ], mtu: 1520 }
events:
  - { at: 5s, fail: s1 }
expect:
  - { path: "clients.c1[0].failed", is: "== 0" }
`

/** A world in which every plugin exists. */
const surroundings = { folder: '/labs', exists: () => true }

/** The lab of a text. */
export function labOf(text: string): Lab {
  return parseLabFile(text, 'lab.yaml', surroundings).lab
}

/** The sample with one place changed; the place must be there. */
export function changed(from: string, to: string): string {
  if (!SAMPLE.includes(from)) throw new Error(`the sample has no ${from}`)
  return SAMPLE.replace(from, () => to)
}

/** Why a text is refused; empty when it is not. */
export function problemsOf(text: string, exists: (path: string) => boolean = () => true): readonly Problem[] {
  try {
    parseLabFile(text, 'lab.yaml', { folder: '/labs', exists })
    return []
  } catch (error) {
    if (error instanceof LabFileError) return error.problems
    throw error
  }
}

/** The whole message of a refusal. */
export function refusalOf(text: string): string {
  try {
    parseLabFile(text, 'lab.yaml', surroundings)
  } catch (error) {
    if (error instanceof LabFileError) return error.message
    throw error
  }
  return ''
}
