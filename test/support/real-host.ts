/**
 * A host agent in a namespace, for tests of real hosts: client 10.0.1.2 - 10.0.1.1 kernel router 10.0.2.1 - host
 * 10.0.2.2. The router sends 198.18.0.0/15 on in tunnels (tunnel-entry.ts). All of it is the test's own.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ip, TestNamespace } from './linux.ts'
import { temporaryFolder } from './temporary-folder.ts'

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const ENTRY = fileURLToPath(new URL('tunnel-entry.ts', import.meta.url))
const PATIENCE_MS = 15_000

/** How a command ended. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A process in a namespace, and what it has said. */
export class RealProcess {
  readonly child: ChildProcess
  output = ''

  constructor(namespace: TestNamespace, command: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.child = spawn('ip', ['netns', 'exec', namespace.name, ...command], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.on('data', (part: Buffer) => {
        this.output += part
      })
  }

  /** Waits until it has said a text. @throws with what it said when it ends before, or takes too long */
  async says(text: string): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!this.output.includes(text)) {
      if (this.child.exitCode !== null || performance.now() > deadline)
        throw new Error(`never said ${text}: ${this.output}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Ends it by a signal and answers its exit code, null when the signal ended it. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit')
      this.child.kill(signal)
      await ended
    }
    return this.child.exitCode
  }
}

export class RealHost {
  readonly client = new TestNamespace()
  readonly router = new TestNamespace()
  readonly host = new TestNamespace()
  readonly folder = temporaryFolder('pronto-rh-')
  readonly runtime = join(this.folder, 'run')
  readonly file = join(this.folder, 's1.yaml')
  readonly #processes: RealProcess[] = []

  constructor() {
    link(this.client, 'eth0', this.router, 'eth0')
    this.router.run('sysctl -qw net.ipv4.ip_forward=1')
    this.client.run('ip addr add 10.0.1.2/24 dev eth0')
    this.client.run('ip route add default via 10.0.1.1')
    this.router.run('ip addr add 10.0.1.1/24 dev eth0')
    this.plug()
  }

  /** Gives the host its device, again after it was removed. */
  plug(): void {
    link(this.host, 'eth0', this.router, 'eth1')
    this.router.run('ip addr add 10.0.2.1/24 dev eth1')
    this.host.run('ip addr add 10.0.2.2/24 dev eth0')
    this.host.run('ip route add default via 10.0.2.1')
  }

  /** Writes the configuration; keys of `more` replace those of the usual one. */
  configure(more: Readonly<Record<string, unknown>> = {}): void {
    const usual = { name: 's1', address: '10.0.2.2', devices: ['eth0'], virtualHosts: ['198.18.0.0/15'] }
    writeFileSync(this.file, JSON.stringify({ ...usual, ...more }))
  }

  /**
   * Starts the agent and waits until it is up; its output is JSON lines.
   * @param capabilities all that it may use, as setpriv writes them; default all
   */
  async start(capabilities?: string): Promise<RealProcess> {
    const limits = `-all,${capabilities}`
    const limited = ['setpriv', '--no-new-privs', `--bounding-set=${limits}`, `--inh-caps=${limits}`]
    const agent = this.run(this.host, [
      ...(capabilities === undefined ? [] : limited),
      ...[process.execPath, CLI, 'host', 'run', this.file, '--json'],
    ])
    await agent.says('"event":"up"')
    return agent
  }

  /** Kills agents and entries that a test has left. */
  async clear(): Promise<void> {
    for (const each of this.#processes.splice(0)) await each.end('SIGKILL')
  }

  /** Starts the tunnel entry; see tunnel-entry.ts for its words. */
  async startEntry(mtu: number, largest: number): Promise<RealProcess> {
    const words = ['vip0', String(mtu), '10.0.2.1', '10.0.2.2', String(largest)]
    const entry = this.run(this.router, [process.execPath, ENTRY, ...words])
    await entry.says('ready')
    this.router.run('ip route add 198.18.0.0/15 dev vip0')
    return entry
  }

  /** Starts a process of the test; it ends with it. */
  run(namespace: TestNamespace, command: readonly string[]): RealProcess {
    const started = new RealProcess(namespace, command, { PRONTO_RUNTIME: this.runtime })
    this.#processes.push(started)
    return started
  }

  /** Runs `pronto` with words in the host's namespace until it ends. */
  pronto(...words: readonly string[]): Outcome {
    return this.ask(this.host, process.execPath, CLI, ...words)
  }

  /** Runs a command in a namespace until it ends. */
  ask(namespace: TestNamespace, ...command: readonly string[]): Outcome {
    const { status, stdout, stderr } = spawnSync('ip', ['netns', 'exec', namespace.name, ...command], {
      encoding: 'utf8',
      timeout: PATIENCE_MS,
      env: { ...process.env, PRONTO_RUNTIME: this.runtime },
    })
    return { code: status, stdout, stderr }
  }

  /** All that an agent may change, as text. */
  snapshot(): string {
    const commands = [
      'ip rule',
      'ip route show table all',
      'sysctl -a --pattern net.ipv4.conf.(all|eth0|lo)',
      'tc qdisc show dev eth0',
      'tc filter show dev eth0 ingress',
      'ip -o link show dev lo',
    ]
    return commands.map((words) => this.host.run(words)).join('\n')
  }

  async close(): Promise<void> {
    await this.clear()
    for (const each of [this.client, this.router, this.host]) each.remove()
  }
}

/** A veth pair whose ends do not put off checksums: what reads frames would get them unfinished. */
function link(one: TestNamespace, oneName: string, other: TestNamespace, otherName: string): void {
  const [a, b] = [0, 1].map(() => `t${randomBytes(4).toString('hex')}`)
  ip(`link add name ${a} type veth peer name ${b}`)
  for (const [device, namespace, name] of [
    [a, one, oneName],
    [b, other, otherName],
  ] as const) {
    ip(`link set ${device} netns ${namespace.name}`)
    namespace.run(`ip link set ${device} name ${name}`)
    namespace.run(`ip link set ${name} up`)
    namespace.run(`ethtool -K ${name} tx off`)
  }
}
