/** A world for commands under test: captured output, a fake backend, a clock that is told the time. */
import { runCli } from '../../cli/cli.ts'
import type { World } from '../../cli/command.ts'
import { commands } from '../../cli/commands/index.ts'
import { NEVER_STOP, type Stop } from '../../cli/stop.ts'
import { Terminal } from '../../cli/terminal.ts'
import {
  type Backend,
  type BackendName,
  type BackendRegistry,
  BackendUnavailableError,
  type Capabilities,
  FEATURES,
  type Lab,
  type Measurements,
  type RunOptions,
} from '../../lab/index.ts'

/** Collects what is written. */
export class Captured {
  text = ''
  readonly isTTY: boolean
  constructor(isTTY = false) {
    this.isTTY = isTTY
  }
  write(text: string): void {
    this.text += text
  }
}

export const ALL_CAPABILITIES = Object.fromEntries(FEATURES.map((each) => [each, true])) as Capabilities

const NO_REQUESTS = {
  attempted: 3,
  completed: 3,
  failed: 0,
  bytesIn: 30,
  bytesOut: 3,
  latencyMs: { p50: 1, p99: 2 },
  servers: { s1: 3 },
  corrupted: 0,
}

/** What a run of the sample lab might measure. */
export function measurementsOf(lab: Lab): Measurements {
  const hosts = lab.nodes.filter((node) => node.kind === 'host' && node.clients.length > 0)
  return {
    lab: lab.name,
    backend: 'sim',
    seed: lab.seed,
    virtualSeconds: 20,
    clients: Object.fromEntries(hosts.map((node) => [node.name, [NO_REQUESTS]])),
    routers: {},
    wall: {},
  }
}

/** A backend that records how it was called. */
export class FakeBackend implements Backend {
  readonly name: BackendName = 'sim'
  readonly capabilities: Capabilities
  readonly calls: { how: string; lab: Lab; options?: RunOptions }[] = []
  /** What a run does. */
  behaviour: (lab: Lab, options: RunOptions) => Promise<Measurements> = async (lab) => measurementsOf(lab)

  constructor(capabilities: Partial<Capabilities> = {}) {
    this.capabilities = { ...ALL_CAPABILITIES, ...capabilities }
  }

  run(lab: Lab, options: RunOptions): Promise<Measurements> {
    this.calls.push({ how: 'run', lab, options })
    return this.behaviour(lab, options)
  }

  up(lab: Lab, options: RunOptions): Promise<Measurements> {
    this.calls.push({ how: 'up', lab, options })
    return this.behaviour(lab, options)
  }

  async down(lab: Lab): Promise<{ found: boolean; removed: string[] }> {
    this.calls.push({ how: 'down', lab })
    return { found: true, removed: ['namespace c1'] }
  }
}

export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs typed words against a backend; without one, no backend is available. */
export async function type(
  words: readonly string[],
  backend?: Backend,
  more: { stop?: Stop; clock?: () => number; tty?: boolean; environment?: Record<string, string> } = {},
): Promise<Outcome> {
  const stdout = new Captured(more.tty)
  const stderr = new Captured(more.tty)
  const backends: BackendRegistry = {
    async open(name) {
      if (backend?.name !== name) throw new BackendUnavailableError(name, 'there is none in this test')
      return backend
    },
  }
  const world: World = {
    terminal: new Terminal(stdout, stderr, more.environment ?? {}),
    stop: more.stop ?? NEVER_STOP,
    backends,
    clock: more.clock ?? (() => 0),
  }
  const code = await runCli(words, commands, world)
  return { code, out: stdout.text, err: stderr.text }
}
