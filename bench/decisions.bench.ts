/**
 * The pipeline with a plugin: every flow's first packet is decided in TypeScript, at one new flow in a hundred
 * packets, through the whole control path (upcall, batch, sandbox, guest, transaction, fast path), against the
 * pipeline without. The engine's thread is measured: a sandbox process has a processor of its own.
 */
import { ROUTER_OWNER } from '../engine/index.ts'
import type { Capabilities } from '../execution-env/contract/index.ts'
import { resolveLimits } from '../execution-env/contract/index.ts'
import { Dispatcher } from '../execution-env/dispatch/dispatcher.ts'
import { Grants } from '../execution-env/dispatch/grants.ts'
import { Program } from '../execution-env/dispatch/program.ts'
import type { Tenant } from '../execution-env/dispatch/tenant.ts'
import { GUEST_RUNTIME } from '../execution-env/guest/runtime.ts'
import { InProcessSandbox, ProcessSandbox, type Sandbox, vet } from '../execution-env/sandbox/index.ts'
import { type Benchmark, type Figure, figure, ratio } from './benchmark.ts'
import { BATCH, build, frameOf, type Rig } from './pipeline.bench.ts'

const PACKETS = 200_000
const ROUNDS = 5
const WARM_ROUNDS = 4
/** One packet in so many begins a flow. */
const PER_FLOW = 100
const KNOWN = 4096
/** Flows that begin, again and again: they are over before they come again. */
const FRESH = 16_384
const IDLE = '40ms'
const STEP_NS = 20_000

const CAPABILITIES: Capabilities = {
  flows: { to: ['198.18.0.0/15'], actions: ['class', 'tunnel'] },
  tunnels: { open: ['10.1.0.0/16'] },
}

/** Least load of eight servers, as a policy would have it; all of them behind one address here. */
const POLICY = `module.exports = { setup(router) {
  const servers = Array.from({ length: 8 }, (_, i) => ({ load: 0, weight: 1 + i % 3,
    tunnel: router.tunnels.open({ to: '10.1.0.2', key: 'server' + i }) }))
  router.flows.claim({ to: '198.18.0.0/15' }, (flow) => {
    let best = servers[0]
    for (const each of servers) if (each.load / each.weight < best.load / best.weight) best = each
    best.load++
    return { tunnel: best.tunnel, class: flow.fromPort % 2 ? 'c1' : 'c2', idle: '${IDLE}' }
  }, { wait: '10s' })
} }`

/** A router whose unknown flows a plugin decides. */
class Decided {
  readonly rig: Rig
  readonly dispatcher: Dispatcher
  readonly tenant: Tenant
  now = 1_000_000

  constructor(sandbox: Sandbox) {
    this.rig = build(true)
    const { engine } = this.rig
    this.dispatcher = new Dispatcher({ engine, calendar: () => 0 })
    this.tenant = this.dispatcher.addTenant({ id: 'policy' })
    const program = this.#load(sandbox)
    this.dispatcher.processors.admit(this.tenant, program, this.now)
    this.dispatcher.serve(this.tenant, program)
  }

  #load(sandbox: Sandbox): Program {
    const { dispatcher, tenant } = this
    const program = new Program({
      name: 'policy',
      version: '1.0.0',
      sandbox,
      grants: new Grants(CAPABILITIES),
      limits: resolveLimits({}),
      settings: {
        priority: 0,
        fallback: { kind: 'drop' },
        cpu: {},
        decisionsPerSecond: Number.POSITIVE_INFINITY,
        flows: Number.POSITIVE_INFINITY,
      },
      decisions: this.rig.engine.decisions,
    })
    const at = dispatcher.moment(this.now)
    const setup = { id: 'policy', config: {}, capabilities: CAPABILITIES as never, ports: ['in', 'out'] }
    let ready = false
    const takeOver = (requests: Parameters<typeof dispatcher.transactions.propose>[2]): void => {
      const draft = dispatcher.transactions.propose(tenant, program, requests, this.now)
      const plan = dispatcher.transactions.plan(tenant, program, draft, this.now)
      dispatcher.transactions.commit(tenant, program, draft, plan, this.now)
      ready = true
    }
    const options = { runtime: GUEST_RUNTIME, seed: [1, 2, 3, 4] } as const
    sandbox.load('policy', vet(POLICY, 'policy.js'), options, at, () =>
      sandbox.call('policy', 'setup', setup, at, (reply) => {
        if (!reply.ok) throw new Error(reply.failure.message)
        takeOver(reply.requests)
      }),
    )
    while (!ready) sandbox.poll(performance.now() * 1e6)
    return program
  }

  /** ns per packet of engine and dispatcher. */
  drive(packets: number): number {
    const { rig, dispatcher } = this
    let spent = 0n
    for (let sent = 0; sent < packets; sent += BATCH) {
      feed(rig, sent)
      const start = process.hrtime.bigint()
      rig.engine.poll(this.now)
      dispatcher.poll(this.now)
      spent += process.hrtime.bigint() - start
      this.now += STEP_NS
    }
    return Number(spent) / packets
  }

  /** Lets everything under way come to rest. */
  async settle(): Promise<void> {
    for (let round = 0; round < 2_000; round++) {
      this.rig.engine.poll(this.now)
      if (this.dispatcher.poll(this.now) === 0 && this.rig.engine.balance().parked === 0) return
      await new Promise(setImmediate)
    }
  }
}

const fresh = Array.from({ length: FRESH }, (_, i) => frameOf(KNOWN + i))
let begun = 0

function feed(rig: Rig, sent: number): void {
  for (let i = 0; i < BATCH; i++) {
    const packet = sent + i
    if (packet % PER_FLOW === 0) rig.input.deliver(fresh[begun++ % FRESH]!)
    else rig.input.deliver(rig.frames[(packet * 2654435761) & (KNOWN - 1)]!)
  }
}

/** ns per packet of the engine alone, its unknown flows pinned by a filter of the operator's. */
class Static {
  readonly rig = build(true)
  now = 1_000_000

  constructor() {
    const to = [{ action: { kind: 'tunnel', tunnel: 'server' }, weight: 1 }] as const
    const action = { kind: 'spread', to, idleNs: 40e6 } as const
    const filter = { to: '198.18.0.0/15' }
    this.rig.engine.control.commit(ROUTER_OWNER, [{ do: 'install-filter', name: 'all', filter, action }], 0)
  }

  drive(packets: number): number {
    let spent = 0n
    for (let sent = 0; sent < packets; sent += BATCH) {
      feed(this.rig, sent)
      const start = process.hrtime.bigint()
      this.rig.engine.poll(this.now)
      spent += process.hrtime.bigint() - start
      this.now += STEP_NS
    }
    return Number(spent) / packets
  }
}

async function measure(sandboxes: Readonly<Record<string, Sandbox>>): Promise<Figure[]> {
  const without = new Static()
  const decided = Object.entries(sandboxes).map(([name, sandbox]) => ({ name, router: new Decided(sandbox) }))
  const rounds = new Map<string, number[]>([
    ['without', []],
    ...decided.map(({ name }) => [name, []] as [string, number[]]),
  ])
  for (let round = 0; round < WARM_ROUNDS + ROUNDS; round++) {
    const note = (name: string, value: number): void => {
      if (round >= WARM_ROUNDS) rounds.get(name)!.push(value)
    }
    note('without', without.drive(PACKETS))
    for (const { name, router } of decided) {
      note(name, router.drive(PACKETS))
      await router.settle()
    }
  }
  const base = rounds.get('without')!
  return [
    figure('without a plugin, unknown flows pinned by a filter', 'ns', base),
    ...decided.flatMap(({ name, router }) => {
      const { decisions, late, fallbacks, batches } = router.tenant.counters
      if (late + fallbacks > 0)
        throw new Error(`${late} late, ${fallbacks} fallbacks of ${decisions} decisions`)
      return [
        figure(`${name}: ns per packet`, 'ns', rounds.get(name)!),
        figure(`${name}: to the pipeline without`, 'x', ratio(rounds.get(name)!, base), {
          relation: '<=',
          value: 1.3,
        }),
        figure(`${name}: decisions per batch`, '', [decisions / batches]),
      ]
    }),
  ]
}

export const bench: Benchmark = {
  name: 'decisions',
  describes: 'a plugin decides every flow’s first packet, one packet in a hundred',
  async run() {
    const process = new ProcessSandbox({ blocking: false })
    try {
      return await measure({ 'sandbox process': process, 'trusted, in process': new InProcessSandbox() })
    } finally {
      await process.close()
    }
  },
}
