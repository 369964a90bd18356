import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  DatagramClient,
  DatagramService,
  matchesPattern,
  PingClient,
  patternChunk,
  StreamClient,
  StreamService,
} from '../../../../host/stack/index.ts'
import { watch } from '../../../support/raw-pair.ts'
import { ADDRESS_B, pair } from '../../../support/virtual-link.ts'

const MS = 1_000_000
const SECOND = 1000 * MS

describe('pattern', () => {
  it('recognises itself at any offset and nothing shifted, shortened or altered', () => {
    fc.assert(
      fc.property(
        fc.nat(10_000_000),
        fc.integer({ min: 16, max: 200_000 }),
        fc.nat(),
        (offset, length, where) => {
          const bytes = new Uint8Array(length)
          for (let at = 0; at < length; ) {
            const chunk = patternChunk(offset + at, length - at)
            bytes.set(chunk, at)
            at += chunk.length
          }
          expect(matchesPattern(bytes, offset)).to.equal(true)
          expect(matchesPattern(bytes, offset + 1)).to.equal(false)
          expect(matchesPattern(bytes, offset + 65_536)).to.equal(false)
          bytes[where % length] ^= 1
          expect(matchesPattern(bytes, offset)).to.equal(false)
        },
      ),
      { numRuns: 50 },
    )
  })
})

describe('stream service and client', () => {
  it('carries bytes both ways with matching checksums', () => {
    for (const [up, down] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [300_000, 200_000],
      [2_000_000, 10],
    ]) {
      const { world, a, b } = pair(1, { delayNs: MS, loss: 0.02, reorder: 0.02, reorderNs: 2 * MS })
      const service = new StreamService(b, { port: 7, name: 'far' })
      const client = new StreamClient(a, {
        to: ADDRESS_B,
        port: 7,
        count: 2,
        up,
        down,
        timeoutNs: 1000 * SECOND,
      })
      client.begin()
      world.run()
      const { completed, failed, corrupted, bytesIn, bytesOut, servers } = client.report
      expect([completed, failed, corrupted], `${up}/${down}`).to.deep.equal([2, 0, 0])
      expect([bytesOut, bytesIn]).to.deep.equal([2 * up, 2 * down])
      expect(servers).to.deep.equal({ far: 2 })
      expect(service.counters.finished).to.equal(2)
      expect(a.tcp.connections + b.tcp.connections).to.equal(0)
    }
  })

  it('refuses what is no request, and clients notice what is no service', () => {
    const { world, a, b } = pair(1)
    const service = new StreamService(b, { port: 7, maximumBytes: 1000 })
    b.tcp.listen(8, 0, (connection) => connection.send(Buffer.from('SERVED-BY x\nwrong')))
    b.tcp.listen(9, 0, (connection) => connection.send(Buffer.from('y'.repeat(1000))))
    const noise = watch(a.tcp.connect({ to: ADDRESS_B, port: 7 }))
    noise.connection.send(Buffer.from('x'.repeat(1000)))
    const reports = [7, 8, 9].map((port) => {
      const client = new StreamClient(a, { to: ADDRESS_B, port, count: 1, up: 5, down: 5000 })
      client.begin()
      return client
    })
    world.run()
    expect(noise.closed).to.equal('reset')
    expect(service.counters.refused).to.equal(2)
    expect(reports.map((client) => Object.keys(client.report.failures))).to.deep.equal([
      ['reset'],
      ['corrupted'],
      ['malformed'],
    ])
    expect(reports[1].report.corrupted).to.equal(1)
  })

  it('notices a byte that was changed on the way though its checksum is right', () => {
    const { world, lan, a, b } = pair(1)
    new StreamService(b, { port: 7 })
    const client = new StreamClient(a, { to: ADDRESS_B, port: 7, count: 1, up: 50_000, down: 0 })
    lan.options = {
      filter: (frame, from) => {
        // Two bytes change places: the Internet checksum cannot tell.
        if (from === 'a' && frame.length > 1000) {
          const at = 700
          const [one, two] = [frame[at], frame[at + 1]]
          frame[at] = frame[at + 2]
          frame[at + 1] = frame[at + 3]
          frame[at + 2] = one
          frame[at + 3] = two
        }
        return true
      },
    }
    client.begin()
    world.run()
    expect([client.report.completed, client.report.corrupted]).to.deep.equal([0, 1])
  })

  it('moves with its connection (R-MC-17)', () => {
    const { world, lan, a, b } = pair(1, { delayNs: MS, loss: 0.01 })
    const c = world.host('c')
    lan.attach(c, '10.0.0.3/24')
    for (const host of [b, c]) {
      host.addLocalPrefix('198.18.0.0/15')
      host.tcp.onStray = () => true
    }
    a.addRoute('198.18.0.0/15', { via: ADDRESS_B })
    const one = new StreamService(b, { port: 7, name: 'one' })
    const two = new StreamService(c, { port: 7, name: 'two' })
    const options = {
      to: 0xc6120007,
      port: 7,
      count: 1,
      up: 1_000_000,
      down: 1_000_000,
      timeoutNs: 1000 * SECOND,
    }
    const client = new StreamClient(a, options)
    client.begin()
    world.run(100 * MS)
    const [connection] = one.connections
    const session = structuredClone(one.exportSession(connection))
    const moved = structuredClone(b.tcp.exportConnection(connection))
    a.addRoute('198.18.0.0/15', { via: 0x0a000003 })
    two.adopt(c.tcp.importConnection(moved), session)
    world.run()
    expect([client.report.completed, client.report.corrupted]).to.deep.equal([1, 0])
    expect(two.counters.finished).to.equal(1)
    expect(session.received).to.be.within(1, 999_999)
  })
})

describe('datagram service and client', () => {
  it('completes what is not lost and fails the rest by timeout', () => {
    const { world, a, b } = pair(1, { delayNs: MS, loss: 0.1, duplicate: 0.1 })
    const service = new DatagramService(b, { port: 9, name: 'far' })
    const client = new DatagramClient(a, { to: ADDRESS_B, port: 9, count: 500, intervalNs: MS, bytes: 200 })
    client.begin()
    world.run()
    const { attempted, completed, failed, failures, servers, corrupted } = client.report
    expect([attempted, corrupted]).to.deep.equal([500, 0])
    expect(completed + failed).to.equal(500)
    expect(completed).to.be.within(350, 450)
    expect(failures).to.deep.equal({ timeout: failed })
    expect(servers).to.deep.equal({ far: completed })
    expect(service.counters.requests).to.be.greaterThan(400)
  })

  it('asks for bodies larger than the link, and for none', () => {
    for (const bytes of [0, 20_000, 60_000]) {
      const { world, a, b } = pair(1)
      new DatagramService(b, { port: 9 })
      const client = new DatagramClient(a, { to: ADDRESS_B, port: 9, count: 3, bytes })
      client.begin()
      world.run()
      expect(client.report.completed, `${bytes}`).to.equal(3)
    }
  })

  it('fails at once when nobody listens', () => {
    const { world, a } = pair(1)
    const client = new DatagramClient(a, { to: ADDRESS_B, port: 9, count: 3 })
    client.begin()
    world.run()
    expect(client.report.failures).to.deep.equal({ unreachable: 3 })
    expect(world.now).to.be.lessThan(SECOND)
  })

  it('finds a member of a group, which answers from its own address', () => {
    const { world, a, b } = pair(1)
    b.igmp.join(0xef000001)
    new DatagramService(b, { port: 9 })
    const client = new DatagramClient(a, { to: 0xef000001, port: 9, count: 2 })
    client.begin()
    world.run()
    expect(client.report.completed).to.equal(2)
  })
})

describe('ping client', () => {
  it('counts replies and losses', () => {
    const { world, a } = pair(1, { delayNs: MS, loss: 0.1 })
    let done = 0
    const options = { to: ADDRESS_B, count: 200, intervalNs: 10 * MS, bytes: 1400, onDone: () => done++ }
    const client = new PingClient(a, options)
    client.begin()
    world.run()
    const { completed, failed, failures, servers, latencies, corrupted } = client.report
    expect(completed + failed).to.equal(200)
    expect(completed).to.be.within(140, 190)
    expect(failures).to.deep.equal({ timeout: failed })
    expect(servers).to.deep.equal({ '10.0.0.2': completed })
    // The first one waited for ARP.
    expect([latencies[0], ...new Set(latencies.slice(1))]).to.deep.equal([4 * MS, 2 * MS])
    expect([corrupted, done]).to.deep.equal([0, 1])
  })
})
