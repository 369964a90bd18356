/** Captured frames, generators of headers and a harness for hostile bytes, shared by the tests of the wire room. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { readCapture } from '../../../engine/ports/pcapng.ts'
import {
  addExperimental,
  createTcpOptions,
  type Ipv4Fields,
  type TcpFields,
  type TcpOptions,
  tcpOptionsBytes,
} from '../../../engine/wire/index.ts'

const folder = new URL('../../fixtures/wire/', import.meta.url)

/** Every packet of test/fixtures/wire, by file name without its ending. */
export const captured: ReadonlyMap<string, Uint8Array> = new Map(
  readdirSync(folder)
    .filter((name) => name.endsWith('.pcap'))
    .sort()
    .map((name) => {
      const { packets } = readCapture(new Uint8Array(readFileSync(new URL(name, folder))))
      return [name.replace('.pcap', ''), Uint8Array.from(packets[0]!.bytes)]
    }),
)

/** A captured frame; fails when there is none of that name. */
export function frameOf(name: string): Uint8Array {
  const frame = captured.get(name)
  if (frame === undefined) throw new Error(`no capture ${name}`)
  return frame
}

export const anyAddress = fc.integer({ min: 0, max: 0xffffffff })
/** Neither martian nor multicast. */
export const unicastAddress = fc
  .tuple(fc.integer({ min: 1, max: 223 }), fc.integer({ min: 0, max: 0xffffff }))
  .map(([octet, rest]) => (octet === 127 ? 10 : octet) * 0x1000000 + rest)
export const port = fc.integer({ min: 0, max: 0xffff })
export const byte = fc.integer({ min: 0, max: 255 })
export const word = fc.integer({ min: 0, max: 0xffffffff })
export const mac = fc.uint8Array({ minLength: 6, maxLength: 6 })
export const payload = fc.uint8Array({ minLength: 0, maxLength: 80 })

/** Fields of an unfragmented header with `options` of 0..40 bytes, all no-operations. */
export const ipv4Fields: fc.Arbitrary<Ipv4Fields> = fc.record({
  tos: byte,
  totalBytes: fc.constant(20),
  id: port,
  dontFragment: fc.boolean(),
  moreFragments: fc.constant(false),
  fragmentOffset: fc.constant(0),
  ttl: fc.integer({ min: 1, max: 255 }),
  protocol: byte,
  source: unicastAddress,
  destination: unicastAddress,
  options: fc.option(
    fc.integer({ min: 1, max: 40 }).map((length) => new Uint8Array(length).fill(1)),
    { nil: undefined },
  ),
})

export const tcpFields: fc.Arbitrary<TcpFields> = fc.record({
  sourcePort: port,
  destinationPort: port,
  sequence: word,
  acknowledgment: word,
  flags: byte,
  window: port,
  urgent: port,
})

/** Options that fit into 40 bytes. */
export const tcpOptions: fc.Arbitrary<TcpOptions> = fc
  .record({
    mss: fc.option(port, { nil: -1 }),
    windowScale: fc.option(fc.integer({ min: 0, max: 14 }), { nil: -1 }),
    sackPermitted: fc.boolean(),
    hasTimestamp: fc.boolean(),
    timestamps: fc.tuple(word, word),
    sack: fc.array(word, { maxLength: 8 }),
    experimental: fc.array(
      fc.record({
        kind: fc.constantFrom(253, 254),
        exid: port,
        data: fc.uint8Array({ maxLength: 16 }),
      }),
      { maxLength: 2 },
    ),
  })
  .map((wanted) => {
    const options = createTcpOptions()
    options.mss = wanted.mss
    options.windowScale = wanted.windowScale
    options.sackPermitted = wanted.sackPermitted
    options.hasTimestamp = wanted.hasTimestamp
    if (wanted.hasTimestamp) {
      options.timestampValue = wanted.timestamps[0]
      options.timestampEcho = wanted.timestamps[1]
    }
    options.sackCount = wanted.sack.length >>> 1
    for (let i = 0; i < options.sackCount * 2; i++) options.sackBlocks[i] = wanted.sack[i]!
    for (const each of wanted.experimental) addExperimental(options, each.kind, each.exid, each.data)
    return options
  })
  .filter((options) => tcpOptionsBytes(options) <= 40)

/** What counts of options, for comparison. */
export function optionValues(options: TcpOptions): unknown {
  return {
    ...options,
    sackBlocks: Array.from(options.sackBlocks.subarray(0, options.sackCount * 2)),
    experimental: options.experimental
      .slice(0, options.experimentalCount)
      .map(({ kind, exid, data, dataBytes }) => ({
        kind,
        exid,
        data: Array.from(data.subarray(0, dataBytes)),
      })),
  }
}

/** A parser as the harness calls it: it fills `into` from [offset, end) and returns what it answers. */
export type Parse<T> = (bytes: Uint8Array, offset: number, end: number, into: T) => number | boolean

/** Everything that is seen of an attempt, as text; fails when the parser throws. */
function attempt<T>(parse: Parse<T>, create: () => T, message: Uint8Array, around: number): string {
  const offset = 16
  const bytes = new Uint8Array(message.length + 96).fill(around)
  bytes.set(message, offset)
  const into = create()
  const answer = parse(bytes, offset, offset + message.length, into)
  return JSON.stringify([answer, into], (_key, value) =>
    ArrayBuffer.isView(value) ? [...(value as Uint8Array)] : value,
  )
}

/** Fails unless the parser answers without throwing, and equally whatever stands around the message. */
export function expectBounded<T>(parse: Parse<T>, create: () => T, message: Uint8Array): void {
  const zeros = attempt(parse, create, message, 0)
  expect(attempt(parse, create, message, 0xff)).to.equal(zeros)
  expect(attempt(parse, create, message, 0x45)).to.equal(zeros)
}

/** A change of a message: bytes overwritten, then cut to a length. */
export interface Mutation {
  readonly flips: readonly (readonly [position: number, value: number])[]
  readonly keep: number
}

/** Mutations: byte flips anywhere, boundary values, truncation. Positions and lengths are fractions of 2^16. */
export const mutation: fc.Arbitrary<Mutation> = fc.record({
  flips: fc.array(
    fc.tuple(port, fc.oneof(byte, fc.constantFrom(0, 1, 2, 3, 4, 7, 8, 15, 16, 0x7f, 0x80, 0xfe, 0xff))),
    { maxLength: 6 },
  ),
  keep: fc.oneof({ weight: 2, arbitrary: fc.constant(0x10000) }, { weight: 1, arbitrary: port }),
})

/** The mutated copy. */
export function mutate(message: Uint8Array, change: Mutation): Uint8Array {
  const copy = Uint8Array.from(message)
  for (const [position, value] of change.flips)
    if (copy.length > 0) copy[Math.floor((position * copy.length) / 0x10000)] = value
  return copy.subarray(0, Math.ceil((change.keep * copy.length) / 0x10000))
}
