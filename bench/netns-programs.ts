/**
 * The programs of `npm run bench -- netns`: our router and host agents as `pronto router run` and `pronto host run`,
 * nginx on the servers, HAProxy on the kernel's router. The one idea: unmodified processes in their namespaces, with
 * configurations as an operator would write them, ended with their groups.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readBundle } from '../execution-env/bundle/index.ts'
import { LabAuthority } from '../lab/lab-authority.ts'
import { prontoCommand } from '../lab/netns/pronto-command.ts'
import { type ControlClient, connectRouter } from '../router/control-client/index.ts'
import { buildPlugin } from '../sdk/tools.ts'
import { FLOWS, type NetnsRig, OUR_ADDRESSES, SERVERS, SERVICES, SINK, VIRTUAL_HOSTS } from './netns-rig.ts'

const START_MS = 20_000
const END_MS = 5_000
const SMALL_BYTES = 1_000
const LARGE_BYTES = 64 << 20

/** What the servers serve, by name. */
export const PAGES = { small: 'small', large: 'large' } as const

interface Program {
  readonly child: ChildProcess
  readonly log: () => string
}

/** A router of ours that runs. */
export interface RunningRouter {
  readonly pid: number
  /** Another connection to it. */
  connect(): Promise<ControlClient>
}

export class NetnsPrograms {
  readonly folder = mkdtempSync(join(tmpdir(), 'pronto-bench-'))
  readonly #rig: NetnsRig
  readonly #programs: Program[] = []

  constructor(rig: NetnsRig) {
    this.#rig = rig
    chmodSync(this.folder, 0o755)
  }

  /** Our router with flows into the sink's tunnels by a policy, and web service by the service level routing plugin. */
  async startRouter(): Promise<RunningRouter> {
    const authority = new LabAuthority(1, Date.now())
    const trust = join(this.folder, 'trust')
    mkdirSync(trust)
    writeFileSync(join(trust, 'ca.crt'), authority.trust.roots.map((each) => each.toPem()).join(''))
    writeFileSync(join(trust, 'crl.pem'), authority.trust.lists.map((each) => each.toPem()).join(''))
    const plugin = fileURLToPath(new URL('../plugins/slr', import.meta.url))
    const bundle = join(this.folder, 'slr.pronto')
    writeFileSync(bundle, authority.sign(readBundle((await buildPlugin(plugin)).bytes)))
    const servers = SERVERS.ours.map((address) => ({ address }))
    return this.#startRouter('bench', this.#rig.ours, {
      addresses: OUR_ADDRESSES,
      routes: [{ to: FLOWS, via: SINK.ours }],
      policy: {
        tunnels: { sink: SINK.ours },
        filters: [{ to: FLOWS, action: { spread: [{ tunnel: 'sink' }], idle: '1h' } }],
      },
      plugins: [{ bundle, config: { virtualHosts: [{ to: `${SERVICES.pronto}/32` }], servers } }],
      trust,
    })
  }

  /** A router without plugins and without traffic, on two devices in a namespace of its own. */
  async startIdleRouter(): Promise<RunningRouter> {
    const { namespaces } = this.#rig
    const namespace = namespaces.make('e')
    for (const each of ['one', 'two'])
      namespaces.cable({ namespace, device: each }, { namespace, device: `${each}far` })
    return this.#startRouter('idle', namespace, { addresses: { one: '10.8.0.1/24', two: '10.9.0.1/24' } })
  }

  /** Servers: nginx and the host agent in each. */
  async startServers(): Promise<void> {
    const pages = join(this.folder, 'pages')
    mkdirSync(pages)
    writeFileSync(join(pages, PAGES.small), Buffer.alloc(SMALL_BYTES, 'x'))
    writeFileSync(join(pages, PAGES.large), Buffer.alloc(LARGE_BYTES, 'x'))
    await Promise.all(
      this.#rig.servers.map(async (namespace, i) => {
        const name = `s${i + 1}`
        const agent = {
          name,
          address: SERVERS.ours[i],
          devices: ['ours', 'kernel'],
          virtualHosts: [VIRTUAL_HOSTS],
        }
        const file = this.#write(`${name}.yaml`, JSON.stringify(agent))
        const program = this.#start(name, namespace, prontoCommand('host', 'run', file, '--json'))
        await this.#until(program, () => program.log().includes('"up"'), `agent ${name}`)
        this.#start(`${name}-nginx`, namespace, [
          'nginx',
          '-p',
          this.folder,
          '-c',
          this.#nginxFile(name, pages),
        ])
      }),
    )
  }

  async startProxy(): Promise<void> {
    const [first, second] = SERVERS.kernel
    const file = this.#write(
      'haproxy.cfg',
      [
        'global',
        '  nbthread 1',
        '  maxconn 4000',
        'defaults',
        '  mode tcp',
        '  timeout connect 5s',
        '  timeout client 30s',
        '  timeout server 30s',
        `listen web`,
        `  bind ${SERVICES.haproxy}:80`,
        '  balance roundrobin',
        `  server s1 ${first}:80`,
        `  server s2 ${second}:80`,
        '',
      ].join('\n'),
    )
    this.#start('haproxy', this.#rig.kernel, ['haproxy', '-db', '-f', file])
  }

  /** Waits until a service answers the client. */
  async reach(address: string): Promise<void> {
    const deadline = performance.now() + START_MS
    const words = ['netns', 'exec', this.#rig.client, 'curl', '-sf', '-m', '1', '-o', '/dev/null']
    while (spawnSync('ip', [...words, `http://${address}/${PAGES.small}`]).status !== 0) {
      if (performance.now() > deadline) throw new Error(`${address} does not answer:\n${this.#logs()}`)
      await sleep(50)
    }
  }

  /** Ends all programs and removes their files. Idempotent. */
  async end(): Promise<void> {
    const programs = this.#programs.splice(0)
    const running = programs.filter(({ child }) => child.exitCode === null && child.signalCode === null)
    const gone = running.map(({ child }) => new Promise((resolve) => child.once('exit', resolve)))
    for (const { child } of running.reverse()) signal(child, 'SIGTERM')
    await Promise.race([Promise.all(gone), sleep(END_MS, undefined, { ref: false })])
    for (const { child } of programs) signal(child, 'SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** The same at once, for an end that cannot wait. */
  kill(): void {
    for (const { child } of this.#programs.splice(0)) signal(child, 'SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #startRouter(name: string, namespace: string, config: object): Promise<RunningRouter> {
    const state = join(this.folder, `${name}-state`)
    const file = this.#write(`${name}.yaml`, JSON.stringify({ name, state, ...config }))
    const program = this.#start(name, namespace, prontoCommand('router', 'run', file))
    await this.#until(program, () => program.log().includes('is up'), `router ${name}`)
    const address = { kind: 'local' as const, folder: join(this.folder, 'run', name) }
    return {
      pid: program.child.pid!,
      connect: () => connectRouter({ address, role: 'read', timeoutMs: START_MS }),
    }
  }

  #nginxFile(name: string, pages: string): string {
    const own = join(this.folder, name)
    mkdirSync(own)
    return this.#write(
      `${name}-nginx.conf`,
      `daemon off; worker_processes 1; worker_rlimit_nofile 65536; user nobody nogroup;
pid ${own}/pid; error_log ${own}/error.log warn;
events { worker_connections 16384; }
http {
  access_log off; etag off; sendfile on; keepalive_requests 1000000000;
  client_body_temp_path ${own}/body; proxy_temp_path ${own}/proxy; fastcgi_temp_path ${own}/fastcgi;
  uwsgi_temp_path ${own}/uwsgi; scgi_temp_path ${own}/scgi;
  server { listen 0.0.0.0:80 backlog=4096; root ${pages}; }
}
`,
    )
  }

  #write(name: string, text: string): string {
    const path = join(this.folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }

  #start(name: string, namespace: string, command: readonly string[]): Program {
    const out = join(this.folder, `${name}.log`)
    const shell = ['sh', '-c', 'exec "$@" >"$0" 2>&1', out, ...command]
    const child = spawn('ip', ['netns', 'exec', namespace, ...shell], {
      stdio: 'ignore',
      detached: true,
      env: { ...process.env, PRONTO_RUNTIME: join(this.folder, 'run') },
    })
    const program = { child, log: () => readText(out) }
    this.#programs.push(program)
    return program
  }

  async #until(program: Program, check: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + START_MS
    while (!check()) {
      if (program.child.exitCode !== null || performance.now() > deadline)
        throw new Error(`${what} does not come up:\n${program.log()}`)
      await sleep(20)
    }
  }

  #logs(): string {
    return this.#programs.map(({ log }) => log()).join('\n')
  }
}

function signal({ pid }: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    if (pid !== undefined) process.kill(-pid, name)
  } catch {
    // its group has ended
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
