import { expect } from 'chai'
import { describe, it } from 'mocha'
import { createIcmp, emitIcmp, PROTOCOL_ICMP, parseIcmp } from '../../../engine/wire/index.ts'
import type { PingResult } from '../../../host/stack/index.ts'
import { rawPair } from '../../support/raw-pair.ts'
import { pattern } from '../../support/transfer.ts'
import { ADDRESS_B, pair } from '../../support/virtual-link.ts'

const MS = 1_000_000
const SECOND = 1000 * MS

describe('ICMP', () => {
  describe('when pinged', () => {
    for (const bytes of [0, 56, 1400, 1472, 1473, 8000, 65_507])
      it(`returns ${bytes} bytes identically${bytes > 1472 ? ', in fragments' : ''} (R-SLR-24)`, () => {
        const { world, a, b } = pair(1, { delayNs: MS })
        const payload = pattern(0, bytes)
        const results: PingResult[] = []
        a.icmp.ping({ to: ADDRESS_B, payload }, (result) => results.push(result))
        world.run()
        expect(results).to.have.length(1)
        const [result] = results
        if (result.outcome !== 'reply') throw new Error(result.outcome)
        expect(Buffer.compare(result.payload, payload)).to.equal(0)
        expect(result.roundTripNs).to.be.within(2 * MS, 10 * MS)
        expect(b.counters.reassembled).to.equal(bytes > 1472 ? 1 : 0)
      })

    it('answers from the very address that was asked, also of a local prefix (R-SLR-09)', () => {
      const { world, a, b } = pair(1)
      b.addLocalPrefix('198.18.0.0/15')
      a.addRoute('198.18.0.0/15', { via: ADDRESS_B })
      const outcomes: string[] = []
      for (const to of [0xc6120001, 0xc613ffff, 0xc6140000])
        a.icmp.ping({ to, timeoutNs: SECOND }, ({ outcome }) => outcomes.push(outcome))
      world.run()
      expect(outcomes).to.deep.equal(['unreachable', 'reply', 'reply'])
    })

    it('asks from a virtual address and takes the answer (R-SLR-24)', () => {
      const { world, a, b } = pair(1)
      b.addLocalPrefix('198.18.0.0/15')
      a.addRoute('198.18.0.0/15', { via: ADDRESS_B })
      const outcomes: string[] = []
      b.icmp.ping({ to: 0x0a000001, from: 0xc6120050 }, ({ outcome }) => outcomes.push(outcome))
      world.run()
      expect(outcomes).to.deep.equal(['reply'])
    })

    it('does not answer when many were asked', () => {
      const { world, lan, a } = pair(1)
      const outcomes: string[] = []
      a.icmp.ping({ to: 0x0a0000ff }, ({ outcome }) => outcomes.push(outcome))
      a.icmp.ping({ to: 0xe0000001 }, ({ outcome }) => outcomes.push(outcome))
      world.run()
      expect(outcomes).to.deep.equal(['timeout', 'timeout'])
      expect(lan.frames('b')).to.deep.equal([])
    })

    it('pings itself through its inbox', () => {
      const { world, lan, a } = pair(1)
      const outcomes: string[] = []
      a.icmp.ping({ to: 0x0a000001 }, ({ outcome }) => outcomes.push(outcome))
      world.run()
      expect(outcomes).to.deep.equal(['reply'])
      expect(lan.passages).to.deep.equal([])
    })
  })

  describe('when a reply is not what was asked for', () => {
    it('waits on, and counts it', () => {
      const { peer, stack, world } = rawPair(null)
      const outcomes: string[] = []
      const ask = { to: peer.address, identifier: 7, sequence: 9, timeoutNs: 5 * SECOND }
      stack.icmp.ping(ask, ({ outcome }) => outcomes.push(outcome))
      const reply = (rest: number): void => {
        const icmp = new Uint8Array(12)
        emitIcmp(icmp, 0, 0, 0, rest, Uint8Array.of(1, 2, 3, 4))
        peer.sendIp(PROTOCOL_ICMP, icmp)
        peer.settle()
      }
      reply((7 << 16) | 8)
      reply((8 << 16) | 9)
      expect(outcomes).to.deep.equal([])
      expect(stack.counters.dropped('icmp-unexpected')).to.equal(2)
      reply((7 << 16) | 9)
      world.run(world.now + 10 * SECOND)
      expect(outcomes).to.deep.equal(['reply'])
    })
  })

  describe('when a router says that an echo request cannot be delivered', () => {
    it('ends it at once, and no other one', () => {
      const { peer, stack } = rawPair(null)
      const outcomes: string[] = []
      for (const sequence of [1, 2])
        stack.icmp.ping({ to: 0x0a000001, identifier: 7, sequence, timeoutNs: SECOND }, ({ outcome }) =>
          outcomes.push(`${sequence} ${outcome}`),
        )
      peer.settle()
      const request = peer.others[1].slice(14)
      const error = new Uint8Array(8 + request.length)
      emitIcmp(error, 0, 3, 1, 0, request)
      peer.sendIp(PROTOCOL_ICMP, error)
      peer.settle()
      expect(outcomes).to.deep.equal(['2 unreachable'])
    })
  })

  describe('when something cannot be delivered', () => {
    it('says so, quoting the packet, at most 100 times a second', () => {
      const { peer, stack } = rawPair(null)
      for (let i = 0; i < 300; i++) peer.sendIp(99, pattern(0, 1000))
      peer.settle()
      expect(peer.others.length).to.equal(50)
      expect(stack.counters.dropped('icmp-rate-limited')).to.equal(250)
      const [frame] = peer.others
      const icmp = createIcmp()
      expect(parseIcmp(frame, 34, frame.length, icmp)).to.equal(0)
      expect([icmp.type, icmp.code, frame.length - 14]).to.deep.equal([3, 2, 576])
    })

    it('is silent about ICMP errors, later fragments and packets to many', () => {
      const { peer } = rawPair(null)
      const error = new Uint8Array(36)
      emitIcmp(error, 0, 3, 1, 0, new Uint8Array(28))
      peer.sendIp(PROTOCOL_ICMP, error)
      peer.sendIp(99, pattern(0, 16), { destination: 0x0a0000ff })
      peer.settle()
      expect(peer.others).to.deep.equal([])
    })
  })

  describe('when a fragmented packet stays incomplete', () => {
    it('reports reassembly time exceeded', () => {
      const { peer, world } = rawPair(null)
      peer.sendIp(17, pattern(0, 16), { moreFragments: true })
      world.run(world.now + 40 * SECOND)
      const icmp = createIcmp()
      expect(parseIcmp(peer.others[0], 34, peer.others[0].length, icmp)).to.equal(0)
      expect([icmp.type, icmp.code]).to.deep.equal([11, 1])
    })
  })
})
