/**
 * Attacks on the local control sockets, of a router whose engine forwards packets and whose plugin decides about new
 * flows, in the same thread, all the time.
 */
import { createHash } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import { afterEach, describe, it } from 'mocha'
import type { Change } from '../../engine/index.ts'
import { CONTROL_PATH, CONTROL_PROTOCOL } from '../../router/control/protocol.ts'
import { commit } from '../router/config/kit.ts'
import { bundleOf } from '../router/double-host.ts'
import { RouterKit, refusalOf, SETTINGS } from '../router/router-kit.ts'
import {
  type BareClient,
  closeAll,
  type RawClient,
  type ServerKit,
  serve as serveOver,
  until,
} from '../router/server-kit.ts'
import { keepPacketsFlowing } from '../support/keep-packets-flowing.ts'

const LIST = { jsonrpc: '2.0', id: 1, method: 'list' }
const ONE = bundleOf('spread', '1.0.0')

/** `[number, code]` of the error in an answer. */
function errorOf(answer: Record<string, unknown>): unknown[] {
  const { code, data } = answer['error'] as { code: number; data: { code: string } }
  return [code, data.code]
}

/** Somebody else is still served. */
async function expectServing(each: ServerKit): Promise<void> {
  const client = await each.client('read')
  expect(await client.call('health')).to.include({ router: 'r1' })
  client.close()
}

function upgrade(bare: BareClient, changes: Readonly<Record<string, string | undefined>> = {}): void {
  const headers: Record<string, string | undefined> = {
    Host: 'r1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol': CONTROL_PROTOCOL,
    ...changes,
  }
  const { line = `GET ${CONTROL_PATH} HTTP/1.1`, ...rest } = headers
  const lines = Object.entries(rest).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  )
  bare.socket.write([line, ...lines, '', ''].join('\r\n'))
}

describe('local control, attacked', () => {
  const traffic = keepPacketsFlowing()
  afterEach(closeAll)

  /** A control server of the router whose packets flow. */
  const serve = (more: Parameters<typeof serveOver>[0] = {}): Promise<ServerKit> => {
    const { rig } = traffic()
    const engine = { engine: rig.router.engine, now: () => rig.now }
    return serveOver(more, new RouterKit(undefined, undefined, engine))
  }

  describe('when a message is no request', () => {
    const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
    const request = (rest: string) => `{"jsonrpc":"2.0","id":7,"method":"list"${rest}}`
    const cases: Readonly<Record<string, readonly [string | Uint8Array, number, string]>> = {
      nothing: ['', -32_700, 'malformed'],
      'half a text': ['{"jsonrpc":', -32_700, 'malformed'],
      'two documents': [`${request('')} ${request('')}`, -32_700, 'malformed'],
      comments: [`/* */ ${request('')}`, -32_700, 'malformed'],
      'a key given twice': [request(',"method":"load"'), -32_700, 'malformed'],
      'a way to a prototype': [request(',"params":{"__proto__":{"limit":1}}'), -32_700, 'malformed'],
      'half of a surrogate pair': [request(',"params":{"id":"\\ud800"}'), -32_700, 'malformed'],
      'a number without end': [request(',"params":{"limit":1e999}'), -32_700, 'malformed'],
      'nesting without end': [
        `{"jsonrpc":"2.0","id":7,"method":"list","params":${deep(50_000)}}`,
        -32_006,
        'limit',
      ],
      'values without end': [request(`,"params":{"a":[${'0,'.repeat(30_000)}0]}`), -32_006, 'limit'],
      'a batch': [`[${request('')}]`, -32_600, 'invalid-request'],
      'a text': ['"list"', -32_600, 'invalid-request'],
      'nothing at all': ['null', -32_600, 'invalid-request'],
      'a notification': [
        '{"jsonrpc":"2.0","method":"unload","params":{"id":"a"}}',
        -32_600,
        'invalid-request',
      ],
      'another version': ['{"jsonrpc":"1.0","id":7,"method":"list"}', -32_600, 'invalid-request'],
      'an id that is none': ['{"jsonrpc":"2.0","id":{},"method":"list"}', -32_600, 'invalid-request'],
      'a long id': [`{"jsonrpc":"2.0","id":"${'x'.repeat(65)}","method":"list"}`, -32_600, 'invalid-request'],
      'parameters by place': [request(',"params":[1]'), -32_600, 'invalid-request'],
      'more than belongs there': [request(',"role":"install"'), -32_600, 'invalid-request'],
    }
    for (const [what, [message, number, code]] of Object.entries(cases))
      it(`names what is wrong: ${what}`, async () => {
        const each = await serve()
        const raw = await each.raw()
        expect(errorOf(await raw.ask(message))).to.deep.equal([number, code])
        expect(await raw.ask(LIST)).to.deep.equal({ jsonrpc: '2.0', id: 1, result: [] })
      })

    it('ends a session that sends nothing else', async () => {
      const each = await serve()
      const raw = await each.raw()
      for (let i = 0; i < 20; i++) raw.send('{')
      expect(await raw.closed).to.equal(1_002)
      expect(raw.messages).to.have.length(16)
      await expectServing(each)
    })

    it('ends a session whose text is not UTF-8', async () => {
      const each = await serve()
      const bare = await each.bare()
      upgrade(bare)
      await until(() => bare.text.includes('\r\n\r\n'))
      bare.socket.write(Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe))
      await bare.closed
      await expectServing(each)
    })
  })

  describe('when a method or its parameters are not ours', () => {
    it('knows no method but those of the table', async () => {
      const each = await serve()
      const raw = await each.raw()
      for (const method of [
        '',
        'List',
        'constructor',
        '__proto__',
        'toString',
        'hasOwnProperty',
        'health ',
        'x'.repeat(64),
      ])
        expect(errorOf(await raw.ask({ ...LIST, method })), method).to.deep.equal([-32_601, 'unknown-method'])
      expect(errorOf(await raw.ask({ ...LIST, method: 'x'.repeat(65) }))).to.deep.equal([
        -32_600,
        'invalid-request',
      ])
    })

    it('refuses every parameter that is not of the schema, and says where', async () => {
      const each = await serve()
      const client = await each.client()
      const cases: readonly (readonly [string, object, string])[] = [
        ['flows', { limit: 0 }, 'limit: expected a number of rows, 1..10000, got 0'],
        ['flows', { limit: 1e6 }, 'limit: expected a number of rows, 1..10000, got 1000000'],
        ['flows', { where: { id: [1] } }, 'where.id: expected a text, number, boolean or null, got a list'],
        ['flows', { sort: 'id' }, 'sort: unknown key, expected one of where, limit'],
        ['unload', {}, 'id: missing key, expected an id: letters, digits and ._- (1..64)'],
        [
          'unload',
          { id: '../../etc' },
          'id: expected an id: letters, digits and ._- (1..64), got "../../etc"',
        ],
        ['unload', { id: 'a', flows: 'keep' }, 'flows: expected drain or purge, got "keep"'],
        ['load', { upload: -1 }, 'upload: expected the number of an upload, got -1'],
        ['load', { upload: 1, trusted: true }, 'trusted: unknown key'],
        [
          'load',
          { upload: 1, capabilities: { flows: { to: ['all'] } } },
          'capabilities.flows.to[0]: expected an IPv4',
        ],
        ['upload', { bytes: 10, sha256: '../x' }, 'sha256: expected a SHA-256, hexadecimal'],
        ['query', { name: '' }, 'name: expected a table, or ID/NAME'],
        ['explain', { from: 'x', to: 'y' }, 'protocol: missing key'],
      ]
      for (const [method, params, message] of cases) {
        const refusal = await refusalOf(client.call(method as 'list', params))
        expect(refusal).to.include({ code: 'invalid' })
        expect(refusal.message).to.contain(message)
      }
      expect(await refusalOf(client.call('query', { name: 'none' }))).to.include({ code: 'unknown' })
      expect(await refusalOf(client.call('flows', { where: { none: 1 } }))).to.include({ code: 'unknown' })
      expect(each.kit.host.calls).to.deep.equal([])
    })

    it('answers whatever comes with an error or a result, and lives (property)', async () => {
      const each = await serve()
      const raw = await each.raw()
      const value = fc.jsonValue({ maxDepth: 3 })
      const message = fc.oneof(
        fc.string({ maxLength: 60 }),
        value.map((any) => JSON.stringify(any)),
        fc
          .record(
            {
              jsonrpc: fc.constantFrom('2.0', '1'),
              id: fc.oneof(fc.integer(), fc.string({ maxLength: 5 }), value),
              method: fc.constantFrom(
                'list',
                'flows',
                'load',
                'upload',
                'explain',
                'watch',
                'unload',
                'call',
                'query',
              ),
              params: fc.oneof(
                value,
                fc.dictionary(fc.constantFrom('id', 'name', 'limit', 'where', 'upload'), value),
              ),
            },
            { requiredKeys: [] },
          )
          .map((any) => JSON.stringify(any)),
      )
      const messages = fc.sample(message, 300)
      let malformed = 0
      for (const each of messages) {
        const answer = await raw.ask(each)
        expect(answer).to.have.property('jsonrpc', '2.0')
        expect('result' in answer || 'error' in answer).to.equal(true)
        // After so many the session would be over, as it should.
        const code = 'error' in answer ? errorOf(answer)[1] : ''
        if (['malformed', 'invalid-request', 'limit'].includes(String(code)) && ++malformed === 15) break
      }
      await expectServing(each)
    })
  })

  describe('when a message is too large', () => {
    it('ends the session: a text, a binary message, and fragments without end', async () => {
      const each = await serve()
      for (const message of ['x'.repeat(140_000), new Uint8Array(140_000)]) {
        const raw = await each.raw()
        raw.send(message)
        expect(await raw.closed).to.equal(1_009)
      }
      const raw = await each.raw()
      for (let i = 0; i < 40; i++) raw.socket.send('x'.repeat(4_000), { fin: false })
      expect(await raw.closed).to.equal(1_009)
      await expectServing(each)
    })

    it('does not unpack what a client compresses', async () => {
      const each = await serve()
      const bare = await each.bare()
      upgrade(bare, { 'Sec-WebSocket-Extensions': 'permessage-deflate' })
      await until(() => bare.text.includes('\r\n\r\n'))
      expect(bare.text).to.not.match(/extensions/i)
      // A frame that says it is compressed.
      bare.socket.write(Uint8Array.of(0xc1, 0x81, 0, 0, 0, 0, 0x41))
      await bare.closed
    })
  })

  describe('when frames are not those of RFC 6455', () => {
    const frames: Readonly<Record<string, readonly number[]>> = {
      'not masked': [0x81, 0x01, 0x41],
      'of an unknown kind': [0x83, 0x80, 0, 0, 0, 0],
      'with reserved bits': [0xf1, 0x80, 0, 0, 0, 0],
      'a ping in parts': [0x09, 0x80, 0, 0, 0, 0],
      'a ping that is too long': [0x89, 0xfe, 0x00, 0x80, 0, 0, 0, 0],
      'a continuation of nothing': [0x80, 0x80, 0, 0, 0, 0],
      'longer than memory': [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
      'a close with half a code': [0x88, 0x81, 0, 0, 0, 0, 3],
    }
    for (const [what, bytes] of Object.entries(frames))
      it(`ends the session: ${what}`, async () => {
        const each = await serve()
        const bare = await each.bare()
        upgrade(bare)
        await until(() => bare.text.includes('\r\n\r\n'))
        bare.socket.write(Uint8Array.from(bytes))
        await bare.closed
        await until(() => each.server.counters.sessions === 0)
        await expectServing(each)
      })
  })

  describe('when the connection is no upgrade of ours', () => {
    const cases: Readonly<Record<string, readonly [number, Readonly<Record<string, string | undefined>>]>> = {
      'a browser': [403, { Origin: 'https://evil.example' }],
      'a page from a file': [403, { Origin: 'null' }],
      'another path': [404, { line: 'GET / HTTP/1.1' }],
      'a path that climbs': [404, { line: `GET ${CONTROL_PATH}/../1 HTTP/1.1` }],
      'no protocol': [400, { 'Sec-WebSocket-Protocol': undefined }],
      'another protocol': [400, { 'Sec-WebSocket-Protocol': 'pronto-control.2, chat' }],
      'no upgrade': [426, { Upgrade: undefined, Connection: 'close' }],
      'another method': [405, { line: `POST ${CONTROL_PATH} HTTP/1.1` }],
      'no key': [400, { 'Sec-WebSocket-Key': 'short' }],
      'another version of the protocol': [400, { 'Sec-WebSocket-Version': '7' }],
    }
    for (const [what, [status, changes]] of Object.entries(cases))
      it(`turns it away: ${what}`, async () => {
        const each = await serve()
        const bare = await each.bare()
        upgrade(bare, changes)
        await bare.closed
        expect(bare.text).to.match(new RegExp(`^HTTP/1.1 ${status} `))
        expect(each.server.counters.opened).to.equal(0)
        await expectServing(each)
      })

    it('drops what is no HTTP, and headers without end', async () => {
      const each = await serve()
      for (const text of [
        '\u0016\u0003\u0001 hello',
        `GET ${CONTROL_PATH} HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      ]) {
        const bare = await each.bare()
        bare.socket.write(text)
        await bare.closed
      }
      await expectServing(each)
    })
  })

  describe('when a connection is only half there', () => {
    it('ends one that never finishes its headers, or never begins them', async () => {
      const each = await serve({ timing: { handshakeMs: 60 } })
      const [silent, slow] = [await each.bare(), await each.bare()]
      slow.socket.write(`GET ${CONTROL_PATH} HTTP/1.1\r\nHost: r`)
      await expectServing(each)
      await Promise.all([silent.closed, slow.closed])
    })

    it('ends a session whose peer does not answer any more', async () => {
      const each = await serve({ timing: { heartbeatMs: 40 } })
      const bare = await each.bare()
      upgrade(bare)
      const living = await each.client('read')
      await bare.closed
      expect(each.server.counters.silent).to.equal(1)
      expect(await living.call('list')).to.deep.equal([])
    })

    it('survives connections that are cut at any moment', async () => {
      const each = await serve()
      const text = `GET ${CONTROL_PATH} HTTP/1.1\r\nHost: r1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${CONTROL_PROTOCOL}\r\n\r\n`
      for (let length = 0; length <= text.length; length += 11) {
        const bare = await each.bare()
        bare.socket.write(text.slice(0, length))
        bare.socket.destroy()
      }
      const raw = await each.raw()
      raw.send({ ...LIST, method: 'stats' })
      raw.socket.terminate()
      await until(() => each.server.counters.sessions === 0)
      await expectServing(each)
    })
  })

  describe('when a reader is slow', () => {
    it('is ended when too much waits for it; others are served meanwhile', async () => {
      const each = await serve()
      for (let i = 0; i < 200; i++) await each.kit.router.load(ONE, `plugin-${i}`, SETTINGS, 'x')
      const raw = await each.raw('read')
      raw.socket.pause()
      let asked = 0
      while (each.server.counters.slowReaders === 0) {
        raw.send({ ...LIST, id: ++asked })
        await new Promise((settle) => setImmediate(settle))
        if (asked % 50 === 0) await expectServing(each)
      }
      await until(() => each.server.counters.sessions === 0)
    })

    it('gets fewer updates of a watch, and is told how many it missed', async () => {
      const each = await serve()
      const route = (i: number): Change => {
        const prefix = `10.${100 + (i >> 8)}.${i & 255}.0/24`
        return { do: 'add-route', prefix, target: { kind: 'blackhole' } }
      }
      commit(
        each.kit.engine,
        Array.from({ length: 1_000 }, (_, i) => route(i)),
      )
      const raw = await each.raw('read')
      for (let id = 0; id < 8; id++) {
        const params = { query: { table: 'routes', limit: 1_000 }, everyMs: 100 }
        raw.send({ jsonrpc: '2.0', id, method: 'watch', params })
      }
      await until(() => raw.messages.length >= 16)
      raw.socket.pause()
      await until(() => each.server.counters.updatesSkipped > 0)
      expect(each.server.counters.slowReaders).to.equal(0)
      raw.socket.resume()
      await until(() => raw.messages.some((text) => text.includes('"skipped":')))
      await expectServing(each)
    })

    it('is ended when it takes nothing at all for two looks', async () => {
      const each = await serve({ timing: { heartbeatMs: 50 } })
      for (let i = 0; i < 200; i++) await each.kit.router.load(ONE, `plugin-${i}`, SETTINGS, 'x')
      const raw = await each.raw('read')
      raw.socket.pause()
      for (let i = 0; i < 60; i++) raw.send({ ...LIST, id: i })
      await until(() => each.server.counters.slowReaders === 1)
      await expectServing(each)
    })
  })

  describe('when a session asks for too much', () => {
    it('is read more slowly, and nobody else waits for it', async () => {
      const each = await serve()
      const raw = await each.raw('read')
      for (let i = 0; i < 3_000; i++) raw.send({ ...LIST, id: i })
      const client = await each.client('read')
      for (let i = 0; i < 5; i++) expect(await client.call('list')).to.deep.equal([])
      expect(raw.messages.length).to.be.lessThan(3_000)
      raw.socket.terminate()
      await until(() => each.server.counters.sessions === 1)
    })

    it('has a bounded number of requests under way', async () => {
      const each = await serve()
      const client = await each.client()
      await client.call('load', { upload: await client.upload(ONE) })
      const raw = await each.raw()
      for (let id = 1; id <= 20; id++)
        raw.send({ jsonrpc: '2.0', id, method: 'call', params: { id: 'spread', name: 'silence' } })
      await until(() => each.kit.host.calls.filter((call) => call.includes('silence')).length === 8)
      expect(await client.call('list')).to.have.length(1)
      expect(each.kit.host.calls.filter((call) => call.includes('silence'))).to.have.length(8)
    })

    it('may not use an id again before it is answered', async () => {
      const each = await serve()
      const client = await each.client()
      await client.call('load', { upload: await client.upload(ONE) })
      const raw = await each.raw()
      const call = { jsonrpc: '2.0', id: 5, method: 'call', params: { id: 'spread', name: 'silence' } }
      raw.send(call)
      expect(errorOf(await raw.ask(call))).to.deep.equal([-32_600, 'invalid-request'])
    })

    it('is one of so many that one peer may have', async () => {
      const each = await serve()
      const sessions = await Promise.all(Array.from({ length: 16 }, () => each.raw('read')))
      expect(await refusalOf(each.client('read'))).to.include({ code: 'busy' })
      expect(await (await each.client('operate')).call('list')).to.deep.equal([])
      sessions[0]!.socket.terminate()
      await until(() => each.server.counters.sessions === 16)
      await expectServing(each)
    })

    it('does not push what others did out of the audit log', async () => {
      const each = await serve()
      const raw = await each.raw('read')
      for (let id = 1; id <= 300; id++)
        expect(await raw.ask({ jsonrpc: '2.0', id, method: 'unload', params: { id: 'a' } }))
      const refused = each.kit.audited().filter((line) => line['outcome'] === 'refused')
      expect(refused).to.have.length(1)
    })
  })

  describe('when an upload is not what it says', () => {
    const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
    const chunk = (number: number, bytes: Uint8Array) => {
      const message = Buffer.alloc(4 + bytes.length)
      message.writeUInt32BE(number, 0)
      message.set(bytes, 4)
      return message
    }

    async function begin(
      each: ServerKit,
      bytes: number,
      hash: string,
    ): Promise<{ raw: RawClient; number: number }> {
      const raw = await each.raw()
      const answer = await raw.ask({
        jsonrpc: '2.0',
        id: 1,
        method: 'upload',
        params: { bytes, sha256: hash },
      })
      return { raw, number: (answer['result'] as { upload: number }).upload }
    }

    async function loadError(raw: RawClient, upload: number): Promise<unknown[]> {
      return errorOf(await raw.ask({ jsonrpc: '2.0', id: 2, method: 'load', params: { upload } }))
    }

    const cases: Readonly<Record<string, (raw: RawClient, number: number) => void>> = {
      'fewer bytes': (raw, number) => raw.send(chunk(number, ONE.subarray(0, -1))),
      'more bytes': (raw, number) => raw.send(chunk(number, Buffer.concat([ONE, Uint8Array.of(0)]))),
      'other bytes': (raw, number) =>
        raw.send(
          chunk(
            number,
            ONE.map((byte) => byte ^ 1),
          ),
        ),
      'bytes of another upload': (raw, number) => raw.send(chunk(number + 1, ONE)),
      'no bytes': () => {},
      'messages without a number': (raw) => raw.send(Uint8Array.of(0, 0, 1)),
    }
    for (const [what, misuse] of Object.entries(cases))
      it(`is refused: ${what}`, async () => {
        const each = await serve()
        const { raw, number } = await begin(each, ONE.length, sha256(ONE))
        misuse(raw, number)
        expect(await loadError(raw, number)).to.deep.equal([-32_602, 'invalid'])
        expect(each.kit.host.calls).to.deep.equal([])
        expect(each.server.uploads).to.equal(0)
      })

    it('is nobody else’s', async () => {
      const each = await serve()
      const { raw, number } = await begin(each, ONE.length, sha256(ONE))
      raw.send(chunk(number, ONE))
      const other = await each.raw()
      expect(await loadError(other, number)).to.deep.equal([-32_002, 'unknown'])
    })

    it('is not taken from somebody who may not install', async () => {
      const each = await serve()
      const raw = await each.raw('operate')
      expect(errorOf(await raw.ask(chunk(1, ONE)))).to.deep.equal([-32_001, 'forbidden'])
    })

    it('never holds more than was announced, however much is sent', async () => {
      const each = await serve()
      const { raw, number } = await begin(each, 10, '0'.repeat(64))
      for (let i = 0; i < 100; i++) raw.send(chunk(number, new Uint8Array(60_000)))
      expect(await loadError(raw, number)).to.deep.equal([-32_602, 'invalid'])
      await expectServing(each)
    })
  })
})
