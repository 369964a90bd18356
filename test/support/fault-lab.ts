/**
 * A lab of real hosts in which anything may be broken: the nodes are those of the netns backend, but nobody ends the lab
 * when one of its processes is lost. Its first server shares a LAN with whoever wants to attack it.
 */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LabFile } from '../../lab/index.ts'
import { LabBundles } from '../../lab/lab-bundles.ts'
import { NetnsHost } from '../../lab/netns/host.ts'
import { Ledger, labFolder, readLedger } from '../../lab/netns/ledger.ts'
import { newLabId } from '../../lab/netns/names.ts'
import { LabNetwork } from '../../lab/netns/network.ts'
import { disableAllOffloads } from '../../lab/netns/offloads.ts'
import { PatternFiles } from '../../lab/netns/pattern-files.ts'
import type { LabProcess } from '../../lab/netns/process.ts'
import { removeAll } from '../../lab/netns/removal.ts'
import { NetnsRouter } from '../../lab/netns/router.ts'
import type { Surroundings } from '../../lab/netns/surroundings.ts'
import { type ControlClient, connectRouter } from '../../router/control-client/index.ts'
import { Running } from './lab-up.ts'
import { ip, TestNamespace } from './linux.ts'
import { temporaryFolder } from './temporary-folder.ts'

export type Rows = readonly Readonly<Record<string, string | number>>[]

const PASS = async () => {}

export class FaultLab {
  /** The switch between the router's eth1 and s1; whoever sends by its device br0 is on the LAN. */
  readonly lan = new TestNamespace()
  readonly folder: string
  readonly network: LabNetwork
  readonly router: NetnsRouter
  readonly #hosts: ReadonlyMap<string, NetnsHost>
  readonly #lab: string
  readonly #running: Running[] = []

  private constructor(surroundings: Surroundings) {
    const { lab, network, folder } = surroundings
    this.folder = folder
    this.network = network
    this.#lab = lab.name
    const router = lab.nodes.find((node) => node.kind === 'router')!
    this.router = new NetnsRouter(router, surroundings)
    this.#hosts = new Map(
      lab.nodes.flatMap((node) =>
        node.kind === 'host' ? [[node.name, new NetnsHost(node, surroundings, true)] as const] : [],
      ),
    )
  }

  /** Brings a lab up that has r1:eth1 and s1:eth0 on one link. It takes itself away when it does not come up. */
  static async up({ lab: file }: LabFile): Promise<FaultLab> {
    const lab = { ...file, epochMs: Date.now() }
    const bundles = await LabBundles.prepare(lab)
    const ledger = Ledger.begin(lab.name, newLabId())
    let made: FaultLab | undefined
    try {
      const folder = temporaryFolder(`pronto-${lab.name}-`)
      // nginx serves what lies in it as nobody.
      chmodSync(folder, 0o711)
      writeTrust(folder, bundles)
      const network = await LabNetwork.make(lab, ledger, PASS)
      const patterns = await PatternFiles.write(lab, folder, PASS)
      made = new FaultLab({ lab, ledger, network, folder, patterns, bundles })
      made.#makeLan()
      await made.router.start()
      await Promise.all([...made.#hosts.values()].map((host) => host.start()))
      await Promise.all([...made.#hosts.values()].map((host) => host.greeted()))
      return made
    } catch (error) {
      if (made !== undefined) await made.down()
      else await removeAll(readLedger(lab.name)!)
      throw error
    }
  }

  host(name: string): NetnsHost {
    return this.#hosts.get(name)!
  }

  /** A process of a host that was not told to end, such as `nginx`. */
  processOf(host: string, what: string): LabProcess {
    return this.host(host).processes.find((each) => each.what.includes(what))!
  }

  /** Runs `ip` inside a node. */
  ip(node: string, words: string): string {
    return ip(`-n ${this.network.namespace(node)} ${words}`)
  }

  /** Starts a command inside a node; it ends with the lab. */
  inside(node: string, ...command: readonly string[]): Running {
    const words = ['netns', 'exec', this.network.namespace(node), ...command]
    const running = new Running('ip', words, { PRONTO_RUNTIME: labFolder(this.#lab) })
    this.#running.push(running)
    return running
  }

  /** A table of the router. */
  async table(name: string): Promise<Rows> {
    const address = { kind: 'local' as const, folder: join(labFolder(this.#lab), this.router.name) }
    let client: ControlClient | undefined
    try {
      client = await connectRouter({ address, role: 'read' })
      return ((await client.call('query', { name, limit: 1000 })) as { readonly rows: Rows }).rows
    } finally {
      client?.close()
    }
  }

  /** The router's counters, or another table of names and values. */
  async counters(name = 'counters'): Promise<ReadonlyMap<string, number>> {
    return new Map((await this.table(name)).map((row) => [String(row['name']), Number(row['value'])]))
  }

  async down(): Promise<void> {
    for (const each of this.#running.splice(0)) await each.end('SIGKILL')
    const left = readLedger(this.#lab)
    if (left !== undefined) await removeAll(left)
    rmSync(this.folder, { recursive: true, force: true })
    this.lan.remove()
  }

  /** In place of the cable between r1 and s1: one from each to a switch. */
  #makeLan(): void {
    this.ip('r1', 'link del eth1')
    ip(`-n ${this.lan.name} link add name br0 type bridge`)
    ip(`-n ${this.lan.name} link set br0 up`)
    for (const [node, device, port] of [
      ['r1', 'eth1', 'p1'],
      ['s1', 'eth0', 'p2'],
    ] as const) {
      const namespace = this.network.namespace(node)
      ip(`link add name ${device} netns ${namespace} type veth peer name ${port} netns ${this.lan.name}`)
      ip(`-n ${this.lan.name} link set ${port} master br0 up`)
      disableAllOffloads(this.lan.path, [port])
      disableAllOffloads(this.network.path(node), [device])
    }
    this.ip('s1', 'addr add 10.0.2.2/24 dev eth0')
    this.network.setNode('s1', true)
    this.network.setNode('r1', true)
  }
}

function writeTrust(folder: string, { trust }: LabBundles): void {
  mkdirSync(join(folder, 'trust'))
  const certificates = [...trust.roots, ...trust.authorities].map((each) => each.toPem())
  writeFileSync(join(folder, 'trust', 'ca.crt'), certificates.join(''))
  writeFileSync(join(folder, 'trust', 'crl.pem'), trust.lists.map((each) => each.toPem()).join(''))
}
