/**
 * The configuration of a lab's router as `pronto router run` reads it. The one idea: a router of a lab is a router; what
 * the lab adds is the faulty link in front of a port, which a real one would have in its cable.
 */
import { hostsOf, type Lab, type Link, type RouterNode } from '../file/index.ts'

export interface RouterFiles {
  /** Folder with ca.crt and crl.pem. */
  readonly trust: string
  readonly state: string
  /** Paths of the plugins' bundles, in the order of the file. */
  readonly bundles: readonly string[]
}

/** The text of the configuration: JSON, which is YAML. */
export function routerConfig(lab: Lab, router: RouterNode, files: RouterFiles): string {
  const { interfaces, routes, plugins, policySource } = router
  return JSON.stringify(
    {
      name: router.name,
      addresses: Object.fromEntries(
        interfaces.map(({ name, addresses }) => [
          name,
          addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
        ]),
      ),
      ports: portsOf(lab, router),
      routes: routes.map(({ prefix, target, cost }) =>
        target.kind === 'via' ? { to: prefix, via: target.via, cost } : { to: prefix, blackhole: true, cost },
      ),
      ...(policySource === undefined ? {} : { policy: policySource }),
      plugins: plugins.map(({ id, config }, index) => ({
        bundle: files.bundles[index],
        ...(id === undefined ? {} : { id }),
        config,
      })),
      ...(hostsOf(lab).some(({ agent }) => agent !== undefined) ? { signaling: {} } : {}),
      trust: files.trust,
      state: files.state,
    },
    undefined,
    2,
  )
}

function portsOf(lab: Lab, { name, interfaces }: RouterNode): object {
  const ports = interfaces.map((each) => {
    const isOurs = (end: Link['endpoints'][number]) => end.node === name && end.interface === each.name
    const link = lab.links.find(({ endpoints }) => endpoints.some(isOurs))
    if (link === undefined) return [each.name, {}] as const
    const faults = isOurs(faultyEnd(lab, link)) ? impairmentOf(link) : {}
    const impaired = Object.keys(faults).length > 0 ? { impairment: faults } : {}
    return [each.name, { mtu: link.mtu, ...impaired }] as const
  })
  return Object.fromEntries(ports)
}

/** The end whose router does what the link should do, both ways; not a router where the link has none. */
function faultyEnd(lab: Lab, { endpoints }: Link): Link['endpoints'][number] {
  const isRouter = (node: string) => lab.nodes.some((each) => each.name === node && each.kind === 'router')
  return endpoints.find(({ node }) => isRouter(node)) ?? endpoints[0]
}

/** Empty for a link that just carries frames. */
function impairmentOf(link: Link): object {
  const { rateBps, delayNs, jitterNs, loss, reorder, duplicate, corrupt, queueBytes, queuePackets, mtu } =
    link
  const queue =
    queueBytes ?? (queuePackets === undefined ? undefined : queuePackets * (mtu + ETHERNET_HEADER_BYTES))
  return {
    ...(rateBps === undefined ? {} : { rateBps }),
    ...(delayNs > 0 ? { delayNs } : {}),
    ...(jitterNs > 0 ? { jitterNs: Math.min(jitterNs, delayNs) } : {}),
    ...(loss > 0 ? { loss } : {}),
    ...(reorder > 0 ? { reorder: { probability: reorder } } : {}),
    ...(duplicate > 0 ? { duplicate } : {}),
    ...(corrupt > 0 ? { corrupt } : {}),
    ...(queue === undefined ? {} : { queueBytes: queue }),
  }
}

const ETHERNET_HEADER_BYTES = 14
