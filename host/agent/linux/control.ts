/**
 * How an operator speaks to a running agent: a Unix socket in the agent's folder, one JSON line each way. The one
 * idea: who may reach the socket is who the file system lets (its owner alone), so that nothing else is asked.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { HostState } from '../index.ts'
import { HostError, type HostErrorCode } from './errors.ts'
import type { HostStatus } from './status.ts'

const SOCKET = 'control.sock'
const MAX_REQUEST_BYTES = 1_024
const MAX_ANSWER_BYTES = 1 << 20
const MAX_CALLERS = 8
const PATIENCE_MS = 5_000
const OWNER_ONLY = 0o600

/** What an agent can be asked. */
export interface ControlRequest {
  /** Left out: only tell. */
  readonly state?: HostState
}

type Answer = HostStatus | { readonly error: { readonly code: HostErrorCode; readonly message: string } }

const STATES: ReadonlySet<unknown> = new Set<HostState>(['active', 'draining', 'maintenance'])

/** The agent's end. */
export class Control {
  readonly #server: Server
  readonly #path: string
  readonly #callers = new Set<Socket>()

  /**
   * Listens in the agent's folder.
   * @param answer carries out a request
   * @throws HostError `busy` when an agent listens there already
   */
  static async listen(folder: string, answer: (request: ControlRequest) => HostStatus): Promise<Control> {
    const path = join(folder, SOCKET)
    if (await isAnswered(path))
      throw new HostError('busy', `an agent of this name runs already; it listens at ${path}`)
    rmSync(path, { force: true })
    const server = createServer()
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(new HostError('failed', `${path}: ${error.message}`)))
      server.listen(path, resolve)
    })
    chmodSync(path, OWNER_ONLY)
    return new Control(server, path, answer)
  }

  private constructor(server: Server, path: string, answer: (request: ControlRequest) => HostStatus) {
    this.#server = server
    this.#path = path
    server.on('error', () => {})
    server.on('connection', (caller) => this.#take(caller, answer))
  }

  async close(): Promise<void> {
    for (const each of this.#callers) each.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
    rmSync(this.#path, { force: true })
  }

  #take(caller: Socket, answer: (request: ControlRequest) => HostStatus): void {
    if (this.#callers.size >= MAX_CALLERS) return void caller.destroy()
    this.#callers.add(caller)
    caller.on('error', () => {})
    caller.on('close', () => this.#callers.delete(caller))
    caller.setTimeout(PATIENCE_MS, () => caller.destroy())
    let text = ''
    caller.setEncoding('utf8')
    caller.on('data', (part: string) => {
      text += part
      const line = text.indexOf('\n')
      if (line >= 0) caller.end(`${JSON.stringify(reply(text.slice(0, line), answer))}\n`)
      else if (text.length > MAX_REQUEST_BYTES) caller.destroy()
    })
  }
}

function reply(line: string, answer: (request: ControlRequest) => HostStatus): Answer {
  let request: unknown
  try {
    request = JSON.parse(line)
  } catch {
    request = undefined
  }
  if (!isRequest(request))
    return { error: { code: 'invalid', message: 'expected {} or {"state": "active|draining|maintenance"}' } }
  try {
    return answer(request)
  } catch (error) {
    return { error: { code: 'failed', message: (error as Error).message } }
  }
}

function isRequest(value: unknown): value is ControlRequest {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { state, ...others } = value as Record<string, unknown>
  return Object.keys(others).length === 0 && (state === undefined || STATES.has(state))
}

/**
 * Asks the agent that listens in a folder.
 * @throws HostError `not-found` when none does, `forbidden` when it belongs to somebody else
 */
export async function askAgent(folder: string, request: ControlRequest): Promise<HostStatus> {
  const text = await exchange(join(folder, SOCKET), `${JSON.stringify(request)}\n`)
  let answer: Answer
  try {
    answer = JSON.parse(text) as Answer
  } catch {
    throw new HostError('failed', 'the agent gave no answer')
  }
  if ('error' in answer) throw new HostError(answer.error.code, answer.error.message)
  return answer
}

function exchange(path: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    let answer = ''
    socket.setEncoding('utf8')
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer')))
    socket.on('connect', () => socket.write(text))
    socket.on('data', (part: string) => {
      answer += part
      if (answer.length > MAX_ANSWER_BYTES) socket.destroy(new Error('too long an answer'))
    })
    socket.on('end', () => resolve(answer))
    socket.on('error', (error: NodeJS.ErrnoException) => reject(refusal(path, error)))
  })
}

function refusal(path: string, { code, message }: NodeJS.ErrnoException): HostError {
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new HostError('not-found', `no agent of this name runs here (${path})`)
  if (code === 'EACCES') return new HostError('forbidden', `${path} belongs to somebody else; try as root`)
  return new HostError('failed', `${path}: ${message}`)
}

/** Whether somebody listens. A socket whose process is gone refuses. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
