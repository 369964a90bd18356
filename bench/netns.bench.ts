/**
 * The router as operators have it: `pronto router run` between network namespaces, its service level routing plugin in
 * its sandbox, host agents and nginx on the servers, an operator at the control socket; against ip_forward and HAProxy
 * in TCP mode on the same cables with the same settings (all offloads off).
 *
 * The one idea: everything runs all the time and contestants alternate, round by round, so that the machine's moods
 * reach all; only ratios of rounds that were neighbours count.
 *
 * Generators: for packets, sendmmsg(2) of 64 frames of 64 bytes from a raw socket, on a thread of its own; for the web,
 * wrk with one thread.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlClient } from '../router/control-client/index.ts'
import { type Benchmark, type Figure, figure, median, ratio } from './benchmark.ts'
import { familyOf, loadWeb, processorTime, Sender, type WebLoad } from './netns-measure.ts'
import { NetnsPrograms, PAGES, type RunningRouter } from './netns-programs.ts'
import { type Contestant, missing, NetnsRig, SERVICES } from './netns-rig.ts'

const IDLE_MS = 10_000
const SETTLE_MS = 3_000
const FLOOD_ROUNDS = 11
const FLOOD_MS = 500
/** More than anybody can send. */
const FLAT_OUT = 1e9
const PROBE_ROUNDS = 3
const PROBES = 500
const WEB_ROUNDS = 5
const CONNECTIONS: WebLoad = { page: PAGES.small, connections: 64, seconds: 2, closing: true }
const DOWNLOAD_ROUNDS = 5
const DOWNLOAD: WebLoad = { page: PAGES.large, connections: 1, seconds: 1, closing: false }
const STREAMS = 8
const ASKED_MS = 4_000
const ASKED_ROUNDS = 3
const QUERIES_PER_SECOND = 100
/** A router reads at most a hundred messages a second of a session. */
const SESSIONS = 4
const WATCH_MS = 100

type Side = 'ours' | 'kernel'
const SIDES: readonly Side[] = ['ours', 'kernel']

/** Percent of one processor that routers without traffic take, sandboxes included. */
async function idle(routers: Readonly<Record<string, RunningRouter>>): Promise<Figure[]> {
  await sleep(SETTLE_MS)
  const families = Object.entries(routers).map(([name, { pid }]) => ({ name, pids: familyOf(pid) }))
  const before = families.map(({ pids }) => processorTime(pids))
  await sleep(IDLE_MS)
  return families.map(({ name, pids }, i) => {
    const percent = (processorTime(pids) - before[i]!) / IDLE_MS / 1e4
    const what = `processor time without traffic, ${name}, ${pids.length} processes`
    return figure(what, '%', [percent], { relation: '<=', value: 0.5 })
  })
}

/** The packets' part of the rig. */
class Packets {
  readonly #rig: NetnsRig
  readonly #senders: Readonly<Record<Side, Sender>>
  readonly #macs: Readonly<Record<Side, Uint8Array>>

  constructor(rig: NetnsRig) {
    this.#rig = rig
    const sender = (side: Side): Sender =>
      new Sender({ source: rig.path(rig.client), sink: rig.path(rig.sink), near: side, far: side })
    this.#senders = { ours: sender('ours'), kernel: sender('kernel') }
    this.#macs = { ours: rig.mac('ours'), kernel: rig.mac('kernel') }
  }

  /** Sends for a while; answers with frames sent, and frames that reached the sink until then and until later. */
  async flood(side: Side, ms: number, rate: number): Promise<{ sent: number; rate: number; lost: number }> {
    const rig = this.#rig
    const start = performance.now()
    const before = rig.arrived(side)
    const [sent] = (await this.#senders[side].send({ to: this.#macs[side], ms, rate })) as [number]
    const during = rig.arrived(side) - before
    const tookMs = performance.now() - start
    await sleep(100)
    return { sent, rate: during / tookMs, lost: sent - (rig.arrived(side) - before) }
  }

  /** Median time of a probe in us. */
  async probe(side: Side): Promise<number> {
    const took = await this.#senders[side].send({ to: this.#macs[side], count: PROBES })
    if (took.length < PROBES * 0.9) throw new Error(`only ${took.length} of ${PROBES} probes arrived`)
    return median(took) / 1000
  }

  async end(): Promise<void> {
    await Promise.all(SIDES.map((side) => this.#senders[side].end()))
  }
}

/** Rounds of both sides, alternating, the first of each time another one. */
async function contest(
  rounds: number,
  measure: (side: Side) => Promise<number>,
): Promise<Record<Side, number[]>> {
  const measured: Record<Side, number[]> = { ours: [], kernel: [] }
  for (let round = 0; round < rounds; round++)
    for (const side of round % 2 === 0 ? SIDES : [...SIDES].reverse())
      measured[side].push(await measure(side))
  return measured
}

async function forwarding(packets: Packets): Promise<{ figures: Figure[]; most: number }> {
  // Pins the flows and lets the code settle.
  for (const side of SIDES) for (let i = 0; i < 3; i++) await packets.flood(side, FLOOD_MS, FLAT_OUT)
  const rates = await contest(
    FLOOD_ROUNDS,
    async (side) => (await packets.flood(side, FLOOD_MS, FLAT_OUT)).rate,
  )
  const figures = [
    figure('ip_forward, 50k flows', 'kpps', rates.kernel),
    figure('pronto router run over raw sockets, 50k flows, IP-in-IP', 'kpps', rates.ours),
    figure('forwarded packets, pronto to ip_forward', 'ratio', ratio(rates.ours, rates.kernel), {
      relation: '>=',
      value: 0.7,
    }),
  ]
  return { figures, most: median(rates.ours) * 1000 }
}

async function latency(packets: Packets): Promise<Figure[]> {
  const took = await contest(PROBE_ROUNDS, (side) => packets.probe(side))
  const added = took.ours.map((each, round) => each - took.kernel[round]!)
  return [
    figure('latency of ip_forward at 1000 packets/s, p50', 'us', took.kernel),
    figure('latency that pronto adds, asleep between packets, p50', 'us', added, {
      relation: '<=',
      value: 150,
    }),
  ]
}

/** An operator who asks and watches. */
class Operator {
  readonly #clients: ControlClient[] = []
  readonly #ended = new AbortController()
  answers = 0
  updates = 0

  async begin(router: RunningRouter): Promise<void> {
    for (let i = 0; i < SESSIONS; i++) this.#clients.push(await router.connect())
    const watch = { query: { table: 'flows', limit: 100 }, everyMs: WATCH_MS }
    await this.#clients[0]!.watch(watch, () => {
      this.updates++
    })
    void this.#ask()
  }

  async end(): Promise<void> {
    this.#ended.abort()
    for (const each of this.#clients) each.close()
    await Promise.all(this.#clients.map(({ ended }) => ended))
  }

  async #ask(): Promise<void> {
    const everyMs = 1000 / QUERIES_PER_SECOND
    const begun = performance.now()
    for (let asked = 0; !this.#ended.signal.aborted; asked++) {
      const client = this.#clients[asked % SESSIONS]!
      const method = asked % 2 === 0 ? 'stats' : 'tunnels'
      client.call(method).then(
        () => this.answers++,
        () => {},
      )
      await sleep(Math.max(0, begun + (asked + 1) * everyMs - performance.now()))
    }
  }
}

/** Loss at half of the largest rate, left alone and asked all the time. */
async function asked(packets: Packets, router: RunningRouter, most: number): Promise<Figure[]> {
  const lost: Record<'alone' | 'asked', number[]> = { alone: [], asked: [] }
  const answers: number[] = []
  const updates: number[] = []
  const rate = most / 2
  for (let round = 0; round < ASKED_ROUNDS; round++) {
    lost.alone.push((await packets.flood('ours', ASKED_MS, rate)).lost)
    const operator = new Operator()
    await operator.begin(router)
    const [answered, updated] = [operator.answers, operator.updates]
    lost.asked.push((await packets.flood('ours', ASKED_MS, rate)).lost)
    answers.push((operator.answers - answered) / (ASKED_MS / 1000))
    updates.push((operator.updates - updated) / (ASKED_MS / 1000))
    await operator.end()
  }
  return [
    figure('answers to control queries during it', '1/s', answers),
    figure('updates of a subscription during it', '1/s', updates),
    figure(
      `packets lost in ${ASKED_MS / 1000} s at half of the largest rate, left alone`,
      'packets',
      lost.alone,
    ),
    figure('packets lost, asked 100 times a second and watched', 'packets', lost.asked, {
      relation: '<=',
      value: 0,
    }),
  ]
}

/** Runs of wrk of contestants, alternating. */
async function web(
  contestants: readonly Contestant[],
  rounds: number,
  measure: (who: Contestant) => Promise<number>,
): Promise<Record<Contestant, number[]>> {
  const measured: Record<Contestant, number[]> = { pronto: [], haproxy: [], plain: [] }
  for (let round = 0; round < rounds; round++)
    for (let i = 0; i < contestants.length; i++) {
      const who = contestants[(i + round) % contestants.length]!
      measured[who].push(await measure(who))
    }
  return measured
}

async function connections(rig: NetnsRig): Promise<Figure[]> {
  const measure = async (who: Contestant) => (await loadWeb(rig, who, CONNECTIONS)).requestsPerSecond
  const contestants = ['pronto', 'haproxy', 'plain'] as const
  for (const who of contestants) await measure(who)
  const { pronto, haproxy, plain } = await web(contestants, WEB_ROUNDS, measure)
  return [
    figure('HTTP connections, plain routing', '1/s', plain),
    figure('HTTP connections, HAProxy in TCP mode', '1/s', haproxy),
    figure('HTTP connections, slr in its sandbox, clsact exit', '1/s', pronto),
    figure('connections, pronto to plain routing', '', ratio(pronto, plain)),
    figure('connections, pronto to HAProxy', 'ratio', ratio(pronto, haproxy), { relation: '>=', value: 1.1 }),
  ]
}

async function downloads(rig: NetnsRig): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const streams of [1, STREAMS]) {
    const load = { ...DOWNLOAD, connections: streams }
    const measure = async (who: Contestant) => ((await loadWeb(rig, who, load)).bytesPerSecond * 8) / 1e9
    const { pronto, plain } = await web(['pronto', 'plain'], DOWNLOAD_ROUNDS, measure)
    const what = streams === 1 ? 'one stream' : `${streams} streams`
    figures.push(
      figure(`downloads, plain routing, ${what}`, 'Gbit/s', plain),
      figure(`downloads, pronto, ${what}`, 'Gbit/s', pronto),
      figure(`downloads, pronto to plain routing, ${what}`, 'ratio', ratio(pronto, plain), {
        relation: '>=',
        value: 0.9,
      }),
    )
  }
  return figures
}

async function measure(rig: NetnsRig, programs: NetnsPrograms): Promise<Figure[]> {
  const [router, without] = await Promise.all([programs.startRouter(), programs.startIdleRouter()])
  await programs.startServers()
  await programs.startProxy()
  for (const address of Object.values(SERVICES)) await programs.reach(address)
  const figures = await idle({ 'slr loaded': router, 'no plugin': without })
  const packets = new Packets(rig)
  try {
    const { figures: forwarded, most } = await forwarding(packets)
    figures.push(...forwarded, ...(await latency(packets)), ...(await asked(packets, router, most)))
  } finally {
    await packets.end()
  }
  figures.push(...(await connections(rig)), ...(await downloads(rig)))
  return figures
}

export const bench: Benchmark = {
  name: 'netns',
  describes: 'pronto router run between real hosts, against ip_forward and HAProxy (Linux, root)',
  async run() {
    const reason = missing()
    if (reason !== undefined) {
      process.stderr.write(`  netns is skipped: ${reason}\n`)
      return []
    }
    const rig = new NetnsRig()
    const programs = new NetnsPrograms(rig)
    const atExit = (): void => {
      programs.kill()
      rig.remove()
    }
    const end = (): never => process.exit(1)
    process.on('exit', atExit)
    for (const each of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(each, end)
    try {
      return await measure(rig, programs)
    } finally {
      await programs.end()
      rig.remove()
      process.off('exit', atExit)
      for (const each of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(each, end)
    }
  },
}
