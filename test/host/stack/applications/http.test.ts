import { expect } from 'chai'
import { describe, it } from 'mocha'
import { HeadCollector, parseHead } from '../../../../host/stack/applications/http-message.ts'
import {
  HttpClient,
  type HttpClientOptions,
  HttpService,
  type TcpConnection,
} from '../../../../host/stack/index.ts'
import { watch } from '../../../support/raw-pair.ts'
import { ADDRESS_B, type LinkOptions, pair } from '../../../support/virtual-link.ts'

const MS = 1_000_000
const SECOND = 1000 * MS

/** Runs one client against one service and gives the client's report. */
function run(options: Partial<HttpClientOptions>, link: LinkOptions = { delayNs: MS }): HttpClient['report'] {
  const { world, a, b } = pair(1, link)
  new HttpService(b, { port: 80, name: 'server-1' })
  const client = new HttpClient(a, { to: ADDRESS_B, port: 80, count: 10, ...options })
  client.begin()
  world.run()
  expect(client.done).to.equal(true)
  expect(a.tcp.connections + b.tcp.connections).to.equal(0)
  return client.report
}

/** Sends raw requests over one connection and gives what came back as text. */
function talk(...requests: string[]): { text: string; closed: string } {
  const { world, a, b } = pair(1)
  new HttpService(b, { port: 80, bytes: 3 })
  const record = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
  for (const request of requests) {
    record.connection.send(Buffer.from(request))
    world.run(world.now + SECOND)
  }
  const text = Buffer.from(record.data).toString('latin1')
  record.connection.close()
  world.run()
  return { text, closed: record.closed }
}

describe('HTTP service and client', () => {
  describe('when requests carry a body', () => {
    it('sends all of it before the answer, with and without keep-alive', () => {
      for (const keepAlive of [false, true]) {
        const report = run({ upload: 200_000, bytes: 1000, keepAlive, count: 5 })
        expect(report.completed).to.equal(5)
        expect(report.corrupted).to.equal(0)
        expect(report.bytesOut).to.be.within(1_000_000, 1_002_000)
      }
    })

    it('gets through a link that loses packets', () => {
      const report = run({ upload: 300_000, count: 3 }, { delayNs: MS, loss: 0.03 })
      expect(report.completed).to.equal(3)
    })

    it('answers after the last byte of the body', () => {
      const head = 'POST /bytes/3 HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n'
      expect(talk(`${head}abc`).text).to.equal('')
      const { text } = talk(`${head}abc`, 'def', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      expect(text.match(/HTTP\/1.1 200 OK/g)).to.have.length(2)
    })

    it('asks for the length of a body', () => {
      expect(talk('POST / HTTP/1.1\r\nHost: x\r\n\r\n').text).to.match(/^HTTP\/1.1 411 Length Required/)
    })
  })

  describe('when each request has its own connection', () => {
    it('completes all, checks every byte and names the server', () => {
      const report = run({ bytes: 10_000 })
      expect({ ...report, latencies: report.latencies.length }).to.deep.equal({
        attempted: 10,
        completed: 10,
        failed: 0,
        corrupted: 0,
        bytesIn: report.bytesIn,
        bytesOut: report.bytesOut,
        latencies: 10,
        servers: { 'server-1': 10 },
        failures: {},
      })
      expect(report.bytesIn).to.be.within(100_000, 105_000)
      expect(Math.min(...report.latencies)).to.be.at.least(4 * MS)
    })

    it('works at a rate, on a lossy link, and for a megabyte', () => {
      const report = run(
        { bytes: 1_000_000, intervalNs: 20 * MS, timeoutNs: 600 * SECOND },
        { delayNs: MS, loss: 0.02 },
      )
      expect([report.completed, report.failed]).to.deep.equal([10, 0])
    })

    it('has one connection an attempt', () => {
      const { world, a, b } = pair(1)
      const service = new HttpService(b, { port: 80 })
      const client = new HttpClient(a, { to: ADDRESS_B, port: 80, count: 7 })
      client.begin()
      world.run()
      expect(service.counters.connections).to.equal(7)
    })
  })

  describe('when connections are kept alive', () => {
    it('sends many requests over few connections', () => {
      const { world, a, b } = pair(1, { delayNs: MS })
      const service = new HttpService(b, { port: 80 })
      const client = new HttpClient(a, {
        to: ADDRESS_B,
        port: 80,
        count: 100,
        keepAlive: true,
        concurrency: 4,
        bytes: 500,
      })
      client.begin()
      world.run()
      expect(client.report.completed).to.equal(100)
      expect(service.counters.connections).to.equal(4)
      expect(service.counters.served).to.equal(100)
    })

    it('answers pipelined requests in order, large ones among them', () => {
      const get = (bytes: number): string => `GET /bytes/${bytes} HTTP/1.1\r\nHost: x\r\n\r\n`
      const { text } = talk(get(10) + get(600_000) + get(0) + get(5), 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      const lengths = [...text.matchAll(/Content-Length: (\d+)/g)].map((match) => Number(match[1]))
      expect(lengths).to.deep.equal([10, 600_000, 0, 5, 3])
      expect(text.length).to.be.greaterThan(600_000)
    })

    it('survives thousands of pipelined requests in one piece', () => {
      const { text } = talk('GET /bytes/1 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3000))
      expect([...text.matchAll(/HTTP\/1.1 200/g)]).to.have.length(3000)
    })

    it('closes a connection that stays idle', () => {
      const { world, a, b } = pair(1)
      new HttpService(b, { port: 80, idleNs: 5 * SECOND })
      const record = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
      world.run(4 * SECOND)
      expect(record.ended).to.equal(false)
      world.run(6 * SECOND)
      expect(record.ended).to.equal(true)
    })
  })

  describe('when requests are not what they should be', () => {
    const cases: [string, string, number][] = [
      ['noise', 'hello\r\n\r\n', 400],
      ['no Host header', 'GET / HTTP/1.1\r\n\r\n', 400],
      ['a bad header', 'GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n', 400],
      ['a folded header', 'GET / HTTP/1.1\r\nHost: x\r\n y: z\r\n\r\n', 400],
      ['a bad length', 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', 400],
      ['two lengths', 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
      ['chunks', 'GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
      ['another method', 'DELETE / HTTP/1.1\r\nHost: x\r\n\r\n', 405],
      ['another version', 'GET / HTTP/2.0\r\nHost: x\r\n\r\n', 505],
      ['an endless head', `GET / HTTP/1.1\r\nHost: ${'x'.repeat(9000)}`, 431],
      ['too many headers', `GET / HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(200)}\r\n`, 400],
    ]
    for (const [what, request, status] of cases)
      it(`answers ${what} with ${status} and closes`, () => {
        const { text, closed } = talk(request)
        expect(text).to.match(new RegExp(`^HTTP/1.1 ${status} `))
        expect(text).to.include('Connection: close')
        expect(closed).to.equal('closed')
      })

    it('answers unknown paths with 404, HEAD without a body, HTTP/1.0 with close, and skips request bodies', () => {
      expect(talk('GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n').text).to.match(/^HTTP\/1.1 404 /)
      const { text } = talk('HEAD /bytes/50 HTTP/1.1\r\nHost: x\r\n\r\n')
      expect(text).to.match(/Content-Length: 50\r\n[\s\S]*\r\n\r\n$/)
      expect(talk('GET / HTTP/1.0\r\n\r\n').text).to.include('Connection: close')
      const body =
        'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345GET /bytes/9 HTTP/1.1\r\nHost: x\r\n\r\n'
      expect(talk(body).text).to.include('Content-Length: 9')
    })
  })

  describe('when answers are not what they should be', () => {
    const answer = (text: string): Record<string, number> => {
      const { world, a, b } = pair(1)
      b.tcp.listen(80, 0, (connection: TcpConnection) => {
        connection.onData = () => {
          connection.send(Buffer.from(text, 'latin1'))
          connection.close()
        }
      })
      const client = new HttpClient(a, { to: ADDRESS_B, port: 80, count: 1, bytes: 4 })
      client.begin()
      world.run()
      const { failures, corrupted, completed } = client.report
      expect(completed).to.equal(0)
      return { ...failures, ...(corrupted > 0 ? { corruptedCount: corrupted } : {}) }
    }

    it('names the failure', () => {
      expect(answer('nonsense\r\n\r\n')).to.deep.equal({ malformed: 1 })
      expect(answer('HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n')).to.deep.equal({ 'status-500': 1 })
      expect(answer('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345')).to.deep.equal({ length: 1 })
      expect(answer('HTTP/1.1 200 OK\r\n\r\n1234')).to.deep.equal({ length: 1 })
      expect(answer('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n12')).to.deep.equal({
        corrupted: 1,
        corruptedCount: 1,
      })
      expect(answer('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n')).to.deep.equal({ closed: 1 })
      expect(answer('x'.repeat(9000))).to.deep.equal({ malformed: 1 })
    })

    it('counts refused connections, unreachable hosts and timeouts', () => {
      const report = (to: number, link: LinkOptions = {}): Record<string, number> => {
        const { world, a } = pair(1, link)
        const client = new HttpClient(a, { to, port: 81, count: 2, timeoutNs: 5 * SECOND })
        client.begin()
        world.run()
        expect(client.report.attempted).to.equal(2)
        return { ...client.report.failures }
      }
      expect(report(ADDRESS_B)).to.deep.equal({ refused: 2 })
      expect(report(0x08080808)).to.deep.equal({ unreachable: 2 })
      expect(report(ADDRESS_B, { loss: 1 })).to.deep.equal({ timeout: 2 })
    })

    it('fails what is beyond its concurrency', () => {
      const report = run({ intervalNs: MS, concurrency: 2, bytes: 1000 }, { delayNs: 20 * MS })
      expect(report.attempted).to.equal(10)
      expect(report.failures['overload']).to.equal(8)
      expect(report.completed).to.equal(2)
    })
  })

  describe('when a connection moves with its session (R-MC-17)', () => {
    it('goes on in the middle of a response and of a request', () => {
      const { world, lan, a, b } = pair(1, { delayNs: 2 * MS })
      const c = world.host('c')
      lan.attach(c, '10.0.0.3/24')
      for (const host of [b, c]) {
        host.addLocalPrefix('198.18.0.0/15')
        host.tcp.onStray = () => true
      }
      a.addRoute('198.18.0.0/15', { via: ADDRESS_B })
      const one = new HttpService(b, { port: 80, name: 'one' })
      const two = new HttpService(c, { port: 80, name: 'two' })
      const connect = { settings: { receiveBytes: 20_000 } }
      const options = { to: 0xc6120050, port: 80, count: 6, bytes: 2_000_000, keepAlive: true, connect }
      const client = new HttpClient(a, options)
      client.begin()
      let [from, to, fromService, toService] = [b, c, one, two]
      for (let i = 0; i < 20; i++) {
        world.run(world.now + 300 * MS)
        const [connection] = fromService.connections
        if (connection === undefined || !connection.block.synchronized) break
        const session = structuredClone(fromService.exportSession(connection))
        const moved = structuredClone(from.tcp.exportConnection(connection))
        a.addRoute('198.18.0.0/15', { via: to === c ? 0x0a000003 : ADDRESS_B })
        toService.adopt(to.tcp.importConnection(moved), session)
        ;[from, to, fromService, toService] = [to, from, toService, fromService]
      }
      world.run()
      const { completed, failed, servers } = client.report
      expect([completed, failed]).to.deep.equal([6, 0])
      expect(Object.keys(servers).sort()).to.deep.equal(['one', 'two'])
    })
  })
})

describe('HeadCollector', () => {
  it('finds the end wherever the pieces are cut', () => {
    const text = 'GET / HTTP/1.1\r\nHost: x\r\n\r\nrest'
    for (let cut = 1; cut < text.length; cut++) {
      const collector = new HeadCollector()
      const first = collector.add(Buffer.from(text.slice(0, cut)))
      const result = first ?? collector.add(Buffer.from(text.slice(cut)))
      if (result === undefined || result === 'too-long') throw new Error(`cut at ${cut}`)
      expect(parseHead(result.text)?.headers.get('host')).to.equal('x')
      const rest = Buffer.from(result.rest).toString() + (first === undefined ? '' : text.slice(cut))
      expect(rest, `cut at ${cut}`).to.equal('rest')
    }
  })
})
