import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  emitMessage,
  emitSignedMessage,
  HOST_STATES,
  MAX_MESSAGE_BYTES,
  MESSAGE_HEADER_BYTES,
  type Message,
  type PlainMessage,
  parseMessage,
  REFUSALS,
  type SignedMessage,
} from '../../../engine/signaling/message.ts'
import { prefixMask } from '../../../engine/wire/index.ts'

const SIGNED = ['introduction', 'state', 'bye']
/** Stands for a signature; tells how much was to be signed. */
const mark = (bytes: Uint8Array): Uint8Array => new Uint8Array(64).fill(bytes.length & 255)

function emit(message: Message): Uint8Array {
  return SIGNED.includes(message.type)
    ? emitSignedMessage(message as SignedMessage, mark)
    : emitMessage(message as PlainMessage)
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const word = fc.nat({ max: 0xffffffff })
const prefix = fc
  .tuple(word, fc.nat({ max: 32 }))
  .map(([address, length]) => ({ address: (address & prefixMask(length)) >>> 0, length }))
const service = fc.record({ prefix, load: fc.nat({ max: 1e9 }).map((parts) => parts / 1000) })

const messages: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: fc.constant('hello' as const), nonce: bytes(8), cookie: bytes(16) }),
  fc.record({ type: fc.constant('challenge' as const), nonce: bytes(8), cookie: bytes(16) }),
  fc.record({
    type: fc.constant('introduction' as const),
    nonce: bytes(8),
    cookie: bytes(16),
    router: word,
    address: word,
    intervalMs: word,
    virtualHosts: fc.array(prefix, { maxLength: 64 }),
    certificates: fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 4 }),
  }),
  fc.record({ type: fc.constant('welcome' as const), nonce: bytes(8), session: bytes(16), intervalMs: word }),
  fc.record({
    type: fc.constant('state' as const),
    session: bytes(16),
    sequence: word,
    state: fc.constantFrom(...HOST_STATES),
    connections: word,
    services: fc.array(service, { maxLength: 64 }),
  }),
  fc.record({ type: fc.constant('ack' as const), session: bytes(16), sequence: word }),
  fc.record({ type: fc.constant('bye' as const), session: bytes(16), sequence: word }),
  fc.record({ type: fc.constant('restart' as const), session: bytes(16) }),
  fc.record({
    type: fc.constant('refused' as const),
    nonce: bytes(8),
    refusal: fc.constantFrom(...REFUSALS),
  }),
)

const GOLDEN = JSON.parse(
  readFileSync(new URL('../../fixtures/signaling/messages.json', import.meta.url), 'utf8'),
) as readonly { readonly name: string; readonly hex: string }[]

const pattern = (length: number, from: number) => Uint8Array.from({ length }, (_, i) => (from + i) & 255)
const NONCE = pattern(8, 0x10)
const COOKIE = pattern(16, 0x20)
const SESSION = pattern(16, 0x40)
const EXAMPLES: Readonly<Record<string, Message>> = {
  hello: { type: 'hello', nonce: NONCE, cookie: new Uint8Array(16) },
  challenge: { type: 'challenge', nonce: NONCE, cookie: COOKIE },
  introduction: {
    type: 'introduction',
    nonce: NONCE,
    cookie: COOKIE,
    router: 0x0a000201,
    address: 0x0a000202,
    intervalMs: 1000,
    virtualHosts: [{ address: 0xc6120000, length: 15 }],
    certificates: [pattern(5, 0x30)],
  },
  welcome: { type: 'welcome', nonce: NONCE, session: SESSION, intervalMs: 1000 },
  state: {
    type: 'state',
    session: SESSION,
    sequence: 7,
    state: 'draining',
    connections: 12,
    services: [
      { prefix: { address: 0xc0c80000, length: 16 }, load: 0.3 },
      { prefix: { address: 0xc0c90000, length: 16 }, load: 0.87 },
    ],
  },
  ack: { type: 'ack', session: SESSION, sequence: 7 },
  bye: { type: 'bye', session: SESSION, sequence: 8 },
  restart: { type: 'restart', session: SESSION },
  refused: { type: 'refused', nonce: NONCE, refusal: 'beyond-grant' },
}

describe('signaling message (R-SLR-17)', () => {
  describe('when a message is emitted and parsed', () => {
    it('is the same again, and its bytes are the same again', () => {
      fc.assert(
        fc.property(messages, (message) => {
          let sent: Uint8Array
          try {
            sent = emit(message)
          } catch (error) {
            expect(error).to.be.instanceOf(RangeError)
            return
          }
          const parsed = parseMessage(sent)!
          expect(parsed.message).to.deep.equal(message)
          expect(emit(parsed.message)).to.deep.equal(sent)
          if (SIGNED.includes(message.type)) {
            expect(parsed.signature).to.deep.equal(mark(parsed.signed))
            expect(parsed.signed).to.deep.equal(sent.subarray(0, sent.length - 68))
          }
        }),
        { numRuns: 300 },
      )
    })

    for (const { name, hex } of GOLDEN)
      it(`keeps the bytes of the fixture ${name}`, () => {
        expect(Buffer.from(emit(EXAMPLES[name]!)).toString('hex')).to.equal(hex)
        expect(parseMessage(Buffer.from(hex, 'hex'))!.message).to.deep.equal(EXAMPLES[name])
      })

    it('has a fixture for every type', () => {
      expect(GOLDEN.map(({ name }) => name)).to.deep.equal(Object.keys(EXAMPLES))
    })

    it('answers a hello with no more bytes than it has', () => {
      expect(emit(EXAMPLES['challenge']!).length).to.equal(emit(EXAMPLES['hello']!).length)
    })

    it('refuses to emit what does not fit', () => {
      const { introduction, state } = EXAMPLES as { introduction: SignedMessage; state: SignedMessage }
      const big = new Uint8Array(1400)
      expect(() => emit({ ...introduction, certificates: [big, big] } as Message)).to.throw(RangeError)
      const many = Array.from({ length: 65 }, () => ({ prefix: { address: 0, length: 0 }, load: 0 }))
      expect(() => emit({ ...state, services: many } as Message)).to.throw(RangeError, '65 services')
    })
  })

  describe('when hostile bytes are parsed', () => {
    it('never throws, and what it takes is what it would send', () => {
      fc.assert(
        fc.property(
          messages,
          fc.array(fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 255 })), { maxLength: 4 }),
          fc.integer({ min: -20, max: 20 }),
          (message, changes, grow) => {
            let sent: Uint8Array
            try {
              sent = emit(message)
            } catch {
              return
            }
            const hostile = new Uint8Array(Math.max(0, sent.length + grow))
            hostile.set(sent.subarray(0, hostile.length))
            for (const [at, value] of changes) if (at < hostile.length) hostile[at] = value
            const parsed = parseMessage(hostile)
            if (parsed === undefined || hostile.some((byte) => byte >= 0x80)) return
            expect(emit(parsed.message).length).to.be.at.most(hostile.length)
          },
        ),
        { numRuns: 1000 },
      )
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 2000 }), (noise) => {
          parseMessage(noise)
        }),
        { numRuns: 500 },
      )
    })

    it('refuses every truncation and every extension', () => {
      for (const example of Object.values(EXAMPLES)) {
        const whole = emit(example)
        for (let length = 0; length < whole.length; length++)
          expect(parseMessage(whole.subarray(0, length)), `${example.type} ${length}`).to.equal(undefined)
        expect(parseMessage(Uint8Array.from([...whole, 0]))).to.equal(undefined)
      }
      expect(parseMessage(new Uint8Array(MAX_MESSAGE_BYTES + 1))).to.equal(undefined)
    })

    it('refuses another version, unknown types, and fields that are missing, repeated, misplaced or unknown', () => {
      const ack = emit(EXAMPLES['ack']!)
      const session = ack.subarray(8, 28)
      const sequence = ack.subarray(28)
      const header = (length: number) => Uint8Array.of(0x50, 0x52, 1, 6, length >> 8, length & 255, 0, 0)
      const build = (...parts: Uint8Array[]) => {
        const body = Buffer.concat(parts)
        return parseMessage(Buffer.concat([header(body.length + MESSAGE_HEADER_BYTES), body]))
      }
      expect(build(session, sequence)?.message).to.deep.equal(EXAMPLES['ack'])
      expect(build(session)).to.equal(undefined)
      expect(build(sequence, session)).to.equal(undefined)
      expect(build(session, session, sequence)).to.equal(undefined)
      expect(build(session, sequence, Uint8Array.of(0x00, 0x77, 0, 1, 9))).to.equal(undefined)
      expect(build(session, Uint8Array.of(0x80, 0x77, 0, 1, 9), sequence)?.message).to.deep.equal(
        EXAMPLES['ack'],
      )
      for (const [at, value] of [
        [0, 0x51],
        [2, 2],
        [3, 0],
        [3, 10],
        [6, 1],
      ] as const) {
        const changed = Uint8Array.from(ack)
        changed[at] = value
        expect(parseMessage(changed), `byte ${at}`).to.equal(undefined)
      }
    })

    it('refuses prefixes with host bits, states and loads that do not exist', () => {
      const state = emit(EXAMPLES['state']!)
      const at = (find: number[]) => Buffer.from(state).indexOf(Buffer.from(find))
      const changed = (place: number, value: number) => {
        const copy = Uint8Array.from(state)
        copy[place] = value
        return parseMessage(copy)
      }
      const prefixAt = at([0xc0, 0xc8])
      expect(changed(prefixAt + 3, 1)).to.equal(undefined)
      expect(changed(prefixAt + 4, 33)).to.equal(undefined)
      expect(changed(prefixAt + 5, 0xff)).to.equal(undefined)
      expect(changed(at([0, 10, 0, 1]) + 4, 3)).to.equal(undefined)
    })

    it('keeps no view of the datagram', () => {
      const sent = emit(EXAMPLES['introduction']!)
      const parsed = parseMessage(sent)!
      sent.fill(0)
      expect(parsed.message).to.deep.equal(EXAMPLES['introduction'])
      expect(parsed.signature[0]).to.not.equal(0)
    })
  })
})
