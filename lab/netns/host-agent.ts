/**
 * The agent of a host with virtual addresses: the process that `pronto host run` is anywhere. The one idea: a host of a
 * lab is a host; the lab writes its configuration, and a file from which it takes its load.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { addressOf, contains, subnetOf } from '../../document/index.ts'
import { writePrivateKey } from '../../execution-env/certificates/index.ts'
import { askAgent, type HostStatus } from '../../host/agent/linux/index.ts'
import type { HostNode } from '../file/index.ts'
import { LabAuthority } from '../lab-authority.ts'
import { LabFailure } from '../lab-failure.ts'
import { labFolder } from './ledger.ts'
import { LabProcess } from './process.ts'
import { prontoCommand } from './pronto-command.ts'
import { type Surroundings, writeGenerated } from './surroundings.ts'

const START_LIMIT_MS = 30_000
/** How long routers may take to take the host in before the lab begins without them. */
const GREETING_LIMIT_MS = 5_000
const LOOK_MS = 25

export class NetnsAgent {
  readonly process: LabProcess
  readonly #loadFile: string
  readonly #folder: string
  readonly #what: string

  private constructor(process: LabProcess, loadFile: string, folder: string, host: string) {
    this.process = process
    this.#loadFile = loadFile
    this.#folder = folder
    this.#what = `the agent of ${host}`
  }

  /** Starts the agent of a host that has virtual addresses; resolves when they are its own. @throws LabFailure */
  static async start(
    host: HostNode,
    load: number,
    surroundings: Surroundings,
    life: number,
  ): Promise<NetnsAgent> {
    const { ledger, network, folder, lab } = surroundings
    const runtime = labFolder(lab.name)
    ledger.add({ kind: 'folder', path: join(runtime, 'hosts') })
    const loadFile = join(folder, `${host.name}-load`)
    writeLoad(loadFile, load)
    const config = writeGenerated(surroundings, `${host.name}.yaml`, hostConfig(host, loadFile, surroundings))
    const process = LabProcess.start(ledger, {
      what: `the agent of ${host.name}`,
      namespace: network.namespace(host.name),
      command: prontoCommand('host', 'run', config),
      logFile: join(folder, `${host.name}-agent-${life}.log`),
      environment: { PRONTO_RUNTIME: runtime },
    })
    const agent = new NetnsAgent(process, loadFile, join(runtime, 'hosts', host.name), host.name)
    await agent.#until(() => true, START_LIMIT_MS)
    return agent
  }

  /** Resolves when all its routers have taken it in, or after a time. */
  async greeted(): Promise<void> {
    const known = ({ routers }: HostStatus) => routers.every(({ phase }) => phase === 'open')
    await this.#until(known, GREETING_LIMIT_MS).catch(() => {})
  }

  /** What it reports from now on. */
  setLoad(load: number): void {
    writeLoad(this.#loadFile, load)
  }

  async #until(check: (status: HostStatus) => boolean, limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs
    for (;;) {
      if (this.process.ending !== undefined) throw this.process.failure
      const status = await askAgent(this.#folder, {}).catch(() => undefined)
      if (status !== undefined && check(status)) return
      if (performance.now() > deadline)
        throw new LabFailure(`${this.#what} did not come up within ${limitMs / 1000} s`)
      await sleep(LOOK_MS)
    }
  }
}

/** Whoever reads it meanwhile finds the old or the new one. */
function writeLoad(file: string, load: number): void {
  writeFileSync(`${file}.new`, `${load}\n`)
  renameSync(`${file}.new`, file)
}

/** The text of the agent's configuration: JSON, which is YAML. */
function hostConfig(host: HostNode, loadFile: string, surroundings: Surroundings): string {
  const { name, interfaces, virtualHosts, agent, gateway } = host
  return JSON.stringify(
    {
      name,
      address: interfaces[0]!.addresses[0]!.address,
      devices: devicesOf(host),
      virtualHosts,
      ...(gateway === undefined ? {} : { gateway }),
      ...(agent === undefined ? {} : greeting(host, agent, surroundings)),
      load: { source: 'file', file: loadFile },
    },
    undefined,
    2,
  )
}

/** The one that leads to the gateway first: there the agent looks for it. */
function devicesOf({ interfaces, gateway }: HostNode): string[] {
  const leads = ({ addresses }: HostNode['interfaces'][number]) =>
    gateway !== undefined &&
    addresses.some(({ address, prefixLength }) =>
      contains(subnetOf(`${address}/${prefixLength}`), addressOf(gateway)),
    )
  return [...interfaces.filter(leads), ...interfaces.filter((each) => !leads(each))].map(({ name }) => name)
}

function greeting(host: HostNode, agent: NonNullable<HostNode['agent']>, surroundings: Surroundings): object {
  const { lab, folder } = surroundings
  const number = lab.nodes.indexOf(host)
  const { certificate, chain, key } = new LabAuthority(lab.rootSeed, lab.epochMs).host(
    host.name,
    number,
    host.virtualHosts,
  )
  const pem = [certificate, ...chain].map((each) => each.toPem()).join('')
  const keyFile = writeGenerated(surroundings, `${host.name}.key`, writePrivateKey(key), 0o600)
  return {
    routers: agent.routers,
    interval: `${agent.intervalNs}ns`,
    certificate: writeGenerated(surroundings, `${host.name}.crt`, pem),
    key: keyFile,
    trust: join(folder, 'trust'),
  }
}
