import { expect } from 'chai'
import { describe, it } from 'mocha'
import { PROTOCOL_UDP } from '../../../engine/wire/index.ts'
import type { UdpDatagram, UdpError } from '../../../host/stack/index.ts'
import { rawPair } from '../../support/raw-pair.ts'
import { pattern } from '../../support/transfer.ts'
import { ADDRESS_A, ADDRESS_B, pair } from '../../support/virtual-link.ts'

describe('UDP', () => {
  it('carries datagrams of any size both ways', () => {
    for (const bytes of [0, 1, 1472, 1473, 9000, 65_507]) {
      const { world, a, b } = pair(1)
      const got: UdpDatagram[] = []
      b.udp.bind(9, (datagram) => {
        b.udp.send({ to: datagram.source, port: datagram.sourcePort, fromPort: 9, payload: datagram.payload })
      })
      const { port } = a.udp.bind(0, (datagram) => got.push(datagram))
      expect(a.udp.send({ to: ADDRESS_B, port: 9, fromPort: port, payload: pattern(0, bytes) })).to.equal(
        'sent',
      )
      world.run()
      expect(got, `${bytes}`).to.have.length(1)
      expect(Buffer.compare(got[0].payload, pattern(0, bytes))).to.equal(0)
      expect([got[0].source, got[0].sourcePort]).to.deep.equal([ADDRESS_B, 9])
    }
  })

  it('refuses what cannot be sent, with a reason', () => {
    const { a } = pair(1)
    const request = { to: ADDRESS_B, port: 9, fromPort: 5 }
    expect(a.udp.send({ ...request, payload: new Uint8Array(65_508) })).to.equal('too-big')
    expect(a.udp.send({ ...request, payload: new Uint8Array(2000), dontFragment: true })).to.equal('too-big')
    expect(a.udp.send({ ...request, to: 0x08080808, payload: new Uint8Array(1) })).to.equal('no-source')
  })

  it('prefers the binding of the address, and frees the port on close', () => {
    const { world, a, b } = pair(1)
    const got: string[] = []
    const any = b.udp.bind(9, () => got.push('any'))
    const exact = b.udp.bind(9, () => got.push('exact'), { address: ADDRESS_B })
    expect(() => b.udp.bind(9, () => {})).to.throw('taken')
    const send = (): void => {
      a.udp.send({ to: ADDRESS_B, port: 9, fromPort: 5, payload: Uint8Array.of(1) })
      world.run()
    }
    send()
    exact.close()
    send()
    any.close()
    send()
    expect(got).to.deep.equal(['exact', 'any'])
    expect(b.counters.dropped('udp-no-port')).to.equal(1)
  })

  it('tells the sender that nobody listens', () => {
    const { world, a } = pair(1)
    const errors: UdpError[] = []
    const { port } = a.udp.bind(0, () => {}, { onError: (error) => errors.push(error) })
    a.udp.send({ to: ADDRESS_B, port: 9, fromPort: port, payload: Uint8Array.of(1) })
    world.run()
    expect(errors).to.deep.equal([{ type: 3, code: 3, destination: ADDRESS_B, destinationPort: 9 }])
  })

  it('drops what is malformed or has a wrong checksum', () => {
    const { peer, stack } = rawPair(null)
    stack.udp.bind(9, () => expect.fail('delivered'))
    peer.sendIp(PROTOCOL_UDP, Uint8Array.of(0, 5, 0, 9, 0, 9, 1, 2, 3))
    peer.sendIp(PROTOCOL_UDP, Uint8Array.of(0, 5, 0, 9, 0, 200, 0, 0, 3))
    peer.sendIp(PROTOCOL_UDP, Uint8Array.of(0, 5))
    peer.settle()
    expect(stack.counters.drops()).to.deep.equal({ 'udp-checksum': 1, 'udp-malformed': 2 })
  })

  it('takes datagrams without a checksum', () => {
    const { peer, stack } = rawPair(null)
    let got = 0
    stack.udp.bind(9, () => got++)
    peer.sendIp(PROTOCOL_UDP, Uint8Array.of(0, 5, 0, 9, 0, 9, 0, 0, 3))
    peer.settle()
    expect(got).to.equal(1)
  })

  it('reaches all hosts of the link by broadcast', () => {
    const { world, a, b } = pair(1)
    const got: UdpDatagram[] = []
    b.udp.bind(9, (datagram) => got.push(datagram))
    for (const to of [0x0a0000ff, 0xffffffff])
      a.udp.send({ to, port: 9, fromPort: 5, from: ADDRESS_A, payload: Uint8Array.of(1) })
    world.run()
    expect(got.map(({ group }) => group)).to.deep.equal([true, true])
  })
})
