import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  ARP_REPLY,
  ARP_REQUEST,
  createArp,
  createIpv4,
  ETHER_TYPE_ARP,
  ETHER_TYPE_IPV4,
  emitArp,
  emitEthernet,
  emitIpv4,
  emitOuterHeader,
  emitUdp,
  PROTOCOL_IP_IN_IP,
  PROTOCOL_UDP,
  parseArp,
  read16,
  read32,
} from '../../../engine/wire/index.ts'
import type { HostStack, TunnelExitOptions, UdpDatagram } from '../../../host/stack/index.ts'
import { pattern, transfer } from '../../support/transfer.ts'
import { ADDRESS_B, pair, VirtualWorld } from '../../support/virtual-link.ts'

const VIRTUAL = 0xc6120050
const CLIENT = 0x01020304

/** A UDP packet from a client to the virtual host. */
function inner(destination = VIRTUAL, tos = 0, bytes = 10): Uint8Array {
  const packet = new Uint8Array(28 + bytes)
  emitUdp(packet, 20, CLIENT, destination, 4000, 9, pattern(0, bytes))
  const fields = {
    totalBytes: packet.length,
    tos,
    ttl: 60,
    protocol: PROTOCOL_UDP,
    source: CLIENT,
    destination,
  }
  emitIpv4(packet, 0, { ...createIpv4(), ...fields })
  return packet
}

interface Bench {
  readonly world: VirtualWorld
  readonly exit: HostStack
  readonly got: UdpDatagram[]
  send(payload: Uint8Array, tos?: number): void
}

/** An entry (a) and an exit (b), which serves 198.18.0.0/15. */
function tunnel(options?: TunnelExitOptions, mtu = 1500): Bench {
  const { world, a, b } = pair(1, { mtu })
  b.addLocalPrefix('198.18.0.0/15')
  if (options !== undefined) b.enableTunnelExit(options)
  const got: UdpDatagram[] = []
  b.udp.bind(9, (datagram) => got.push(datagram))
  const send = (payload: Uint8Array, tos = 0): void => {
    a.sendRaw(PROTOCOL_IP_IN_IP, 0, ADDRESS_B, payload, { tos })
    world.run()
  }
  return { world, exit: b, got, send }
}

describe('tunnel exit', () => {
  it('delivers the inner packet to its virtual host, from the client (R-SLR-05, R-SLR-09)', () => {
    const { exit, got, send } = tunnel({})
    send(inner())
    expect(got.map(({ source, destination }) => [source, destination])).to.deep.equal([[CLIENT, VIRTUAL]])
    expect([...got[0].payload]).to.deep.equal([...pattern(0, 10)])
    expect(exit.counters.decapsulated).to.equal(1)
  })

  it('carries whole connections: in by the tunnel, out directly from the virtual address (R-SLR-06)', () => {
    const world = new VirtualWorld(1)
    const lan = world.lan({ delayNs: 1_000_000, mtu: 1520 })
    const client = world.host('client')
    const server = world.host('server')
    lan.attach(client, '10.0.0.1/24')
    lan.attach(server, '10.0.0.2/24')
    server.addLocalPrefix('198.18.0.0/15')
    server.enableTunnelExit({ from: [{ address: 0x0a0000fe, length: 32 }] })
    const router = world.mac()
    let tunneled = 0
    // A router of ten lines: what goes to the service enters the tunnel, what comes back goes straight on.
    lan.join('router', router, (frame) => {
      if (read16(frame, 12) === ETHER_TYPE_ARP) {
        const arp = createArp()
        parseArp(frame, 14, frame.length, arp)
        if (arp.operation !== ARP_REQUEST || arp.targetAddress !== 0x0a0000fe) return
        const answer = new Uint8Array(42)
        emitEthernet(answer, 0, arp.senderMac, router, ETHER_TYPE_ARP)
        const names = { senderMac: router, senderAddress: 0x0a0000fe, targetMac: arp.senderMac }
        emitArp(answer, 14, { operation: ARP_REPLY, targetAddress: arp.senderAddress, ...names })
        lan.send('router', answer)
        return
      }
      const toService = read32(frame, 30) >>> 17 === 0xc612 >>> 1
      const out = new Uint8Array(frame.length + (toService ? 20 : 0))
      out.set(frame.subarray(14), toService ? 34 : 14)
      if (toService) emitOuterHeader(out, 14, 34, 0x0a0000fe, ADDRESS_B, 64, tunneled++)
      const to = (toService ? server : client).devices[0].device.mac
      emitEthernet(out, 0, to, router, ETHER_TYPE_IPV4)
      lan.send('router', out)
    })
    client.addRoute('0.0.0.0/0', { via: 0x0a0000fe })
    const settings = { maximumSegmentBytes: 1460 }
    const result = transfer(client, server, VIRTUAL, 200_000, settings)
    world.run()
    expect([result.received, result.client]).to.deep.equal([200_000, 'closed'])
    expect(result.receivedCrc).to.equal(result.sentCrc)
    expect(server.counters.decapsulated).to.equal(tunneled)
    expect(server.counters.drops()).to.deep.equal({})
    expect(result.connection.remote).to.equal(VIRTUAL)
  })

  it('reassembles fragmented outer and inner packets', () => {
    const { got, send } = tunnel({}, 600)
    send(inner(VIRTUAL, 0, 3000))
    expect(got[0].payload.length).to.equal(3000)
  })

  describe('when congestion was marked on the way (RFC 6040)', () => {
    it('carries the mark inside, or drops what cannot carry it', () => {
      const seen: number[] = []
      const { exit, got, send } = tunnel({ onPacket: (packet) => seen.push(packet[1]) })
      send(inner(VIRTUAL, 2), 3)
      send(inner(VIRTUAL, 2), 1)
      send(inner(VIRTUAL, 1), 2)
      send(inner(VIRTUAL, 0), 3)
      expect(seen).to.deep.equal([3, 1, 1])
      expect(got).to.have.length(3)
      expect(exit.counters.dropped('tunnel-ecn')).to.equal(1)
    })
  })

  describe('when the packet is not acceptable', () => {
    it('drops it with a name', () => {
      const { exit, got, send } = tunnel({ from: [{ address: 0x0a000000, length: 24 }] })
      send(Uint8Array.of(1, 2, 3))
      send(inner(0x08080808))
      const spoofed = inner()
      spoofed[11] ^= 1
      send(spoofed)
      expect(exit.counters.drops()).to.deep.equal({ 'tunnel-malformed': 2, 'tunnel-not-local': 1 })
      expect(got).to.deep.equal([])
    })

    it('refuses entries it was not told of', () => {
      const { exit, send } = tunnel({ from: [{ address: 0x0a000063, length: 32 }] })
      send(inner())
      expect(exit.counters.drops()).to.deep.equal({ 'tunnel-source': 1 })
    })

    it('goes no deeper than it was told', () => {
      for (const depth of [1, 3]) {
        const { exit, got, send } = tunnel({ depth })
        let packet = inner()
        for (let level = 0; level < 3; level++) {
          const wrapped = new Uint8Array(packet.length + 20)
          wrapped.set(packet, 20)
          if (level < 2) emitOuterHeader(wrapped, 0, 20, 0x01010101, ADDRESS_B, 64, level)
          packet = level < 2 ? wrapped : packet
        }
        send(packet)
        expect(got.length, `depth ${depth}`).to.equal(depth === 3 ? 1 : 0)
        expect(exit.counters.dropped('tunnel-depth')).to.equal(depth === 3 ? 0 : 1)
      }
    })

    it('answers protocol unreachable where there is no exit', () => {
      const { exit, send } = tunnel()
      send(inner())
      expect(exit.counters.dropped('protocol-unreachable')).to.equal(1)
    })
  })
})
