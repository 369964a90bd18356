import { expect } from 'chai'
import { describe, it } from 'mocha'
import { rawPair, watch } from '../../../support/raw-pair.ts'
import { pattern } from '../../../support/transfer.ts'
import { ADDRESS_B, pair } from '../../../support/virtual-link.ts'

const MS = 1_000_000
const SECOND = 1000 * MS

describe('TCP window', () => {
  describe('when the receiver pauses', () => {
    it('closes the window, keeps the bytes, and goes on after resume', () => {
      const { world, lan, a, b } = pair(1, { delayNs: MS })
      const server: ReturnType<typeof watch>[] = []
      b.tcp.listen(80, 0, (connection) => server.push(watch(connection)), {
        settings: { receiveBytes: 20_000 },
      })
      const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
      world.run(SECOND)
      const [{ connection }] = server
      connection.pause()
      client.connection.send(pattern(0, 100_000))
      client.connection.close()
      world.run(60 * SECOND)
      expect(connection.block.unreadBytes).to.equal(20_000)
      expect(connection.block.rcvWnd).to.equal(0)
      expect(client.connection.block.sndWnd).to.equal(0)
      const probes = world.log.filter((event) => event.kind === 'retransmit' && event.cause === 'probe')
      const gaps = probes.slice(1).map((event, i) => Math.round((event.at - probes[i].at) / SECOND))
      expect(gaps.slice(-3)).to.deep.equal([6, 13, 26])
      expect(client.connection.block.congestion.window).to.be.greaterThan(14_000)
      connection.resume()
      world.run()
      expect(server[0].data).to.deep.equal([...pattern(0, 100_000)])
      expect(server[0].ended).to.equal(true)
      const rto = world.log.filter((event) => event.kind === 'retransmit' && event.cause === 'rto')
      expect(rto).to.deep.equal([])
      expect(lan.passages.length).to.be.lessThan(250)
    })

    it('survives the loss of the window update by probing', () => {
      const { world, lan, a, b } = pair(1, { delayNs: MS })
      const server: ReturnType<typeof watch>[] = []
      b.tcp.listen(80, 0, (connection) => server.push(watch(connection)), {
        settings: { receiveBytes: 5000 },
      })
      const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
      world.run(SECOND)
      server[0].connection.pause()
      client.connection.send(pattern(0, 20_000))
      world.run(5 * SECOND)
      lan.options = { filter: () => false }
      world.act(() => server[0].connection.resume())
      lan.options = { delayNs: MS }
      world.run(20 * SECOND)
      expect(server[0].data).to.have.length(20_000)
    })

    it('keeps probing for as long as the peer answers (RFC 1122 4.2.2.17), and not longer', () => {
      const { world, lan, a, b } = pair(1)
      b.tcp.listen(80, 0, (connection) => connection.pause(), { settings: { receiveBytes: 1000 } })
      const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
      client.connection.send(new Uint8Array(5000))
      world.run(3600 * SECOND)
      expect(client.connection.state).to.equal('established')
      lan.options = { filter: () => false }
      world.run()
      expect(client.closed).to.equal('timeout')
    })

    it('gives the application everything, then the end, when it resumes after the peer has closed', () => {
      const { world, a, b } = pair(1)
      const server: ReturnType<typeof watch>[] = []
      b.tcp.listen(80, 0, (connection) => {
        server.push(watch(connection))
        connection.pause()
        connection.close()
      })
      const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
      client.connection.send(Uint8Array.of(1, 2, 3))
      client.connection.close()
      world.run()
      expect([client.closed, server[0].closed, server[0].ended]).to.deep.equal(['closed', '', false])
      server[0].connection.resume()
      expect([server[0].data, server[0].ended, server[0].closed]).to.deep.equal([[1, 2, 3], true, 'closed'])
    })
  })

  describe('when the window is small', () => {
    it('does not offer or use slivers (silly window syndrome)', () => {
      const { world, lan, a, b } = pair(1, { delayNs: MS })
      b.tcp.listen(
        80,
        0,
        (connection) => {
          // An application that takes 100 bytes at a time.
          connection.onData = () => {}
          const sip = (): void => {
            connection.resume()
            connection.pause()
            b.after(5 * MS, sip)
          }
          sip()
        },
        { settings: { receiveBytes: 4000 } },
      )
      const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
      client.connection.send(new Uint8Array(100_000))
      world.run(3 * SECOND)
      const sizes = lan.frames('a').map((frame) => (frame[47] === 2 ? 0 : frame.length - 66))
      const data = sizes.filter((size) => size > 0)
      expect(data.reduce((sum, size) => sum + size, 0)).to.equal(100_000)
      expect(data.filter((size) => size < 1000).length).to.be.at.most(data.length / 3 + 1)
    })

    it('sends what little fits after the override timeout', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      peer.send({ window: 5000 })
      peer.send({ window: 50 })
      accepted[0].connection.send(new Uint8Array(500))
      peer.settle()
      expect(peer.take()).to.deep.equal([])
      peer.settle(2 * SECOND)
      expect(peer.take()[0].payload.length).to.equal(50)
    })
  })

  describe('when the peer shrinks its window', () => {
    it('stops, and goes on when it opens again', () => {
      const { peer, accepted, world } = rawPair()
      peer.open()
      accepted[0].connection.send(new Uint8Array(5000))
      peer.settle()
      const first = peer.take()
      expect(first.length).to.equal(3)
      peer.send({ window: 0 })
      peer.settle(3 * SECOND)
      const probes = peer.take()
      expect(
        probes.every((segment) => segment.payload.length === 1 && segment.sequence === peer.expected),
      ).to.equal(true)
      expect(probes.length).to.be.within(1, 4)
      let answers = peer.send({ window: 60_000 })
      expect(answers[0].sequence).to.equal(peer.expected)
      const causes = world.log.flatMap((event) => (event.kind === 'retransmit' ? [event.cause] : []))
      expect(new Set(causes)).to.deep.equal(new Set(['probe']))
      for (let round = 0; round < 10; round++) {
        for (const { sequence, payload } of answers)
          if (sequence === peer.expected) peer.expected = (sequence + payload.length) >>> 0
        answers = peer.send({ window: 60_000 })
      }
      expect(accepted[0].connection.queuedBytes).to.equal(0)
    })
  })

  describe('when Nagle is on', () => {
    it('holds small segments back while something is in flight', () => {
      for (const noDelay of [false, true]) {
        const { world, lan, a, b } = pair(1, { delayNs: 10 * MS })
        b.tcp.listen(80, 0, () => {})
        const { connection } = watch(a.tcp.connect({ to: ADDRESS_B, port: 80, settings: { noDelay } }))
        world.run(SECOND)
        for (let i = 0; i < 10; i++) world.act(() => connection.send(Uint8Array.of(i)))
        world.run(2 * SECOND)
        const data = lan.frames('a').filter((frame) => frame.length > 66 && frame[47] !== 2)
        expect(data.length, `noDelay ${noDelay}`).to.equal(noDelay ? 10 : 2)
      }
    })
  })

  describe('when acknowledging', () => {
    it('acknowledges every second segment at once and a lone one after 40 ms', () => {
      const { peer } = rawPair()
      peer.open()
      const full = { payload: new Uint8Array(1000) }
      expect(peer.send(full)).to.deep.equal([])
      peer.next += 1000
      expect(peer.send(full)).to.have.length(1)
      peer.next += 1000
      expect(peer.send(full)).to.deep.equal([])
      peer.settle(39 * MS)
      expect(peer.take()).to.deep.equal([])
      peer.settle(2 * MS)
      expect(peer.take()).to.have.length(1)
    })

    it('lets the right edge of the window advance in steps worth having', () => {
      const { peer } = rawPair({ settings: { receiveBytes: 10_000 } })
      peer.open()
      const edges = new Set<number>()
      for (let i = 0; i < 100; i++) {
        for (const { acknowledgment, window } of peer.send({ payload: new Uint8Array(100) }))
          edges.add(acknowledgment + window)
        peer.next += 100
      }
      const sorted = [...edges].sort((one, other) => one - other)
      const steps = sorted.slice(1).map((edge, i) => edge - sorted[i])
      expect(Math.min(...steps)).to.be.at.least(1460)
      expect(steps.length).to.be.within(4, 7)
    })

    it('never takes more than its buffer from a peer that sends crumbs beyond the window', () => {
      const { peer, accepted } = rawPair({ settings: { receiveBytes: 70_001 } })
      peer.open({ mss: 1460, windowScale: 0 })
      const [{ connection }] = accepted
      connection.pause()
      for (let i = 0; i < 69; i++) {
        peer.send({ payload: new Uint8Array(1000) })
        peer.next += 1000
      }
      for (let i = 0; i < 1100; i++) {
        peer.send({ payload: Uint8Array.of(1) })
        peer.settle(41 * MS)
        peer.next = connection.block.rcvNxt
      }
      expect(connection.block.unreadBytes).to.be.within(69_990, 70_001 + 2)
    })

    it('never moves the right edge of the window back', () => {
      const { peer, accepted } = rawPair({ settings: { receiveBytes: 300_001 } })
      const answer = peer.open({ mss: 1460, windowScale: 0 })
      const scale = answer.options.windowScale
      let edge = 0
      accepted[0].connection.pause()
      for (let i = 0; i < 400; i++) {
        for (const { acknowledgment, window } of peer.send({ payload: new Uint8Array(737) })) {
          const right = acknowledgment + window * 2 ** scale
          expect(right).to.be.at.least(edge - 2 ** scale)
          edge = Math.max(edge, right)
        }
        peer.next += 737
      }
      expect(accepted[0].connection.block.unreadBytes).to.be.at.most(300_001 + 737)
    })
  })
})
