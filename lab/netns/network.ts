/**
 * The network of a lab in the kernel: a namespace for each node, a pair of virtual Ethernet devices for each link. The
 * one idea: devices are born in the namespaces of their nodes, under the names of the lab file, so that nothing ever
 * shows outside; and no device does the work of others, because what is captured or sent raw must be whole packets
 * with right checksums.
 */
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { inNamespace } from '../../engine/ports/linux/index.ts'
import type { Endpoint, HostNode, Lab, LabNode, Link } from '../file/index.ts'
import { LabFailure } from '../lab-failure.ts'
import { labMac } from '../mac-addresses.ts'
import type { Ledger } from './ledger.ts'
import { namespaceName } from './names.ts'
import { disableAllOffloads } from './offloads.ts'
import { NAMESPACE_FOLDER } from './removal.ts'
import { runIp, runTool } from './tools.ts'

/** Settings of every namespace, below /proc/sys/net. */
const SETTINGS: Readonly<Record<string, string>> = {
  'ipv6/conf/all/disable_ipv6': '1',
  'ipv6/conf/default/disable_ipv6': '1',
  // Answers leave by the way to the client, whatever way the question came.
  'ipv4/conf/all/rp_filter': '0',
  'ipv4/conf/default/rp_filter': '0',
  // Only the interface that has an address answers for it: virtual hosts are on all servers at once.
  'ipv4/conf/all/arp_ignore': '1',
  'ipv4/ip_forward': '0',
}

/** One end of a link. */
interface End extends Endpoint {
  readonly link: Link
  /** The end that is taken down when the link is cut. */
  readonly cuts: boolean
}

export class LabNetwork {
  readonly #lab: Lab
  readonly #namespaces = new Map<string, string>()
  readonly #ends: readonly End[]
  readonly #cut = new Set<string>()
  readonly #down = new Set<string>()

  private constructor(lab: Lab) {
    this.#lab = lab
    this.#ends = lab.links.flatMap((link) => endsOf(link, lab))
  }

  /**
   * Makes namespaces and links, all up. What is made stands in the ledger, whether or not this comes to its end.
   * @param turn called between steps: gives the event loop a turn, and throws to end it all
   * @throws LabFailure
   */
  static async make(lab: Lab, ledger: Ledger, turn: () => Promise<void>): Promise<LabNetwork> {
    const network = new LabNetwork(lab)
    for (const [index, node] of lab.nodes.entries()) {
      network.#makeNamespace(node, index, ledger)
      await turn()
    }
    for (const link of lab.links) {
      network.#makeLink(link)
      await turn()
    }
    for (const node of lab.nodes) {
      network.#configure(node)
      await turn()
    }
    return network
  }

  /** The namespace of a node. */
  namespace(node: string): string {
    return this.#namespaces.get(node)!
  }

  /** Its place in the file system. */
  path(node: string): string {
    return `${NAMESPACE_FOLDER}/${this.namespace(node)}`
  }

  /** Takes a link down or up: frames on it are lost while it is down, and a router sees it. */
  setLink(name: string, up: boolean): void {
    if (up) this.#cut.delete(name)
    else this.#cut.add(name)
    for (const end of this.#ends) if (end.link.name === name) this.#adjust(end)
  }

  /** Takes all ends of a node down or up. */
  setNode(name: string, up: boolean): void {
    if (up) this.#down.delete(name)
    else this.#down.add(name)
    for (const end of this.#ends) if (end.node === name) this.#adjust(end)
  }

  #makeNamespace(node: LabNode, index: number, ledger: Ledger): void {
    const name = namespaceName(this.#lab.name, node.name, ledger.id, index)
    if (existsSync(`${NAMESPACE_FOLDER}/${name}`))
      throw new LabFailure(`there is a namespace ${name} already`, 'busy')
    ledger.add({ kind: 'namespace', name })
    runTool('ip', ['netns', 'add', name])
    this.#namespaces.set(node.name, name)
    ledger.add({ kind: 'namespace', name, inode: statSync(this.path(node.name)).ino })
    inNamespace(this.path(node.name), () => {
      for (const [key, value] of Object.entries(SETTINGS)) writeSetting(key, value)
    })
  }

  #makeLink({ endpoints: [one, other], mtu }: Link): void {
    const device = (end: Endpoint) => [
      ...['name', end.interface, 'netns', this.namespace(end.node)],
      ...['address', this.#mac(end), 'mtu', String(mtu)],
    ]
    runIp([['link', 'add', ...device(one), 'type', 'veth', 'peer', ...device(other)]])
  }

  #mac({ node, interface: name }: Endpoint): string {
    const number = this.#lab.nodes.findIndex((each) => each.name === node)
    const port = this.#lab.nodes[number]!.interfaces.findIndex((each) => each.name === name)
    return [...labMac(number, port)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
  }

  #configure(node: LabNode): void {
    disableAllOffloads(
      this.path(node.name),
      node.interfaces.map((each) => each.name),
    )
    const names = node.interfaces.map((each) => ['link', 'set', each.name, 'up'])
    const own = node.kind === 'host' ? [...addressCommands(node)] : []
    const routes = node.kind === 'host' ? routeCommands(node) : []
    runIp([['link', 'set', 'lo', 'up'], ...own, ...names, ...routes], this.namespace(node.name))
  }

  /** Gives an end the state that follows from its node and its link. */
  #adjust(end: End): void {
    const down = this.#down.has(end.node) || (end.cuts && this.#cut.has(end.link.name))
    const node = this.#lab.nodes.find((each) => each.name === end.node)!
    const state = ['link', 'set', end.interface, down ? 'down' : 'up']
    const namespace = this.namespace(end.node)
    runIp([state], namespace)
    // With a device its routes went. Some may need another device that is still down.
    if (!down && node.kind === 'host')
      for (const route of routeCommands(node)) {
        try {
          runIp([route], namespace)
        } catch (error) {
          if (!(error instanceof LabFailure)) throw error
        }
      }
  }
}

/**
 * A cut takes down one end where the other belongs to a host: it then has no carrier, as when a cable is pulled, and
 * keeps its routes.
 */
function endsOf(link: Link, lab: Lab): End[] {
  const isRouter = ({ node }: Endpoint) => lab.nodes.find((each) => each.name === node)!.kind === 'router'
  const routers = link.endpoints.filter(isRouter)
  const cutting = routers.length > 0 ? routers : [link.endpoints[1]]
  return link.endpoints.map((each) => ({ ...each, link, cuts: cutting.includes(each) }))
}

function* addressCommands(host: HostNode): Iterable<string[]> {
  for (const { name, addresses } of host.interfaces)
    for (const { address, prefixLength } of addresses)
      yield ['addr', 'add', `${address}/${prefixLength}`, 'dev', name]
}

function routeCommands({ gateway, routes }: HostNode): string[][] {
  const others = routes.map(({ prefix, via }) => ['route', 'replace', prefix, 'via', via])
  return gateway === undefined ? others : [['route', 'replace', 'default', 'via', gateway], ...others]
}

/** What this kernel does not have (IPv6, for one) needs no setting. */
function writeSetting(key: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/net/${key}`, value)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
