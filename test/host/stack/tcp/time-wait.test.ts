import { expect } from 'chai'
import { describe, it } from 'mocha'
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../../../../engine/wire/index.ts'
import { type RawPair, rawPair, watch } from '../../../support/raw-pair.ts'
import { ADDRESS_B, pair } from '../../../support/virtual-link.ts'

const SECOND = 1_000_000_000

/** A connection that the stack closed first and that lingers there. */
function lingering(): RawPair {
  const all = rawPair()
  const { peer, accepted } = all
  peer.open()
  const { connection } = accepted[0]
  // Faster than the clock of initial sequence numbers runs.
  connection.send(new Uint8Array(200_000))
  connection.close()
  while (connection.state !== 'fin-wait-2') {
    peer.expected = connection.block.sndNxt
    peer.send({})
  }
  peer.send({ flags: TCP_ACK | TCP_FIN })
  peer.next++
  expect(all.stack.tcp.lingering).to.equal(1)
  return all
}

describe('TIME-WAIT', () => {
  it('acknowledges a repeated FIN and lingers anew', () => {
    const { peer, stack, world } = lingering()
    world.run(world.now + 50 * SECOND)
    const [ack] = peer.send({ flags: TCP_ACK | TCP_FIN, sequence: peer.next - 1 })
    expect([ack.flags, ack.acknowledgment]).to.deep.equal([TCP_ACK, peer.next])
    world.run(world.now + 50 * SECOND)
    expect(stack.tcp.lingering).to.equal(1)
    world.run(world.now + 15 * SECOND)
    expect(stack.tcp.lingering).to.equal(0)
  })

  it('ignores RST (RFC 1337)', () => {
    const { peer, stack } = lingering()
    expect(peer.send({ flags: TCP_RST })).to.deep.equal([])
    expect(stack.tcp.lingering).to.equal(1)
  })

  it('lets a newer SYN reuse the ends with a greater sequence number, and no older one', () => {
    const { peer, stack, accepted } = lingering()
    const old = peer.expected
    const [ack] = peer.send({ flags: TCP_SYN, acknowledgment: 0, sequence: peer.next - 5000 })
    expect(ack.flags).to.equal(TCP_ACK)
    const [answer] = peer.send({ flags: TCP_SYN, acknowledgment: 0, sequence: peer.next + 5000 })
    expect(answer.flags).to.equal(TCP_SYN | TCP_ACK)
    expect((answer.sequence - old) | 0).to.be.greaterThan(0)
    expect(stack.tcp.lingering).to.equal(0)
    expect(accepted).to.have.length(1)
  })

  it('is bounded: the oldest makes room', () => {
    const { world, a, lan } = pair(1)
    const small = world.host('small', { tcp: { timeWait: 10 } })
    lan.attach(small, '10.0.0.3/24')
    small.tcp.listen(80, 0, (connection) => connection.close())
    for (let i = 0; i < 25; i++) {
      const client = watch(a.tcp.connect({ to: 0x0a000003, port: 80 }))
      client.connection.onEnd = () => client.connection.close()
    }
    world.run(SECOND)
    expect(small.tcp.lingering).to.equal(10)
    expect(small.tcp.counters.timeWaitEvicted).to.equal(15)
  })

  it('keeps a client from reusing the port, and lets an explicit one fail', () => {
    const { world, a, b } = pair(1)
    b.tcp.listen(80, 0, (connection) => {
      connection.onEnd = () => connection.close()
    })
    const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80, fromPort: 4000 }))
    client.connection.onEstablished = () => client.connection.close()
    world.run(SECOND)
    expect(a.tcp.lingering).to.equal(1)
    expect(() => a.tcp.connect({ to: ADDRESS_B, port: 80, fromPort: 4000 })).to.throw('port 4000 is taken')
    world.run(100 * SECOND)
    const again = watch(a.tcp.connect({ to: ADDRESS_B, port: 80, fromPort: 4000 }))
    world.run(101 * SECOND)
    expect(again.connection.state).to.equal('established')
  })

  it('serves many connections from one client that closes last, port after port', () => {
    const { world, a, b } = pair(1)
    b.tcp.listen(80, 0, (connection) => connection.close())
    const ports = new Set<number>()
    let closed = 0
    for (let i = 0; i < 200; i++) {
      const client = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
      ports.add(client.connection.localPort)
      client.connection.onEnd = () => client.connection.close()
      client.connection.onClosed = (reason) => {
        if (reason === 'closed') closed++
      }
    }
    world.run()
    expect(closed).to.equal(200)
    expect(ports.size).to.equal(200)
    expect(Math.min(...ports)).to.be.at.least(16_384)
  })
})
