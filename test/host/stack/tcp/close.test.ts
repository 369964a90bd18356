import { expect } from 'chai'
import { describe, it } from 'mocha'
import { TCP_ACK, TCP_FIN, TCP_RST } from '../../../../engine/wire/index.ts'
import { rawPair, watch } from '../../../support/raw-pair.ts'
import { ADDRESS_B, pair } from '../../../support/virtual-link.ts'

const MS = 1_000_000
const SECOND = 1000 * MS

describe('TCP close', () => {
  describe('when this side closes first', () => {
    it('goes through FIN-WAIT-1, FIN-WAIT-2 and TIME-WAIT', () => {
      const { peer, accepted, stack, world } = rawPair()
      peer.open()
      const [record] = accepted
      record.connection.close()
      expect(record.connection.state).to.equal('fin-wait-1')
      peer.settle()
      const [fin] = peer.take()
      expect(fin.flags).to.equal(TCP_ACK | TCP_FIN)
      peer.expected++
      peer.send({})
      expect(record.connection.state).to.equal('fin-wait-2')
      peer.send({ payload: Uint8Array.of(9) })
      expect(record.data).to.deep.equal([9])
      peer.next++
      const [ack] = peer.send({ flags: TCP_ACK | TCP_FIN })
      expect(ack.acknowledgment).to.equal(peer.next + 1)
      expect([record.connection.state, record.closed, record.ended]).to.deep.equal([
        'time-wait',
        'closed',
        true,
      ])
      expect(stack.tcp.lingering).to.equal(1)
      world.run()
      expect(world.now).to.be.within(60 * SECOND, 61 * SECOND)
      expect(stack.tcp.lingering).to.equal(0)
    })

    it('ends with a timeout when the peer never closes', () => {
      const { peer, accepted, world, stack } = rawPair({ settings: { finWaitNs: 30 * SECOND } })
      peer.open()
      accepted[0].connection.close()
      peer.expected++
      peer.send({})
      world.run()
      expect(accepted[0].closed).to.equal('timeout')
      expect(stack.tcp.connections).to.equal(0)
    })
  })

  describe('when the peer closes first', () => {
    it('can still send, then goes through CLOSE-WAIT and LAST-ACK', () => {
      const { peer, accepted, stack } = rawPair()
      peer.open()
      const [{ connection }] = accepted
      peer.send({ flags: TCP_ACK | TCP_FIN })
      peer.next++
      expect([connection.state, accepted[0].ended]).to.deep.equal(['close-wait', true])
      expect(connection.send(Uint8Array.of(1, 2, 3))).to.equal(3)
      connection.close()
      peer.settle()
      expect(connection.state).to.equal('last-ack')
      const sent = peer.take()
      expect(sent.flatMap((segment) => [...segment.payload])).to.deep.equal([1, 2, 3])
      peer.expected += 4
      peer.send({})
      expect([connection.state, accepted[0].closed]).to.deep.equal(['closed', 'closed'])
      expect(stack.tcp.lingering).to.equal(0)
    })
  })

  describe('when both close at once', () => {
    it('goes through CLOSING to TIME-WAIT at both ends', () => {
      const { world, a, b } = pair(1, { delayNs: 5 * MS })
      const server: ReturnType<typeof watch>[] = []
      b.tcp.listen(80, 0, (connection) => server.push(watch(connection)))
      const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
      world.run(SECOND)
      client.connection.close()
      server[0].connection.close()
      world.run(2 * SECOND)
      const states = world.log.filter((event) => event.kind === 'state').map((event) => event.to)
      expect(states.filter((state) => state === 'closing')).to.have.length(2)
      expect(states.filter((state) => state === 'time-wait')).to.have.length(2)
      expect([client.closed, server[0].closed]).to.deep.equal(['closed', 'closed'])
    })
  })

  describe('when FIN comes early', () => {
    it('waits for the data before it', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      peer.send({ flags: TCP_ACK | TCP_FIN, sequence: peer.next + 2, payload: Uint8Array.of(3, 4) })
      expect(accepted[0].ended).to.equal(false)
      const [ack] = peer.send({ payload: Uint8Array.of(1, 2) })
      expect(accepted[0].data).to.deep.equal([1, 2, 3, 4])
      expect(accepted[0].ended).to.equal(true)
      expect(ack.acknowledgment).to.equal(peer.next + 5)
    })

    it('lets nothing in behind it', () => {
      const { peer, accepted } = rawPair()
      peer.open()
      peer.send({ flags: TCP_ACK | TCP_FIN, sequence: peer.next + 2 })
      peer.send({ sequence: peer.next + 1, payload: Uint8Array.of(2, 3, 4) })
      peer.send({ payload: Uint8Array.of(1) })
      expect(accepted[0].data).to.deep.equal([1, 2])
      expect(accepted[0].ended).to.equal(true)
    })
  })

  describe('when aborted', () => {
    it('sends RST with the next sequence number and ends', () => {
      const { peer, accepted, stack } = rawPair()
      peer.open()
      accepted[0].connection.abort()
      peer.settle()
      const [reset] = peer.take()
      expect([reset.flags, reset.sequence]).to.deep.equal([TCP_RST, peer.expected])
      expect(accepted[0].closed).to.equal('reset')
      expect(stack.tcp.connections + stack.tcp.lingering).to.equal(0)
    })

    it('resets a peer that has lost segments, by way of its challenge', () => {
      const { world, lan, a, b } = pair(1, { delayNs: 5 * MS })
      const server: ReturnType<typeof watch>[] = []
      b.tcp.listen(80, 0, (connection) => server.push(watch(connection)))
      const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
      world.run(SECOND)
      lan.options = { delayNs: 5 * MS, filter: (_, from) => from !== 'a' }
      client.connection.send(new Uint8Array(100))
      lan.options = { delayNs: 5 * MS }
      client.connection.abort()
      world.run()
      expect(server[0].closed).to.equal('reset')
    })
  })

  describe('when the application closes in its callbacks', () => {
    it('survives abort within onData, onEnd and onConnection', () => {
      for (const where of ['onData', 'onEnd', 'onConnection'] as const) {
        const { world, a, b } = pair(1)
        b.tcp.listen(80, 0, (connection) => {
          if (where === 'onConnection') connection.abort()
          else connection[where] = () => connection.abort()
        })
        const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
        client.connection.send(Uint8Array.of(1))
        client.connection.onEstablished = () => client.connection.close()
        world.run()
        expect(client.closed, where).to.equal('reset')
        expect(b.tcp.connections, where).to.equal(0)
      }
    })
  })

  describe('when the peer is gone', () => {
    it('gives up after the user timeout, having repeated with back-off', () => {
      const { world, lan, a, b } = pair(1)
      b.tcp.listen(80, 0, () => {})
      const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
      world.run(SECOND)
      lan.options = { filter: () => false }
      client.connection.send(Uint8Array.of(1, 2, 3))
      world.run()
      expect(client.closed).to.equal('timeout')
      const times = world.log
        .filter((event) => event.kind === 'retransmit')
        .map((event) => event.at / SECOND - 1)
      const gaps = times.slice(1).map((at, i) => Math.round((at - times[i]) * 10) / 10)
      expect(gaps.slice(0, 5)).to.deep.equal([0.4, 0.8, 1.6, 3.2, 6.4])
      expect(times.at(-1)).to.be.lessThan(160)
    })

    it('notices with keep-alive probes, and a live peer answers them', () => {
      const { world, lan, a, b } = pair(1)
      b.tcp.listen(80, 0, () => {})
      const settings = { keepAliveNs: 10 * SECOND, userTimeoutNs: 20 * SECOND }
      const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80, settings }))
      world.run(100 * SECOND)
      expect(client.connection.state).to.equal('established')
      lan.options = { filter: () => false }
      world.run()
      expect(client.closed).to.equal('timeout')
      expect(world.now / SECOND).to.be.within(110, 150)
    })
  })
})
