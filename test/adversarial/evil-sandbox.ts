/**
 * A sandbox process that has been taken over: it loads anything, and does with a call what the entry's name says.
 * Started by sandbox-process.test.ts in the place of the real one.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { connect } from 'node:net'
import ivm from 'isolated-vm'
import {
  ANSWER,
  ASK,
  BATCH,
  BATCH_DONE,
  CALL,
  DONE,
  FrameReader,
  HEADER_BYTES,
  LAST_WORDS,
  LOAD,
  READY,
  readText,
  textFrame,
  writeHeader,
} from '../../execution-env/sandbox/frame.ts'
import { ANSWERED, askHead, doneHead, FAILED } from '../../execution-env/sandbox/messages.ts'

const READ_FD = 3
const WRITE_FD = 4

const write = (bytes: Uint8Array): void => {
  for (let sent = 0; sent < bytes.length; ) sent += writeSync(WRITE_FD, bytes, sent)
}
const answer = (sequence: number, text: string, status = ANSWERED, spent = 1, heap = 1): void =>
  write(textFrame(DONE, sequence, text, doneHead(status, spent, heap)))

function header(type: number, length: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  writeHeader(new DataView(bytes.buffer), type, 1, length)
  return bytes
}

/** What a program of this process may do outside it. */
async function probe(): Promise<string[]> {
  const allowed: string[] = []
  const attempt = (what: string, run: () => unknown): void => {
    try {
      run()
      allowed.push(what)
    } catch {
      // Forbidden.
    }
  }
  attempt('read', () => readFileSync('/etc/passwd'))
  attempt('read its limits', () => readFileSync('/proc/self/environ'))
  attempt('write', () => writeFileSync('/tmp/pronto-evil', ''))
  attempt('spawn', () => {
    const { error } = spawnSync('/bin/true')
    if (error !== undefined) throw error
  })
  const network = await new Promise<boolean>((resolve) => {
    try {
      const socket = connect({ host: '127.0.0.1', port: 1 })
      socket.once('connect', () => resolve(true))
      // Refused would mean that there is a network to be refused by.
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
    } catch {
      resolve(false)
    }
  })
  if (network) allowed.push('connect')
  if (Object.keys(process.env).length > 0) allowed.push('see the environment')
  return allowed
}

const DEEDS: Readonly<Record<string, (sequence: number, instance: number) => unknown>> = {
  behave: (sequence) => answer(sequence, '{"value":"well"}'),
  probe: async (sequence) => answer(sequence, JSON.stringify({ value: await probe() })),
  abort: () => process.abort(),
  exit: () => process.exit(0),
  hang: () => {
    for (;;);
  },
  split: () => {
    const isolate = new ivm.Isolate({ memoryLimit: 16 })
    isolate.createContextSync().evalSync('"a".repeat(2 ** 28).split("")', { timeout: 1_000 })
    process.abort()
  },
  inspect: () => {
    new ivm.Isolate({ memoryLimit: 16 }).createInspectorSession()
    process.abort()
  },
  silence: () => {},
  deaf: (sequence) => {
    answer(sequence, '{"value":"what?"}')
    for (;;);
  },
  garbage: () => write(Uint8Array.from({ length: 4096 }, (_, at) => (at * 7) & 255)),
  enormous: () => write(header(DONE, 0xffff_fff0)),
  half: (sequence) => {
    write(textFrame(DONE, sequence, 'x'.repeat(100)).subarray(0, 40))
    process.exit(0)
  },
  endless: () => write(header(DONE, 1_000_000)),
  headless: () => write(header(DONE, 0)),
  stale: (sequence) => answer(sequence - 1, '{"value":1}'),
  early: (sequence) => answer(sequence + 1, '{"value":1}'),
  twice: (sequence) => {
    answer(sequence, '{"value":1}')
    answer(sequence, '{"value":2}')
  },
  other: (sequence) => write(textFrame(BATCH_DONE, sequence, '', new Uint8Array(16))),
  ready: () => write(textFrame(READY, 0, '')),
  request: (sequence) => write(textFrame(LOAD, sequence, '{}')),
  nonsense: (sequence) => answer(sequence, 'undefined'),
  shapeless: (sequence) => answer(sequence, '{"value":1,"logs":{"length":9}}'),
  codeless: (sequence) => answer(sequence, '{"code":"fine","message":"?"}', FAILED),
  measures: (sequence) => answer(sequence, '{"value":1}', ANSWERED, Number.NaN, Number.POSITIVE_INFINITY),
  prototype: (sequence) => answer(sequence, '{"value":{"__proto__":{"x":1}}}'),
  depth: (sequence) => answer(sequence, `{"value":${'['.repeat(1e6)}${']'.repeat(1e6)}}`),
  stranger: (sequence) => write(textFrame(ASK, sequence, '1', askHead(99, 'secret'))),
  question: (sequence, instance) => write(textFrame(ASK, sequence, 'not json', askHead(instance, 'echo'))),
  flood: (sequence) => {
    for (let n = 0; n < 10_000; n++) write(textFrame(LAST_WORDS, 0, 'x'))
    answer(sequence, '{"value":"dry"}')
  },
}

function decideBadly(frame: FrameReader): void {
  const count = frame.view.getUint32(frame.start + 24, true)
  const head = new Uint8Array(16)
  // A number of decisions that nobody asked for.
  new DataView(head.buffer).setUint32(4, (count + 1) * 4, true)
  write(textFrame(BATCH_DONE, frame.sequence, '\0'.repeat((count + 1) * 4), head))
}

const reader = new FrameReader(1 << 24)
write(textFrame(READY, 0, ''))
for (;;) {
  const at = reader.room()
  const count = readSync(READ_FD, reader.bytes, at, reader.bytes.length - at, null)
  if (count === 0) process.exit(0)
  reader.fill(count)
  while (reader.next()) {
    const { type, sequence, view, bytes, start } = reader
    if (type === LOAD)
      answer(sequence, JSON.stringify({ value: { calls: Object.keys(DEEDS), batches: ['decide'] } }))
    else if (type === CALL) {
      const entry = readText(bytes, start + 24, view.getUint32(start + 20, true))
      await DEEDS[entry]!(sequence, view.getUint32(start + 16, true))
    } else if (type === BATCH) decideBadly(reader)
    else if (type === ANSWER) process.exit(0)
    else answer(sequence, '{"value":null}')
  }
}
