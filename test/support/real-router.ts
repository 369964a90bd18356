/**
 * A router process between two namespaces, for tests of real ports: client 10.0.1.2 - router - server 10.0.2.2. All
 * of it is the test's own and goes with it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ip, TestNamespace } from './linux.ts'
import { runTool } from './oracle.ts'
import { temporaryFolder } from './temporary-folder.ts'

export const LAUNCHER = fileURLToPath(new URL('../../cli/launcher.mjs', import.meta.url))
const UP_MS = 20_000

/** What a process has said and how it ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

export class RealRouter {
  readonly client = new TestNamespace()
  readonly router = new TestNamespace()
  readonly server = new TestNamespace()
  readonly folder = temporaryFolder('pronto-rr-')
  /** Folder of the control sockets of all routers of this test. */
  readonly runtime = join(this.folder, 'run')
  readonly file = join(this.folder, 'r1.yaml')
  #process: ChildProcess | undefined
  #output = ''

  constructor(more: Readonly<Record<string, unknown>> = {}) {
    this.#link(this.client, 'eth0', this.router, 'eth0')
    this.#link(this.server, 'eth0', this.router, 'eth1')
    this.client.run('ip addr add 10.0.1.2/24 dev eth0')
    this.client.run('ip route add default via 10.0.1.1')
    this.server.run('ip addr add 10.0.2.2/24 dev eth0')
    this.server.run('ip route add default via 10.0.2.1')
    this.configure(more)
  }

  /** Writes the configuration; keys of `more` replace those of the usual one. */
  configure(more: Readonly<Record<string, unknown>>): void {
    const usual = {
      name: 'r1',
      addresses: { eth0: '10.0.1.1/24', eth1: '10.0.2.1/24' },
      state: join(this.folder, 'state'),
    }
    writeFileSync(this.file, JSON.stringify({ ...usual, ...more }))
  }

  get pid(): number {
    return this.#process!.pid!
  }

  /** Starts the router and waits until it is up. @throws with what it said when it ends instead */
  async start(): Promise<void> {
    const parameters = [
      'netns',
      'exec',
      this.router.name,
      process.execPath,
      LAUNCHER,
      'router',
      'run',
      this.file,
    ]
    const child = spawn('ip', parameters, {
      env: { ...process.env, PRONTO_RUNTIME: this.runtime },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#process = child
    this.#output = ''
    const up = new Promise<void>((settle) => {
      const take = (part: Buffer) => {
        this.#output += part
        if (this.#output.includes(' is up; ')) settle()
      }
      child.stdout!.on('data', take)
      child.stderr!.on('data', take)
    })
    const failed = once(child, 'exit').then(() => Promise.reject(new Error(this.#output)))
    failed.catch(() => {})
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`not up in time: ${this.#output}`)), UP_MS).unref()
    })
    await Promise.race([up, failed, late])
  }

  /** Ends the router by a signal and waits. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    const child = this.#process!
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    child.kill(signal)
    await ended
    return { code: child.exitCode, signal: child.signalCode, output: this.#output }
  }

  /** What the router has said so far. */
  get output(): string {
    return this.#output
  }

  /** Runs a command of pronto for this router; answers with what it printed. */
  pronto(...words: readonly string[]): string {
    const environment = [`PRONTO_RUNTIME=${this.runtime}`, process.execPath, LAUNCHER]
    return runTool('env', [...environment, ...words, '--router', 'r1'])
  }

  async remove(): Promise<void> {
    if (this.#process !== undefined) await this.end('SIGKILL')
    for (const each of [this.client, this.router, this.server]) each.remove()
  }

  #link(one: TestNamespace, oneName: string, other: TestNamespace, otherName: string): void {
    const [a, b] = ['a', 'b'].map((end) => `t${randomBytes(4).toString('hex')}${end}`)
    ip(`link add name ${a} type veth peer name ${b}`)
    ip(`link set ${a} netns ${one.name} name ${oneName}`)
    ip(`link set ${b} netns ${other.name} name ${otherName}`)
    for (const [space, name] of [
      [one, oneName],
      [other, otherName],
    ] as const) {
      space.run(`ethtool -K ${name} tx off tso off gso off`)
      space.run(`ip link set ${name} up`)
    }
  }
}
