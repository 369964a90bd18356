/** `pronto host`: the agent of a real host (docs/host-agent.md). */
import { once } from 'node:events'
import { rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DocumentError, NAME_PATTERN } from '../../document/index.ts'
import { CertificateError } from '../../execution-env/certificates/index.ts'
import {
  AgentProcess,
  askAgent,
  type ControlRequest,
  HostError,
  type HostEvent,
  type HostStatus,
  loadHostConfig,
} from '../../host/agent/linux/index.ts'
import { ControlError, makeRouterFolder, runtimeFolder } from '../../router/index.ts'
import { type Call, type Command, CommandError, DONE, type ExitCode, UsageError } from '../command.ts'
import { harmless } from './refusals.ts'

/** Below the runtime folder. */
const HOSTS = 'hosts'
const NAME = { name: 'NAME', describes: 'the name in the configuration of an agent of this machine' }

const hostRun: Command = {
  words: ['host', 'run'],
  summary: 'Make this machine a host of virtual addresses until Ctrl-C or SIGTERM',
  parameters: [{ name: 'FILE', describes: 'its configuration (docs/host-agent.md)' }],
  options: {},
  run: (call) => tellingRefusals(() => runAgent(call)),
}

async function runAgent(call: Call): Promise<ExitCode> {
  const signal = call.stop.claim()
  const [file] = call.arguments as [string]
  const { terminal } = call
  const config = loadHostConfig(file)
  const folder = makeRouterFolder(`${HOSTS}/${config.name}`)
  const tell = (event: HostEvent): void => {
    if (call.json) terminal.print(JSON.stringify(event))
    else terminal.tell(eventLine(event))
  }
  try {
    const agent = await AgentProcess.start({ config, folder, onEvent: tell })
    try {
      tellUp(call, agent.status, folder)
      if (!signal.aborted) await once(signal, 'abort')
    } finally {
      await agent.close()
    }
  } finally {
    removeEmpty(folder)
  }
  if (call.json) terminal.print(JSON.stringify({ event: 'end', host: config.name }))
  else terminal.print(`host ${config.name} has ended; what it changed is undone`)
  return DONE
}

function tellUp({ json, terminal }: Call, status: HostStatus, folder: string): void {
  const { name, virtualHosts, exit } = status
  if (json) terminal.print(JSON.stringify({ event: 'up', folder, status }))
  else terminal.print(`host ${name} is up for ${virtualHosts.join(', ')}; tunnel exit: ${exit.kind}`)
}

/** Folders that hold something stay: another agent's, or a ledger of what could not be undone. */
function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
    rmdirSync(dirname(folder))
  } catch {
    // stays
  }
}

function eventLine(event: HostEvent): string {
  switch (event.event) {
    case 'warning':
      return `warning: ${event.message}`
    case 'state':
      return `this host is ${event.state}`
    case 'session':
      return `router ${event.router}: ${event.phase}${event.reason === undefined ? '' : ` (${harmless(event.reason)})`}`
  }
}

function asking(word: string, summary: string, request: ControlRequest): Command {
  return {
    words: ['host', word],
    summary,
    parameters: [NAME],
    options: {},
    run: (call) =>
      tellingRefusals(async () => {
        const [name] = call.arguments as [string]
        if (!new RegExp(NAME_PATTERN).test(name)) throw new UsageError(`NAME: ${name} is not a host's name`)
        const status = await askAgent(join(runtimeFolder(), HOSTS, name), request)
        if (call.json) call.terminal.printJson(status)
        else call.terminal.print(...statusLines(status))
        return DONE
      }),
  }
}

function statusLines({ name, state, address, virtualHosts, exit, load, routers }: HostStatus): string[] {
  const packets = exit.packets
  const counts = Object.entries(packets ?? {}).filter(([, count]) => count > 0)
  return [
    `host ${name} (${address}) is ${state}`,
    `virtual hosts: ${virtualHosts.join(', ')}`,
    `tunnel exit: ${[exit.kind, ...counts.map(([outcome, count]) => `${count} ${outcome}`)].join(', ')}`,
    `load: ${load.load.toFixed(2)}, ${load.connections} connections`,
    ...routers.map(
      ({ router, phase, refusal, counters }) =>
        `router ${router}: ${phase}${refusal === undefined ? '' : ` (${harmless(refusal)})`}, ` +
        `${counters.acknowledged} of ${counters.reports} reports heard`,
    ),
  ]
}

async function tellingRefusals(work: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DocumentError) throw new CommandError(error.code, error.message, error.problems)
    if (error instanceof HostError || error instanceof CertificateError || error instanceof ControlError)
      throw new CommandError(error.code, error.message)
    throw error
  }
}

/** In the order in which help shows them. */
export const hostCommands: readonly Command[] = [
  hostRun,
  asking('status', 'Show how the agent of a host is', {}),
  asking('drain', 'Ask routers for no new clients; those that are there stay', { state: 'draining' }),
  asking('resume', 'Take new clients again', { state: 'active' }),
  asking('maintenance', 'Tell routers that this host is being worked on', { state: 'maintenance' }),
]
