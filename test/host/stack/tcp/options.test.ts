import { expect } from 'chai'
import { describe, it } from 'mocha'
import { TCP_ACK, TCP_SYN } from '../../../../engine/wire/index.ts'
import type { ExperimentalOption, SynNotice } from '../../../../host/stack/index.ts'
import { rawPair, watch } from '../../../support/raw-pair.ts'
import { ADDRESS_B, pair, VirtualWorld } from '../../../support/virtual-link.ts'

const SECOND = 1_000_000_000
const option = (exid: number, ...data: number[]): ExperimentalOption => ({
  kind: 254,
  exid,
  data: Uint8Array.from(data),
})

describe('experimental TCP options', () => {
  it('travel in SYN and SYN-ACK and are seen at both ends (R-DT-01, R-DT-02)', () => {
    const { world, a, b } = pair(1)
    const seen: SynNotice[] = []
    b.tcp.listen(80, 0, () => {}, {
      onSyn: (syn) => {
        seen.push(syn)
        return [option(0x5072, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)]
      },
    })
    const options = [option(0x5072, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)]
    const { connection } = watch(a.tcp.connect({ to: ADDRESS_B, port: 80, options }))
    world.run(SECOND)
    expect(seen[0].options).to.deep.equal(options)
    expect(seen[0].packet.length).to.equal(20 + 20 + 20 + 14 + 2)
    expect(connection.peerOptions[0].data.length).to.equal(16)
    expect(connection.block.timestamps && connection.block.sack && connection.block.scaling).to.equal(true)
  })

  it('do not disturb a peer that knows nothing of them', () => {
    const { world, a, b } = pair(1)
    b.tcp.listen(80, 0, () => {})
    const options = [option(0x5072, 1, 2, 3)]
    const { connection } = watch(a.tcp.connect({ to: ADDRESS_B, port: 80, options }))
    world.run(SECOND)
    expect(connection.state).to.equal('established')
    expect(connection.peerOptions).to.deep.equal([])
  })

  it('are refused when they do not fit beside the others', () => {
    const { a } = pair(1)
    const options = [option(1, ...new Array<number>(17).fill(0))]
    expect(() => a.tcp.connect({ to: ADDRESS_B, port: 80, options })).to.throw('at most 20 fit')
  })

  it('let a listener leave the answer to somebody else (R-DT-03)', () => {
    const { peer, stack } = rawPair({ onSyn: () => 'ignore' })
    expect(peer.send({ flags: TCP_SYN, acknowledgment: 0 })).to.deep.equal([])
    expect(stack.tcp.connections).to.equal(0)
  })

  it('are skipped when unknown or malformed', () => {
    const { peer, accepted } = rawPair()
    const weird = [
      [99, 4, 1, 2],
      [254, 1, 0, 0],
      [2, 200, 0, 0],
      [0, 0, 0, 0],
      [3, 3, 255, 1],
    ]
    for (const bytes of weird) {
      const port = 6000 + bytes[0]
      const [answer] = peer.send({
        flags: TCP_SYN,
        acknowledgment: 0,
        sourcePort: port,
        options: {
          experimental: [
            { kind: bytes[0], exid: (bytes[2] << 8) | bytes[3], data: new Uint8Array(0), dataBytes: 0 },
          ],
          experimentalCount: 1,
        },
      })
      expect(answer.flags, `${bytes}`).to.equal(TCP_SYN | TCP_ACK)
      peer.send({ sequence: peer.next + 1, acknowledgment: answer.sequence + 1, sourcePort: port })
    }
    expect(accepted).to.have.length(weird.length)
  })
})

describe('TCP to a group of servers (manycast)', () => {
  it('connects to whichever member answers first, by its own address', () => {
    const world = new VirtualWorld(1)
    const lan = world.lan({ delayNs: 1000 })
    const group = 0xef000001
    const client = world.host('client')
    lan.attach(client, '10.0.0.1/24')
    client.addRoute('224.0.0.0/4', { device: 0 })
    const got: string[] = []
    for (const name of ['one', 'two']) {
      const server = world.host(name)
      lan.attach(server, name === 'one' ? '10.0.0.11/24' : '10.0.0.12/24')
      server.igmp.join(group, { mode: name === 'one' ? 'include' : 'exclude', sources: [0x0a000001] })
      server.tcp.listen(80, 0, (connection) => (connection.onData = () => got.push(name)), { groups: true })
    }
    const { connection } = watch(client.tcp.connect({ to: group, port: 80, group: true }))
    connection.send(Uint8Array.of(1))
    world.run(SECOND)
    expect(connection.state).to.equal('established')
    expect(connection.remote).to.equal(0x0a00000b)
    expect(got).to.deep.equal(['one'])
  })
})
