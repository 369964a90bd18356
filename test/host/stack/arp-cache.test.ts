import { expect } from 'chai'
import { describe, it } from 'mocha'
import { ARP_REPLY, ARP_REQUEST, read16 } from '../../../engine/wire/index.ts'
import { rawPair } from '../../support/raw-pair.ts'
import { RawPeer } from '../../support/raw-peer.ts'
import { ADDRESS_A, ADDRESS_B, pair, VirtualWorld } from '../../support/virtual-link.ts'

const SECOND = 1_000_000_000
const OTHER = Uint8Array.of(2, 9, 9, 9, 9, 9)

const isArp = (frame: Uint8Array): boolean => read16(frame, 12) === 0x0806
const destination = (frame: Uint8Array): string => [...frame.subarray(0, 6)].join(':')

describe('ARP', () => {
  it('resolves once, keeps packets meanwhile in order, and is then quiet', () => {
    const { world, lan, a, b } = pair(1)
    const got: number[] = []
    b.udp.bind(9, ({ payload }) => got.push(payload[0]))
    for (let i = 0; i < 5; i++) a.udp.send({ to: ADDRESS_B, port: 9, fromPort: 5, payload: Uint8Array.of(i) })
    world.run()
    expect(got).to.deep.equal([0, 1, 2, 3, 4])
    expect(lan.frames('a').filter(isArp)).to.have.length(1)
    expect(lan.frames('b').filter(isArp)).to.have.length(1)
  })

  it('asks three times a second apart, then drops what waited with a name', () => {
    const world = new VirtualWorld(1)
    const lan = world.lan()
    const a = world.host('a')
    lan.attach(a, '10.0.0.1/24')
    for (let i = 0; i < 72; i++)
      a.udp.send({ to: 0x0a000063, port: 9, fromPort: 5, payload: Uint8Array.of(i) })
    world.run()
    expect(lan.passages.map((each) => each.at / SECOND)).to.deep.equal([0, 1, 2])
    expect(a.counters.drops()).to.deep.equal({ 'arp-pending-full': 8, 'arp-unresolved': 64 })
    expect(a.pollAt()).to.equal(Number.POSITIVE_INFINITY)
  })

  it('answers only for the addresses of its device, not for local prefixes', () => {
    const { peer, stack, lan } = rawPair(null)
    stack.addLocalPrefix('198.18.0.0/15')
    const before = lan.frames('b').length
    peer.sendArp(ARP_REQUEST, ADDRESS_A, 0xc6120001)
    peer.sendArp(ARP_REQUEST, ADDRESS_A, 0x0a000077)
    peer.settle()
    expect(lan.frames('b').length).to.equal(before)
    peer.sendArp(ARP_REQUEST, ADDRESS_A, ADDRESS_B)
    peer.settle()
    expect(lan.frames('b').length).to.equal(before + 1)
  })

  it('answers probes of hosts without an address, and learns nothing from them', () => {
    const { peer, lan, stack } = rawPair(null)
    const before = stack.devices.length
    peer.sendArp(ARP_REQUEST, 0, ADDRESS_B)
    peer.settle()
    expect(isArp(lan.frames('b').at(-1)!)).to.equal(true)
    expect(stack.devices.length).to.equal(before)
  })

  describe('when somebody lies', () => {
    it('does not believe an unsolicited answer about a known neighbour', () => {
      const { peer, stack, lan, world } = rawPair(null)
      const liar = new RawPeer(world, lan, 0x0a000042, ADDRESS_B, 'liar')
      liar.sendArp(ARP_REPLY, ADDRESS_A, ADDRESS_B, stack.devices[0].device.mac)
      peer.settle()
      stack.udp.send({ to: ADDRESS_A, port: 9, fromPort: 5, payload: Uint8Array.of(1) })
      world.run(world.now + 1000)
      expect(destination(lan.frames('b').at(-1)!)).to.equal([...peer.mac].join(':'))
      expect(stack.counters.dropped('arp-spoofed')).to.equal(1)
    })

    it('does not take its own address, foreign subnets, groups or a MAC unlike the frame for a sender', () => {
      const { peer, stack, world, lan } = rawPair(null)
      const cases: [number, Uint8Array][] = [
        [ADDRESS_B, peer.mac],
        [0x0b000001, peer.mac],
        [ADDRESS_A, OTHER],
        [0xe0000001, peer.mac],
      ]
      for (const [sender, mac] of cases) peer.sendArp(ARP_REQUEST, sender, ADDRESS_B, undefined, mac)
      peer.settle()
      expect(stack.counters.dropped('arp-spoofed')).to.equal(cases.length)
      stack.udp.send({ to: ADDRESS_A, port: 9, fromPort: 5, payload: Uint8Array.of(1) })
      world.run(world.now + 1000)
      expect(destination(lan.frames('b').at(-1)!)).to.equal([...peer.mac].join(':'))
    })

    it('bounds its table', () => {
      const world = new VirtualWorld(1)
      const lan = world.lan()
      const a = world.host('a')
      lan.attach(a, '10.0.0.1/16')
      for (let i = 0; i < 3000; i++)
        a.udp.send({ to: 0x0a000100 + i, port: 9, fromPort: 5, payload: Uint8Array.of(1) })
      expect(a.counters.dropped('arp-cache-full')).to.equal(3000 - 1024)
      world.run()
      expect(a.pollAt()).to.equal(Number.POSITIVE_INFINITY)
    })
  })

  describe('when an address moves to another machine', () => {
    it('asks anew on the announcement and follows the answer', () => {
      const { world, lan, a, b } = pair(1)
      const c = world.host('c')
      b.udp.bind(9, () => {})
      a.udp.send({ to: ADDRESS_B, port: 9, fromPort: 5, payload: Uint8Array.of(1) })
      world.run()
      const old = b.devices[0].device.mac
      lan.options = { filter: (frame) => !frame.subarray(6, 12).every((byte, i) => byte === old[i]) }
      lan.attach(c, '10.0.0.2/24')
      let got = 0
      c.udp.bind(9, () => got++)
      c.announce(0)
      world.run()
      a.udp.send({ to: ADDRESS_B, port: 9, fromPort: 5, payload: Uint8Array.of(1) })
      world.run()
      expect(got).to.equal(1)
    })

    it('finds out by itself when an entry has aged', () => {
      const { world, lan, a, b } = pair(1)
      a.udp.send({ to: ADDRESS_B, port: 9, fromPort: 5, payload: Uint8Array.of(1) })
      world.run()
      const c = world.host('c')
      const old = b.devices[0].device.mac
      lan.options = { filter: (frame) => !frame.subarray(6, 12).every((byte, i) => byte === old[i]) }
      lan.attach(c, '10.0.0.2/24')
      let got = 0
      c.udp.bind(9, () => got++)
      for (let i = 1; i <= 10; i++)
        world.at(60 * SECOND + i * SECOND, () => {
          a.poll(world.now)
          a.udp.send({ to: ADDRESS_B, port: 9, fromPort: 5, payload: Uint8Array.of(1) })
        })
      world.run()
      expect(got).to.be.within(5, 9)
    })
  })
})
