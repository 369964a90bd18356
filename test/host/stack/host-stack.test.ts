import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { createIpv4, emitIpv4, PROTOCOL_TCP, PROTOCOL_UDP } from '../../../engine/wire/index.ts'
import { HostStack, NEVER } from '../../../host/stack/index.ts'
import { rawPair, watch } from '../../support/raw-pair.ts'
import { transfer } from '../../support/transfer.ts'
import { ADDRESS_A, ADDRESS_B, pair, VirtualWorld } from '../../support/virtual-link.ts'

const MS = 1_000_000
const SECOND = 1000 * MS

describe('HostStack', () => {
  describe('when idle', () => {
    it('has nothing to do, and a thousand hosts are small', () => {
      const before = process.memoryUsage().heapUsed
      const stacks = Array.from({ length: 1000 }, (_, i) => {
        const stack = new HostStack({ name: `h${i}`, random: () => 1, now: 0 })
        const device = { name: 'eth0', mac: Uint8Array.of(2, 0, 0, 0, i >> 8, i), mtu: 1500, send: () => {} }
        stack.addDevice(device, [{ address: 0x0a000000 + i + 1, length: 16 }])
        return stack
      })
      expect(stacks.every((stack) => stack.pollAt() === NEVER)).to.equal(true)
      expect((process.memoryUsage().heapUsed - before) / 1000).to.be.lessThan(40_000)
    })
  })

  describe('when run twice with one seed', () => {
    it('sends the same frames at the same times', () => {
      const run = (seed: number): string[] => {
        const { world, lan, a, b } = pair(seed, {
          delayNs: 2 * MS,
          loss: 0.05,
          reorder: 0.05,
          reorderNs: 5 * MS,
        })
        transfer(a, b, ADDRESS_B, 100_000)
        a.icmp.ping({ to: ADDRESS_B }, () => {})
        b.igmp.join(0xef000001)
        world.run()
        return lan.passages.map(
          ({ at, from, frame }) => `${at} ${from} ${Buffer.from(frame).toString('base64')}`,
        )
      }
      expect(run(42)).to.deep.equal(run(42))
      expect(run(42)).to.not.deep.equal(run(43))
    })
  })

  describe('when a whole subnet is local (R-SLR-09)', () => {
    it('serves every address of it, and none outside', () => {
      const { world, a, b } = pair(1)
      b.addLocalPrefix('198.18.0.0/15')
      a.addRoute('0.0.0.0/0', { via: ADDRESS_B })
      const served: number[] = []
      b.tcp.listen(80, 0, (connection) => served.push(connection.local))
      const all = [0xc6120000, 0xc6120001, 0xc613ffff, 0xc6140000, 0xc611ffff]
      const clients = all.map((to) => watch(a.tcp.connect({ to, port: 80, settings: { synRetries: 0 } })))
      world.run(10 * SECOND)
      expect(served).to.deep.equal(all.slice(0, 3))
      expect(clients.map(({ connection }) => connection.state)).to.deep.equal([
        ...new Array(3).fill('established'),
        'closed',
        'closed',
      ])
      b.removeLocalPrefix('198.18.0.0/15')
      expect(() => b.removeLocalPrefix('198.18.0.0/15')).to.throw('no such local prefix')
    })
  })

  describe('when it speaks with itself', () => {
    it('carries a transfer without a device', () => {
      const world = new VirtualWorld(1)
      const stack = world.host('alone')
      stack.addLocalPrefix('127.0.0.0/8')
      const result = transfer(stack, stack, 0x7f000001, 1_000_000)
      world.run()
      expect(result.receivedCrc).to.equal(result.sentCrc)
      expect([result.client, result.server]).to.deep.equal(['closed', 'closed'])
    })
  })

  describe('when a device answers within send', () => {
    it('is not re-entered: the answer waits', () => {
      const one = new HostStack({ name: 'one', random: () => 5, now: 0 })
      const other = new HostStack({ name: 'other', random: () => 6, now: 0 })
      const wire = (to: HostStack) => (frame: Uint8Array) => to.input(0, frame, 0)
      const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last)
      one.addDevice({ name: 'x', mac: mac(1), mtu: 1500, send: wire(other) }, [
        { address: ADDRESS_A, length: 24 },
      ])
      other.addDevice({ name: 'x', mac: mac(2), mtu: 1500, send: wire(one) }, [
        { address: ADDRESS_B, length: 24 },
      ])
      const result = transfer(one, other, ADDRESS_B, 100_000)
      for (let i = 0; i < 10_000 && result.received < 100_000; i++)
        for (const stack of [one, other]) if (stack.pollAt() <= i * MS) stack.poll(i * MS)
      expect(result.receivedCrc).to.equal(result.sentCrc)
    })
  })

  describe('when routes are added', () => {
    it('uses the longest prefix, and refuses gateways on no link', () => {
      const world = new VirtualWorld(1)
      const [left, right] = [world.lan(), world.lan()]
      const stack = world.host('r')
      left.attach(stack, '10.0.1.1/24')
      right.attach(stack, '10.0.2.1/24')
      stack.addRoute('0.0.0.0/0', { via: 0x0a000102 })
      stack.addRoute('20.0.0.0/8', { via: 0x0a000202 })
      expect(stack.network.sourceFor(0x08080808)).to.equal(0x0a000101)
      expect(stack.network.sourceFor(0x14000001)).to.equal(0x0a000201)
      expect(() => stack.addRoute('30.0.0.0/8', { via: 0x0b000001 })).to.throw('on no link')
      stack.removeRoute('20.0.0.0/8')
      expect(stack.network.sourceFor(0x14000001)).to.equal(0x0a000101)
      expect(() => stack.removeRoute('20.0.0.0/8')).to.throw('no such route')
    })
  })

  describe('when a protocol has a handler of its own', () => {
    it('gets the datagrams, and the stack keeps its own protocols', () => {
      const { world, a, b } = pair(1)
      const got: number[][] = []
      b.rawProtocol(46, ({ bytes, transport, end }) => got.push([...bytes.subarray(transport, end)]))
      a.sendRaw(46, 0, ADDRESS_B, Uint8Array.of(1, 2, 3))
      world.run()
      expect(got).to.deep.equal([[1, 2, 3]])
      expect(() => b.rawProtocol(PROTOCOL_TCP, () => {})).to.throw("is the stack's own")
      b.rawProtocol(46, undefined)
      a.sendRaw(46, 0, ADDRESS_B, Uint8Array.of(1, 2, 3))
      world.run()
      expect(b.counters.dropped('protocol-unreachable')).to.equal(1)
    })
  })

  describe('when packets are not for it', () => {
    it('drops them with a name', () => {
      const { peer, stack } = rawPair(null)
      const udp = Uint8Array.of(0, 5, 0, 9, 0, 9, 0, 0, 3)
      const send = (fields: object): void => peer.sendIp(PROTOCOL_UDP, udp, fields)
      send({ destination: 0x0a000063 })
      send({ destination: 0xef000001 })
      for (const source of [0, 0x7f000001, 0xe0000001, 0xf0000001, 0x0a0000ff]) send({ source })
      send({ source: ADDRESS_B })
      send({ options: Uint8Array.of(131, 7, 4, 1, 2, 3, 4, 0) })
      send({ options: Uint8Array.of(148, 1, 0, 0) })
      peer.settle()
      expect(stack.counters.drops()).to.deep.equal({
        'not-local': 2,
        'martian-source': 5,
        'own-source': 1,
        'ip-options': 2,
      })
    })

    it('ignores unicast packets in broadcast frames, other MACs, other types and short frames', () => {
      const { stack, lan, peer, world } = rawPair(null)
      const frame = (mac: number[], type: number): Uint8Array => {
        const bytes = new Uint8Array(43)
        bytes.set(mac)
        bytes.set(peer.mac, 6)
        bytes[12] = type >> 8
        bytes[13] = type
        const header = {
          ...createIpv4(),
          totalBytes: 29,
          protocol: 17,
          source: ADDRESS_A,
          destination: ADDRESS_B,
        }
        emitIpv4(bytes, 14, header)
        return bytes
      }
      const own = [...stack.devices[0].device.mac]
      for (const [mac, type] of [
        [[255, 255, 255, 255, 255, 255], 0x0800],
        [own, 0x86dd],
        [[2, 1, 1, 1, 1, 1], 0x0800],
      ] as const)
        stack.input(0, frame([...mac], type), world.now)
      stack.input(0, new Uint8Array(5), world.now)
      expect(stack.counters.drops()).to.deep.equal({
        'link-broadcast': 1,
        'ethertype-unsupported': 1,
        'not-for-this-mac': 1,
        'frame-malformed': 1,
      })
      expect(lan.frames('b').length).to.equal(1)
      expect(() => stack.input(7, new Uint8Array(60), 0)).to.throw('no device 7')
    })
  })

  describe('for any bytes at all', () => {
    it('neither throws nor grows beyond its limits', () => {
      const own = (stack: HostStack): Uint8Array => stack.devices[0].device.mac
      const kind = fc.constantFrom('noise', 'ip', 'arp', 'tcp', 'udp', 'icmp', 'igmp', 'tunnel', 'mutated')
      const one = fc.record({
        kind,
        bytes: fc.uint8Array({ minLength: 0, maxLength: 120 }),
        flips: fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }),
        fragment: fc.constantFrom(0, 0, 0, 8, 64),
        more: fc.boolean(),
      })
      const sample = pair(3)
      transfer(sample.a, sample.b, ADDRESS_B, 5000)
      sample.a.icmp.ping({ to: ADDRESS_B }, () => {})
      sample.b.igmp.join(0xef000001)
      sample.world.run()
      const recorded = sample.lan.frames('a')
      const numbers: Record<string, number> = { ip: 99, tcp: 6, udp: 17, icmp: 1, igmp: 2, tunnel: 4 }
      fc.assert(
        fc.property(fc.array(one, { maxLength: 60 }), fc.nat(), (all, seed) => {
          const { stack, world, peer, lan } = rawPair({ backlog: 8 }, seed)
          stack.enableTunnelExit({ depth: 4 })
          stack.udp.bind(9, () => {})
          stack.igmp.join(0xef000001)
          for (const { kind: what, bytes, flips, fragment, more } of all) {
            if (what === 'noise' || what === 'arp') {
              const frame = new Uint8Array(14 + bytes.length)
              frame.set(own(stack))
              frame.set(bytes.subarray(0, what === 'noise' ? bytes.length : 0), 12)
              if (what === 'arp') frame.set([8, 6, ...bytes], 12)
              stack.input(0, frame, world.now)
            } else if (what === 'mutated') {
              const frame = recorded[bytes.length % recorded.length].slice()
              frame.set(own(stack))
              for (const [at, value] of flips) frame[at % frame.length] = value
              stack.input(0, frame, world.now)
            } else {
              const fields = { fragmentOffset: fragment, moreFragments: more || fragment > 0 }
              peer.sendIp(
                numbers[what],
                bytes,
                what === 'ip' ? fields : { fragmentOffset: fragment, moreFragments: fragment > 0 && more },
              )
            }
            world.run(world.now + 1000)
          }
          expect(stack.tcp.connections).to.be.at.most(9)
          const sent = lan.frames('b').length
          world.run(world.now + 200 * SECOND)
          expect(lan.frames('b').length - sent).to.be.lessThan(200)
          expect(stack.pollAt()).to.equal(NEVER)
          let got = 0
          stack.udp.bind(10, () => got++)
          peer.sendIp(PROTOCOL_UDP, Uint8Array.of(0, 5, 0, 10, 0, 9, 0, 0, 3))
          peer.settle()
          expect(got).to.equal(1)
        }),
        { numRuns: 150 },
      )
    })
  })

  it('gives applications timers that can be cancelled', () => {
    const { world, a } = pair(1)
    const ran: number[] = []
    a.after(20 * MS, () => ran.push(world.now))
    a.after(10 * MS, () => ran.push(world.now))
    a.after(15 * MS, () => ran.push(-1)).cancel()
    world.run()
    expect(ran).to.deep.equal([10 * MS, 20 * MS])
  })

  it('takes packets that others hand it (R-MC-14)', () => {
    const { world, b } = pair(1)
    const got: string[] = []
    b.udp.bind(9, ({ payload }) => got.push(Buffer.from(payload).toString()))
    const body = Uint8Array.from([0, 5, 0, 9, 0, 13, 0, 0, ...Buffer.from('hello')])
    const packet = new Uint8Array(20 + body.length)
    packet.set(body, 20)
    const fields = { totalBytes: packet.length, protocol: 17, source: 0x01010101, destination: ADDRESS_B }
    emitIpv4(packet, 0, { ...createIpv4(), ...fields })
    b.inject(packet)
    world.run()
    expect(got).to.deep.equal(['hello'])
  })
})
