/** The program of the engine's thread: takes calls, passes them on, and sends what came of them. */
import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import type { RouterConfig } from '../config/index.ts'
import { sendError } from './errors.ts'
import { EngineFacilities } from './facilities.ts'
import type { Call, EngineThreadOptions, Message, Request } from './messages.ts'
import { PictureSource } from './pictures.ts'

/** How often it is looked whether the picture has changed, without anybody having asked. */
const PICTURE_MS = 1_000
/** Where nothing was done it is looked so much more seldom: looking costs more than all else that an idle router does. */
const IDLE_LOOKS = 5

assert(parentPort !== null, 'this is the program of a thread')
const port = parentPort
const { seed } = workerData as EngineThreadOptions
let facilities: EngineFacilities | undefined
let pictures: PictureSource | undefined
/** What had been done when it was last looked, and how often it was not looked since. */
let worked = -1
let skipped = 0

const send = (message: Message): void => port.postMessage(message)

/** A fault of this program is the end of its process, which is started again by whoever watches it. */
function fail(error: unknown): never {
  throw error instanceof Error ? error : new Error(String(error))
}

function begin(config: RouterConfig): void {
  assert(facilities === undefined, 'begun twice')
  facilities = new EngineFacilities(config, seed, {
    fault: (error) => setImmediate(() => fail(error)),
    signal: (signal) => send({ signal }),
    service: (service) => send({ service }),
  })
  const { plugins } = facilities
  // Whatever ends this thread: what it has taken outlives it in the kernel.
  process.once('exit', () => facilities?.giveBack())
  pictures = new PictureSource(plugins, () => plugins.sandboxes())
  setInterval(lookForNews, PICTURE_MS).unref()
}

function lookForNews(): void {
  const now = facilities?.worked ?? 0
  if (now === worked && ++skipped < IDLE_LOOKS) return
  worked = now
  skipped = 0
  sendPicture()
}

function sendPicture(): void {
  const picture = pictures?.take()
  if (picture !== undefined) send({ picture })
}

async function carryOut({ facility, method, parameters, judged }: Call): Promise<unknown> {
  if (method === 'begin') return begin(parameters[0] as RouterConfig)
  assert(facilities !== undefined, 'nothing has begun')
  const target = facilities[facility] as unknown as Record<string, (...given: readonly unknown[]) => unknown>
  return await facilities.verifier.during(judged, () => target[method]!(...parameters))
}

async function answer(call: Call): Promise<void> {
  const reply = call.call
  try {
    const value = await carryOut(call)
    sendPicture()
    send({ reply, value })
  } catch (error) {
    sendPicture()
    send({ reply, error: sendError(error, (fault) => console.error(fault)) })
  }
}

async function close(drainMs: number): Promise<void> {
  await facilities?.close(drainMs)
  send({ closed: true })
  port.close()
}

port.on('message', (request: Request) => {
  if ('close' in request) close(request.drainMs).catch(fail)
  else if ('signals' in request) facilities?.signals(request.signals)
  else if ('served' in request) facilities?.served(request.served)
  else void answer(request)
})
