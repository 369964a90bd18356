import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import {
  type AddressInfo,
  createServer as createPlainServer,
  type LookupFunction,
  type Server as PlainServer,
} from 'node:net'
import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import { writePrivateKey } from '../../../execution-env/certificates/index.ts'
import type { ServiceAnswer } from '../../../execution-env/contract/api/index.ts'
import { HttpProxy, type HttpProxyOptions } from '../../../execution-env/proxies/http-proxy.ts'
import { DAY, edKey, leaf, root } from '../certificates/kit.ts'

const open: (Server | PlainServer)[] = []

/** Listens on loopback; answers with the origin. */
async function listening(server: Server | PlainServer, scheme = 'http', host = '127.0.0.1'): Promise<string> {
  open.push(server)
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
  return `${scheme}://${host}:${(server.address() as AddressInfo).port}`
}

const serve = (listener: RequestListener): Promise<string> => listening(createServer(listener))

interface Asked {
  readonly origins?: readonly string[]
  readonly redirects?: number
  readonly maxBytes?: number
}

function fetch(url: string, asked: Asked = {}, options: HttpProxyOptions = {}): Promise<ServiceAnswer> {
  const { origins = [new URL(url).origin], redirects = 0, maxBytes = 65_536 } = asked
  const proxy = new HttpProxy({ roots: [], ...options })
  return new Promise((settle) => proxy.fetch({ kind: 'fetch', url, origins, redirects, maxBytes }, settle))
}

const text =
  (body: string): RequestListener =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'set-cookie': 'a=b', 'x-more': 'c' }).end(body)
  }

const to =
  (location: string, status = 302): RequestListener =>
  (_, response) =>
    void response.writeHead(status, { location }).end('elsewhere')

describe('HttpProxy (R-PR-02)', () => {
  afterEach(() => {
    for (const each of open.splice(0)) {
      each.close()
      if ('closeAllConnections' in each) each.closeAllConnections()
    }
  })

  describe('when a server answers', () => {
    it('brings status, content type and text, and nothing else', async () => {
      expect(await fetch(await serve(text('grüße')))).to.deep.equal({
        ok: true,
        status: 200,
        contentType: 'text/plain',
        body: 'grüße',
      })
    })

    it('brings answers that are no success, too', async () => {
      const origin = await serve((_, response) => void response.writeHead(404).end('no'))
      expect(await fetch(`${origin}/x`)).to.deep.equal({ ok: true, status: 404, contentType: '', body: 'no' })
    })

    it('tells the server nothing but the address', async () => {
      let seen: { url: string | undefined; headers: IncomingHttpHeaders } | undefined
      const origin = await serve((request, response) => {
        seen = { url: request.url, headers: request.headers }
        response.end()
      })
      await fetch(`${origin}/a/../b?c=1#d`)
      expect(seen).to.deep.equal({
        url: '/b?c=1',
        headers: {
          accept: '*/*',
          'accept-encoding': 'identity',
          'user-agent': 'pronto',
          connection: 'close',
          host: new URL(origin).host,
        },
      })
    })
  })

  describe('when a server redirects', () => {
    it('takes that for the answer, unless it was told to follow', async () => {
      const origin = await serve(to('/other'))
      expect(await fetch(origin)).to.deep.equal({ ok: true, status: 302, contentType: '', body: 'elsewhere' })
    })

    it('follows within the origin, so often', async () => {
      const origin = await serve((request, response) => {
        const left = Number(request.url!.slice(1))
        if (left > 0) to(`/${left - 1}`, 307)(request, response)
        else response.end('there')
      })
      expect(await fetch(`${origin}/3`, { redirects: 3 })).to.include({ ok: true, body: 'there' })
      expect(await fetch(`${origin}/4`, { redirects: 3 })).to.include({ ok: false, code: 'refused' })
    })

    it('follows to another origin only where that was granted', async () => {
      const inner = await serve(text('secret'))
      const origin = await serve(to(`${inner}/x`, 301))
      const origins = [new URL(origin).origin]
      expect(await fetch(origin, { redirects: 5, origins })).to.include({ ok: false, code: 'refused' })
      const both = [...origins, inner]
      expect(await fetch(origin, { redirects: 5, origins: both })).to.include({ ok: true, body: 'secret' })
    })

    for (const location of [
      'file:///etc/passwd',
      'http://a@127.0.0.1/',
      '//127.0.0.2:1/',
      'javascript:0',
      'http://',
      'https:\\\\127.0.0.1\\',
    ])
      it(`refuses ${location}`, async () => {
        const answer = await fetch(await serve(to(location)), { redirects: 5 })
        expect(answer).to.include({ ok: false, code: 'refused' })
      })
  })

  describe('when a server is hostile', () => {
    it('gives up a body without an end at the limit', async () => {
      const origin = await serve((_, response) => {
        const timer = setInterval(() => response.write('x'.repeat(30_000)), 1)
        response.on('close', () => clearInterval(timer))
      })
      expect(await fetch(origin)).to.include({ ok: false, code: 'too-large' })
    })

    it('reads nothing of a body that says how large it is', async () => {
      const origin = await serve((_, response) => {
        response.writeHead(200, { 'content-length': 65_537 }).write('x')
      })
      expect(await fetch(origin)).to.include({ ok: false, code: 'too-large' })
      expect(await fetch(await serve(text('x'.repeat(65_536))))).to.include({ ok: true })
      expect(await fetch(await serve(text('four')), { maxBytes: 3 })).to.include({ code: 'too-large' })
    })

    for (const [what, listener] of [
      ['never answers', () => {}],
      [
        'never ends',
        (_, response) => {
          response.write('a')
        },
      ],
    ] as const satisfies readonly (readonly [string, RequestListener])[])
      it(`stops waiting for one that ${what}`, async () => {
        const answer = await fetch(await serve(listener), {}, { timeoutMs: 50 })
        expect(answer).to.include({ ok: false, code: 'timeout' })
      })

    it('counts all hops as one', async () => {
      const origin = await serve((_, response) => {
        setTimeout(() => response.writeHead(302, { location: '/' }).end(), 20)
      })
      const answer = await fetch(origin, { redirects: 1_000 }, { timeoutMs: 100 })
      expect(answer).to.include({ ok: false, code: 'timeout' })
    })

    it('takes no text but UTF-8', async () => {
      const origin = await serve((_, response) => void response.end(Uint8Array.of(0xc3, 0x28)))
      expect(await fetch(origin)).to.include({ ok: false, code: 'invalid' })
    })

    for (const [what, says, code] of [
      ['other protocols', 'SSH-2.0-x\r\n', 'invalid'],
      ['endless headers', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(30_000)}\r\n\r\n`, 'too-large'],
      ['less than it promised', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc', 'unreachable'],
    ] as const)
      it(`refuses ${what}`, async () => {
        const server = createPlainServer((socket) => {
          socket.on('error', () => {})
          socket.end(says)
        })
        expect(await fetch(await listening(server))).to.include({ ok: false, code })
      })
  })

  describe('when nobody answers', () => {
    it('tells why, without addresses', async () => {
      const server = createServer()
      const origin = await listening(server)
      await new Promise((settle) => server.close(settle))
      const answer = await fetch(origin)
      expect(answer).to.deep.equal({ ok: false, code: 'unreachable', reason: 'ECONNREFUSED' })
    })
  })

  describe('when names resolve slowly', () => {
    it('resolves so many at a time, whoever has stopped waiting', async () => {
      const waiting: Parameters<LookupFunction>[2][] = []
      const lookup: LookupFunction = (_name, _options, done) => void waiting.push(done)
      const proxy = new HttpProxy({ roots: [], timeoutMs: 50, lookup })
      const url = 'http://slow.example/'
      const ask = () => {
        const request = { kind: 'fetch', url, origins: ['*'], redirects: 0, maxBytes: 1 } as const
        return new Promise<ServiceAnswer>((settle) => proxy.fetch(request, settle))
      }
      const late = await Promise.all(Array.from({ length: 32 }, ask))
      expect(new Set(late.map((each) => !each.ok && each.code))).to.deep.equal(new Set(['timeout']))
      expect(await ask()).to.include({ ok: false, code: 'limit' })
      waiting[0]!(Object.assign(new Error(), { code: 'ENOTFOUND' }), '', 0)
      expect(await ask()).to.include({ ok: false, code: 'timeout' })
      expect(waiting).to.have.length(33)
    })
  })

  describe('when it is closed', () => {
    it('breaks off what is under way', async () => {
      const proxy = new HttpProxy({ roots: [] })
      const url = await serve(() => {})
      const request = { kind: 'fetch', url, origins: [url], redirects: 0, maxBytes: 1 } as const
      const answer = new Promise((settle) => proxy.fetch(request, settle))
      proxy.close()
      expect(await answer).to.include({ ok: false })
    })
  })

  describe('when the address is https', () => {
    const validity = { notBeforeMs: Date.now() - DAY, notAfterMs: Date.now() + DAY }
    const authority = root({ key: edKey('web root'), ...validity })
    const credential = leaf(authority, { type: 'router', name: 'localhost', grant: {}, ...validity })

    const secure = (): Promise<string> => {
      const cert = credential.certificate.toPem()
      const key = writePrivateKey(credential.key)
      return listening(createSecureServer({ cert, key }, text('secure')), 'https', 'localhost')
    }

    it('believes whom a root vouches for', async () => {
      const roots = [authority.certificate.toPem()]
      expect(await fetch(await secure(), {}, { roots })).to.include({ ok: true, body: 'secure' })
    })

    it('believes nobody else', async () => {
      expect(await fetch(await secure())).to.include({ ok: false, code: 'unreachable' })
    })

    it('believes nobody under another name', async () => {
      const roots = [authority.certificate.toPem()]
      const url = (await secure()).replace('localhost', '127.0.0.1')
      expect(await fetch(url, {}, { roots })).to.include({
        ok: false,
        code: 'unreachable',
        reason: 'ERR_TLS_CERT_ALTNAME_INVALID',
      })
    })
  })
})
