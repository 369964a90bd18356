/**
 * A command of the user's inside a node of a lab that is up. The one idea: it is the user's, not the lab's: it has the
 * caller's terminal and environment, is not waited for by anybody else, and ends when its caller or the lab does.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { hint } from '../../document/index.ts'
import type { Lab } from '../file/index.ts'
import { LabFailure } from '../lab-failure.ts'
import { isOwned, type LedgerContent, readLedger } from './ledger.ts'
import { namespaceName } from './names.ts'
import { NAMESPACE_FOLDER } from './removal.ts'
import { TOOL_PATH } from './tools.ts'

const LOOK_MS = 250

/**
 * Runs a command in a node's namespace with this process's input and output.
 * @param signal passed on to the command when it is aborted, by the name that its reason tells, else as SIGTERM
 * @returns its exit code; 128 + n where signal n ended it
 * @throws LabFailure `unknown` where the lab is not up or has no such node, `forbidden` for ordinary users
 */
export async function execInNode(
  lab: Lab,
  node: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const ledger = readLedger(lab.name)
  if (ledger === undefined || !isOwned(ledger))
    throw new LabFailure(
      `${lab.name} is not up on netns: start it with pronto lab up --backend netns`,
      'unknown',
    )
  const namespace = namespaceOf(lab, node, ledger)
  if (process.getuid?.() !== 0) throw new LabFailure('it needs root, to enter a namespace', 'forbidden')
  // Whoever kills this process means the command as well.
  const words = ['--pdeathsig', 'HUP', 'ip', 'netns', 'exec', namespace, ...command]
  const child = spawn('setpriv', words, { stdio: 'inherit', env: { ...process.env, PATH: TOOL_PATH } })
  const ended = ending(child)
  const pass = () => child.kill(nameOf(signal.reason))
  signal.addEventListener('abort', pass, { once: true })
  // The lab is gone with its namespaces' names; what still ran in one would keep it alive.
  const watch = setInterval(() => {
    if (readLedger(lab.name)?.id !== ledger.id) child.kill('SIGHUP')
  }, LOOK_MS)
  try {
    return await ended
  } finally {
    clearInterval(watch)
    signal.removeEventListener('abort', pass)
  }
}

function namespaceOf(lab: Lab, node: string, { id, namespaces }: LedgerContent): string {
  const names = lab.nodes.map(({ name }) => name)
  const index = names.indexOf(node)
  if (index < 0) throw new LabFailure(`${lab.name} has no node ${node}${hint(node, names)}`, 'unknown')
  const namespace = namespaceName(lab.name, node, id, index)
  if (!namespaces.has(namespace) || !existsSync(`${NAMESPACE_FOLDER}/${namespace}`))
    throw new LabFailure(
      `${lab.name} is up from another file, or not yet: it has no ${node} there`,
      'unknown',
    )
  return namespace
}

async function ending(child: ChildProcess): Promise<number> {
  return await new Promise((settle, refuse) => {
    child.on('error', (error) => refuse(new LabFailure(`cannot start setpriv: ${error.message}`)))
    child.on('exit', (code, by) => settle(code ?? 128 + constants.signals[by ?? 'SIGKILL']))
  })
}

function nameOf(reason: unknown): NodeJS.Signals {
  const { signal } = reason as { readonly signal?: NodeJS.Signals }
  return signal !== undefined && signal in constants.signals ? signal : 'SIGTERM'
}
