/**
 * Decisions through a sandbox process: how many in batches, and what a single one costs against a bare echo of as many
 * bytes over the same kind of pipes with a process that is set up alike; what loading, moving state and coming back
 * after a crash take.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { confine, nodeFlags } from '../execution-env/sandbox/confinement.ts'
import { closeEnds, readEnd, writeEnd } from '../execution-env/sandbox/descriptor.ts'
import { openFifoPair } from '../execution-env/sandbox/fifo.ts'
import { Batch, InProcessSandbox, ProcessSandbox, type Sandbox, vet } from '../execution-env/sandbox/index.ts'
import { alternate, type Benchmark, type Figure, figure, ratio } from './benchmark.ts'

/** As a flow's first packet is told: key, ports, protocol, port, flags, length. */
const SHAPE = { capacity: 256, inputWords: 8, outputWords: 4 }
const AT = { now: 1e9, clock: 1.7e12 }
/** Frames of a batch of one: header, head and record each way. */
const ECHO_BYTES = 16 + 32 + 32

const RUNTIME = `(host, exports) => ({
  calls: exports.calls,
  batches: { decide(input, output, count) {
    for (let at = 0; at < count; at++) {
      const from = at * 8
      const server = exports.decide(input[from], input[from + 1], input[from + 2], input[from + 3], input[from + 5])
      output[at * 4] = server < 0 ? 0 : 1
      output[at * 4 + 1] = server
    }
  } },
})`

/** Weighted least load of 16 servers. */
const POLICY = `
  const weights = [], loads = new Float64Array(16), flows = new Map()
  for (let at = 0; at < 16; at++) weights.push(1 + at % 4)
  module.exports = {
    decide(from, to, ports, protocol, length) {
      if (protocol !== 6 || (ports & 0xffff) !== 80) return -1
      let best = 0, least = Infinity
      for (let at = 0; at < 16; at++) {
        const load = loads[at] / weights[at]
        if (load < least) { least = load; best = at }
      }
      loads[best] += length
      if (loads[best] > 1e9) loads.fill(0)
      return best
    },
    calls: {
      fill(count) { for (let at = 0; at < count; at++) flows.set('10.0.' + (at >> 8) + '.' + (at & 255), { server: at % 16, bytes: at * 100 }) },
      exportState: () => [...flows],
      importState(old) { for (const [key, value] of old) flows.set(key, value); return flows.size },
    },
  }`

const code = vet(POLICY, 'policy.js')

/** A bundle of about 100 kB. */
const LARGE = vet(
  `${Array.from({ length: 1_000 }, (_, at) => `function f${at}(a, b) { const x = a * ${at} + b; let s = 0; for (let k = 0; k < x % 7; k++) { s += k * ${at} } return { s, x } }`).join('\n')}\n${POLICY}`,
  'large.js',
)

function load(sandbox: Sandbox, instance: string, what = code, now = 0): void {
  sandbox.load(
    instance,
    what,
    { runtime: RUNTIME, seed: [1, 2, 3, 4], limits: { loadMs: 10_000 } },
    AT,
    (reply) => {
      if (!reply.ok) throw new Error(reply.failure.message)
    },
  )
  sandbox.poll(now)
}

function call(sandbox: Sandbox, instance: string, entry: string, argument: number | null): unknown {
  let value: unknown
  sandbox.call(instance, entry, argument, AT, (reply) => {
    if (!reply.ok) throw new Error(reply.failure.message)
    value = reply.value
  })
  sandbox.poll(0)
  return value
}

/** Decides `decisions` records in batches of `size`. */
function deciding(sandbox: Sandbox, size: number, decisions: number): () => number {
  const batch = new Batch(SHAPE)
  let seed = 1
  let sum = 0
  const done = (decided: Batch): void => {
    if (decided.failure !== undefined) throw new Error(decided.failure.message)
    sum += decided.output[1]!
  }
  return () => {
    for (let round = 0; round < decisions / size; round++) {
      const { input } = batch
      seed++
      batch.count = size
      for (let at = 0; at < size; at++) {
        const from = at * 8
        input[from] = 0x0a000001 + seed
        input[from + 1] = 0xc6120050 | 0
        input[from + 2] = ((1024 + at) << 16) | 80
        input[from + 3] = 6
        input[from + 5] = 512
      }
      sandbox.decide('policy', 'decide', batch, AT, done)
      sandbox.poll(0)
    }
    return sum
  }
}

/** The same with as many batches under way as the pipe takes, as a router on real ports has them. */
function pipelining(sandbox: Sandbox, size: number, decisions: number): () => number {
  const batches = Array.from({ length: 16 }, () => new Batch(SHAPE))
  let sum = 0
  let waiting = 0
  const done = (decided: Batch): void => {
    if (decided.failure !== undefined) throw new Error(decided.failure.message)
    sum += decided.output[0]!
    waiting--
  }
  return () => {
    for (let posted = 0; posted < decisions / size; ) {
      for (const batch of batches) {
        batch.count = size
        for (let at = 0; at < size; at++) {
          batch.input[at * 8 + 2] = 80
          batch.input[at * 8 + 3] = 6
        }
        sandbox.decide('policy', 'decide', batch, AT, done)
        waiting++
        posted++
      }
      while (waiting > 0) sandbox.poll(Number(process.hrtime.bigint()))
    }
    return sum
  }
}

/** Sends bytes to a process that sends them back. */
function echoing(rounds: number): { run: () => number; close: () => void } {
  const { router, child } = openFifoPair(true)
  const program = fileURLToPath(new URL('./echo-program.ts', import.meta.url))
  const [command, ...parameters] = [...confine().prefix, process.execPath, ...nodeFlags(program), program]
  const echo = spawn(command!, parameters, {
    stdio: ['ignore', 'ignore', 'ignore', child.readFd, child.writeFd],
  })
  closeEnds(child)
  const bytes = new Uint8Array(ECHO_BYTES)
  const run = (): number => {
    let sum = 0
    for (let round = 0; round < rounds; round++) {
      writeEnd(router.writeFd, bytes, 0, ECHO_BYTES)
      for (let got = 0; got < ECHO_BYTES; ) got += readEnd(router.readFd, bytes, got)
      sum += bytes[0]!
    }
    return sum
  }
  return {
    run,
    close: () => {
      closeEnds(router)
      echo.kill('SIGKILL')
    },
  }
}

const perSecond = (ns: readonly number[]): number[] => ns.map((each) => 1e9 / each)

const EIGHT = { relation: '>=', value: 100_000 } as const
const FULL = { relation: '>=', value: 1_500_000 } as const

function openPolled(): ProcessSandbox {
  const sandbox = new ProcessSandbox({ blocking: false, limits: { bootMs: 60_000, deadlineMs: 60_000 } })
  const now = (): number => Number(process.hrtime.bigint())
  const serving = (): boolean => sandbox.stats().state === 'serving'
  while (!serving()) sandbox.poll(now())
  load(sandbox, 'policy', code, now())
  while (sandbox.stats().outstanding > 0) sandbox.poll(now())
  return sandbox
}

function throughput(): Figure[] {
  const sandbox = new ProcessSandbox({ blocking: true, limits: { deadlineMs: 60_000 } })
  const trusted = new InProcessSandbox()
  load(sandbox, 'policy')
  load(trusted, 'policy')
  const [singles, eights, many] = [2_000, 32_000, 512_000]
  const echo = echoing(singles)
  // Both sides are compiled once they have run long enough.
  const one = {
    echo: echo.run,
    sandbox: deciding(sandbox, 1, singles),
    trusted: deciding(trusted, 1, singles),
  }
  for (let round = 0; round < 15; round++) one.sandbox()
  const single = alternate(one, singles, 15)
  const polled = openPolled()
  const eight = alternate(
    { blocking: deciding(sandbox, 8, eights), polled: pipelining(polled, 8, eights) },
    eights,
  )
  const full = alternate(
    {
      blocking: deciding(sandbox, 256, many),
      polled: pipelining(polled, 256, many),
      trusted: deciding(trusted, 256, many),
    },
    many,
  )
  echo.close()
  void sandbox.close()
  void polled.close()
  return [
    figure('echo over pipes, 80 bytes', 'ns', single['echo']!),
    figure('one decision through the sandbox', 'ns', single['sandbox']!),
    figure('one decision to an echo', 'ratio', ratio(single['sandbox']!, single['echo']!), {
      relation: '<=',
      value: 1.5,
    }),
    figure('decisions in batches of 8', '1/s', perSecond(eight['blocking']!), EIGHT),
    figure('decisions in batches of 8, polled', '1/s', perSecond(eight['polled']!), EIGHT),
    figure('decisions in batches of 256', '1/s', perSecond(full['blocking']!), FULL),
    figure('decisions in batches of 256, polled', '1/s', perSecond(full['polled']!), FULL),
    figure('trusted: decisions one by one', '1/s', perSecond(single['trusted']!)),
    figure('trusted: decisions in batches of 256', '1/s', perSecond(full['trusted']!)),
  ]
}

/** Milliseconds of each of several runs. */
function milliseconds(rounds: number, run: (round: number) => void): number[] {
  return Array.from({ length: rounds }, (_, round) => {
    const before = process.hrtime.bigint()
    run(round)
    return Number(process.hrtime.bigint() - before) / 1e6
  })
}

function changes(): Figure[] {
  const sandbox = new ProcessSandbox({ blocking: true, limits: { deadlineMs: 60_000 } })
  sandbox.poll(0)
  const vetting = milliseconds(5, () => vet(LARGE.source, 'large.js'))
  const loading = milliseconds(5, (round) => load(sandbox, `large-${round}`, LARGE))
  const moving = milliseconds(5, (round) => {
    load(sandbox, `from-${round}`)
    call(sandbox, `from-${round}`, 'fill', 10_000)
    load(sandbox, `to-${round}`)
  })
  const moved = milliseconds(5, (round) => {
    const state = call(sandbox, `from-${round}`, 'exportState', null)
    if (call(sandbox, `to-${round}`, 'importState', state as number) !== 10_000)
      throw new Error('state was lost')
  })
  const returning = milliseconds(3, (round) => {
    sandbox.kill(round * 1e12)
    sandbox.poll(round * 1e12)
    load(sandbox, 'again')
  })
  void sandbox.close()
  const sums = vetting.map((each, round) => each + loading[round]!)
  return [
    figure('vetting a bundle of 100 kB', 'ms', vetting),
    figure('loading it', 'ms', loading),
    figure('both', 'ms', sums, { relation: '<=', value: 150 }),
    figure('preparing an instance with 10,000 flows', 'ms', moving),
    figure('moving the state of 10,000 flows', 'ms', moved, { relation: '<=', value: 50 }),
    figure('from a crash to an instance that serves', 'ms', returning, { relation: '<=', value: 1_000 }),
  ]
}

export const bench: Benchmark = {
  name: 'sandbox',
  describes: 'decisions through a sandbox process, loading, moving state, restarting',
  run: () => [...throughput(), ...changes()],
}
