/** `pronto capture`: the frames of a router's port into a file that Wireshark opens. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { DURATION } from '../../lab/index.ts'
import type { ControlClient, Update } from '../../router/control-client/index.ts'
import { type Call, type Command, CommandError, DONE, UsageError } from '../command.ts'
import { numberOption, ROUTER_OPTIONS, withRouter } from './router-options.ts'
import { untilStopped } from './router-plugins.ts'

interface Tally {
  bytes: number
  omitted: number
}

export const capture: Command = {
  words: ['capture'],
  summary: 'Write the frames of a port of a router to a pcapng file until Ctrl-C',
  parameters: [
    { name: 'PORT', describes: 'the name of the port' },
    { name: 'FILE', describes: 'a file to be written, or - for stdout' },
  ],
  options: {
    duration: { value: 'TIME', describes: 'end by itself after so long' },
    snap: { value: 'BYTES', describes: 'bytes kept of each frame; default all' },
    ...ROUTER_OPTIONS,
  },
  run(call) {
    const [port, file] = call.arguments as [string, string]
    const snapBytes = numberOption(call, 'snap', 1, 65_535) ?? 0
    const durationMs = durationOf(call)
    return withRouter(call, 'operate', async (client) => {
      const descriptor = file === '-' ? 1 : open(file)
      const tally: Tally = { bytes: 0, omitted: 0 }
      try {
        await write(call, client, { port, snapBytes }, durationMs, descriptor, tally)
      } finally {
        if (file !== '-') closeSync(descriptor)
      }
      const { bytes, omitted } = tally
      if (call.json && file !== '-') call.terminal.printJson({ port, file, bytes, omitted })
      else call.terminal.tell(`${bytes} bytes written${omitted === 0 ? '' : `, ${omitted} frames left out`}`)
      return DONE
    })
  },
}

async function write(
  call: Call,
  client: ControlClient,
  params: object,
  durationMs: number | undefined,
  descriptor: number,
  tally: Tally,
): Promise<void> {
  const stopped = call.stop.claim()
  let refuse: (error: Error) => void = () => {}
  const ended = new Promise<never>((_, reject) => {
    refuse = reject
  })
  const sink = ({ kind, params: news }: Update) => {
    if (kind === 'ended') return refuse(new CommandError(String(news['code']), String(news['message'])))
    const bytes = Buffer.from(String(news['bytes']), 'base64')
    for (let sent = 0; sent < bytes.length; ) sent += writeSync(descriptor, bytes, sent)
    tally.bytes += bytes.length
    tally.omitted = Number(news['omitted'])
  }
  const end = await client.watch(params, sink, 'capture')
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>((settle) => {
    if (durationMs !== undefined) timer = setTimeout(settle, durationMs)
  })
  try {
    await Promise.race([untilStopped(stopped, client), ended, over])
    // What was captured last is still on its way.
    await new Promise((settle) => setTimeout(settle, 2 * LAST_LOOK_MS))
  } finally {
    clearTimeout(timer)
    await end().catch(() => {})
  }
}

/** Between two parts of a capture. */
const LAST_LOOK_MS = 100

function open(file: string): number {
  try {
    return openSync(file, 'w')
  } catch (error) {
    throw new CommandError('unreadable', `cannot write ${file}: ${(error as Error).message}`)
  }
}

function durationOf(call: Call): number | undefined {
  const text = call.option('duration')
  if (text === undefined) return undefined
  const ms = (DURATION.parse(text) ?? Number.NaN) / 1e6
  if (!(ms > 0)) throw new UsageError(`--duration: expected a duration such as 10s, got ${text}`)
  return ms
}
