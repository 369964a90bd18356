import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { SECOND } from '../../../engine/clock.ts'
import { type DropCode, dropCode, dropReason } from '../../../engine/drop-reason.ts'
import { META_SHIFT, NEXT, NONE, PacketSlab } from '../../../engine/packet.ts'
import { HANDLE_MASK, HANDLE_SHIFT, HEADER_SHIFT } from '../../../engine/routing/neighbour-table.ts'
import { Neighbours, PENDING_PER_NEIGHBOUR } from '../../../engine/routing/neighbours.ts'

const PORT_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)
const MAC = Uint8Array.of(2, 1, 1, 1, 1, 1)
const OTHER = Uint8Array.of(2, 9, 9, 9, 9, 9)
const HOST = 0x0a000102

/** A table whose questions, releases and losses are written down. */
class Rig {
  readonly slab: PacketSlab
  readonly table: Neighbours
  readonly asked: string[] = []
  readonly released: number[] = []
  readonly lost: [packet: number, reason: string | undefined][] = []
  now = 0

  constructor(limit?: number, capacity = 512) {
    this.slab = new PacketSlab({ capacity, stride: 256 })
    this.table = new Neighbours(
      this.slab,
      {
        ask: (port, address, mac) => void this.asked.push(`${port} ${address & 255} ${mac ? mac[1] : 'all'}`),
        resolved: (packet) => this.#give(packet, () => this.released.push(packet)),
        unresolved: (packet, code) => this.#give(packet, () => this.lost.push([packet, dropReason(code)])),
      },
      7,
      limit,
    )
    for (let port = 0; port < 8; port++) this.table.setPort(port, PORT_MAC)
  }

  hold(address = HOST, port = 0): DropCode {
    const packet = this.slab.allocate()
    const code = this.table.hold(packet, port, address, this.now)
    if (code !== 0) this.slab.release(packet)
    return code
  }

  learn(mac: Uint8Array, solicited = true, address = HOST, port = 0): void {
    this.table.learn(port, address, mac, solicited, this.now)
  }

  pass(by: number): void {
    for (const until = this.now + by; ; ) {
      const next = Math.min(this.table.pollAt, until)
      this.now = next
      this.table.poll(next)
      if (next === until) return
    }
  }

  state(address = HOST): string | undefined {
    const dotted = [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
    return this.table.rows().find((row) => row.address === dotted)?.state
  }

  mac(): number | undefined {
    const text = this.table.rows()[0]?.mac
    return text === undefined ? undefined : Number.parseInt(text.slice(3, 5), 16)
  }

  #give(packet: number, note: () => void): void {
    expect(this.slab.meta[(packet << META_SHIFT) + NEXT], 'a packet of the list').to.be.at.least(NONE)
    note()
    this.slab.release(packet)
  }
}

describe('Neighbours', () => {
  describe('when a next hop is not known', () => {
    it('asks everyone three times, a second apart, then gives the packets up', () => {
      const rig = new Rig()
      expect(rig.hold()).to.equal(0)
      expect(rig.hold()).to.equal(0)
      expect([rig.asked.length, rig.table.pending, rig.state()]).to.deep.equal([1, 2, 'incomplete'])
      rig.pass(3 * SECOND - 1)
      expect(rig.asked).to.deep.equal(['0 2 all', '0 2 all', '0 2 all'])
      expect(rig.lost).to.have.length(0)
      rig.pass(1)
      expect(rig.lost).to.deep.equal([
        [0, 'arp-unresolved'],
        [1, 'arp-unresolved'],
      ])
      expect([rig.table.size, rig.table.pending, rig.table.pollAt]).to.deep.equal([
        0,
        0,
        Number.POSITIVE_INFINITY,
      ])
    })

    it('lets the packets go in order when the answer comes', () => {
      const rig = new Rig()
      for (let i = 0; i < 3; i++) rig.hold()
      rig.learn(MAC)
      expect(rig.released).to.deep.equal([0, 1, 2])
      expect(rig.table.lookup(0, HOST)).to.not.equal(NONE)
      expect(rig.table.lookup(1, HOST), 'on another port').to.equal(NONE)
    })

    it('lets a bounded number of packets wait for one next hop', () => {
      const rig = new Rig()
      for (let i = 0; i < PENDING_PER_NEIGHBOUR; i++) expect(rig.hold()).to.equal(0)
      expect(rig.hold()).to.equal(dropCode('arp-pending-full'))
    })

    it('gives up the one asked for longest when no more packets may wait', () => {
      const rig = new Rig(undefined, 64)
      for (let host = 1; host <= 8; host++) expect(rig.hold(HOST + host)).to.equal(0)
      expect(rig.hold(HOST + 100)).to.equal(0)
      expect(rig.lost).to.deep.equal([[0, 'arp-pending-full']])
      expect([rig.state(HOST + 1), rig.state(HOST + 100)]).to.deep.equal([undefined, 'incomplete'])
      for (let host = 200; host < 220; host++) rig.hold(HOST + host)
      expect(rig.hold(HOST + 100), 'a sweep drove it out, but it may ask again').to.equal(0)
      rig.learn(MAC, true, HOST + 100)
      expect(rig.table.lookup(0, HOST + 100)).to.not.equal(NONE)
    })
  })

  describe('when an answer is there', () => {
    it('makes the whole header ready', () => {
      const rig = new Rig()
      rig.hold()
      rig.learn(MAC)
      const handle = rig.table.lookup(0, HOST)
      const bytes = new Uint8Array(rig.table.headers.buffer, ((handle & HANDLE_MASK) << HEADER_SHIFT) * 2, 14)
      expect([...bytes]).to.deep.equal([...MAC, ...PORT_MAC, 8, 0])
    })

    it('is believed for 30 s, then asked of again if it is used, by its MAC and at last of everyone', () => {
      const rig = new Rig()
      rig.hold()
      rig.learn(MAC)
      rig.asked.length = 0
      rig.pass(30 * SECOND)
      expect(rig.state()).to.equal('stale')
      expect(rig.table.lookup(0, HOST)).to.not.equal(NONE)
      rig.pass(SECOND)
      expect([rig.state(), rig.asked]).to.deep.equal(['probe', ['0 2 1']])
      rig.learn(MAC)
      expect(rig.state()).to.equal('reachable')
      rig.pass(30 * SECOND)
      rig.table.lookup(0, HOST)
      rig.asked.length = 0
      rig.pass(4 * SECOND)
      expect(rig.asked).to.deep.equal(['0 2 1', '0 2 1', '0 2 all'])
      expect(rig.table.size, 'nobody answered').to.equal(0)
    })

    it('stays for five minutes without use and then goes', () => {
      const rig = new Rig()
      rig.learn(MAC)
      rig.asked.length = 0
      rig.pass(329 * SECOND)
      expect(rig.state()).to.equal('stale')
      rig.pass(2 * SECOND)
      expect([rig.table.size, rig.asked.length]).to.deep.equal([0, 0])
    })

    it('makes the handles void when the neighbour goes, whoever gets its number', () => {
      const rig = new Rig()
      rig.learn(MAC)
      const handle = rig.table.lookup(0, HOST)
      rig.table.forgetPort(0, dropCode('port-down'), 0)
      rig.learn(OTHER, true, HOST + 1)
      const next = rig.table.lookup(0, HOST + 1)
      expect(next & HANDLE_MASK, 'the number is used again').to.equal(handle & HANDLE_MASK)
      expect(next >>> HANDLE_SHIFT).to.equal((handle >>> HANDLE_SHIFT) + 1)
    })
  })

  describe('when someone claims an address', () => {
    it('is not impressed by what it did not ask, but lets a known neighbour refresh itself', () => {
      const rig = new Rig()
      rig.learn(MAC, false)
      expect(rig.table.size).to.equal(0)
      rig.learn(MAC)
      rig.pass(20 * SECOND)
      rig.learn(MAC, false)
      rig.pass(20 * SECOND)
      expect(rig.state()).to.equal('reachable')
    })

    for (const solicited of [false, true])
      it(`keeps the MAC of a live entry against ${solicited ? 'one who asks for us' : 'an announcement'}`, () => {
        const rig = new Rig()
        rig.learn(MAC)
        rig.learn(OTHER, solicited)
        expect([rig.mac(), rig.state(), rig.table.ignored]).to.deep.equal([1, 'reachable', 1])
        rig.pass(30 * SECOND)
        rig.asked.length = 0
        rig.learn(OTHER, solicited)
        expect([rig.mac(), rig.state(), rig.table.ignored]).to.deep.equal([1, 'probe', 2])
        expect(rig.asked, 'asks the one that it knows').to.deep.equal(['0 2 1'])
        rig.learn(OTHER, solicited)
        rig.pass(SECOND)
        rig.learn(OTHER, solicited)
        expect([rig.mac(), rig.table.ignored]).to.deep.equal([1, 4])
      })

    it('believes a new MAC when the old one is silent and everyone was asked', () => {
      const rig = new Rig()
      rig.learn(MAC)
      rig.pass(30 * SECOND)
      rig.table.lookup(0, HOST)
      rig.pass(3 * SECOND)
      rig.learn(OTHER, false)
      expect(rig.mac(), 'an announcement is no answer').to.equal(1)
      rig.learn(OTHER)
      expect([rig.mac(), rig.state()]).to.deep.equal([9, 'reachable'])
    })

    it('knows that it asked only while the question is open', () => {
      const rig = new Rig()
      expect(rig.table.isAsked(0, HOST)).to.equal(false)
      rig.hold()
      expect([rig.table.isAsked(0, HOST), rig.table.isAsked(1, HOST)]).to.deep.equal([true, false])
      rig.learn(MAC)
      expect(rig.table.isAsked(0, HOST)).to.equal(false)
    })
  })

  describe('when the table is full', () => {
    it('gives up one that nobody sends to, never one in use', () => {
      const rig = new Rig(4)
      for (let host = 0; host < 4; host++) rig.learn(MAC, true, HOST + host)
      rig.table.lookup(0, HOST)
      rig.table.lookup(0, HOST + 1)
      rig.learn(MAC, true, HOST + 10)
      rig.table.lookup(0, HOST + 10)
      rig.learn(MAC, true, HOST + 11)
      rig.table.lookup(0, HOST + 11)
      expect([0, 1, 10, 11].map((host) => rig.state(HOST + host))).to.deep.equal(Array(4).fill('reachable'))
      expect(rig.hold(HOST + 12)).to.equal(dropCode('arp-pending-full'))
      expect([rig.table.size, rig.table.refused]).to.deep.equal([4, 1])
    })

    it('works with any limit', () => {
      for (const limit of [1, 3, 10, 65, 100]) {
        const rig = new Rig(limit)
        for (let host = 0; host < limit; host++) rig.learn(MAC, true, HOST + host * 7)
        for (let host = 0; host < limit; host++)
          expect(rig.table.lookup(0, HOST + host * 7) & HANDLE_MASK).to.equal(host)
        expect(rig.table.lookup(0, HOST + 1)).to.equal(NONE)
      }
    })
  })

  describe('when a port is forgotten', () => {
    it('gives up what waits there for the reason given, and leaves the other ports alone', () => {
      const rig = new Rig()
      rig.hold(HOST, 0)
      rig.learn(MAC, true, HOST + 1, 0)
      rig.hold(HOST, 1)
      rig.table.forgetPort(0, dropCode('port-down'), 5)
      expect(rig.lost).to.deep.equal([[0, 'port-down']])
      expect(rig.table.rows().map(({ port, state }) => [port, state])).to.deep.equal([[1, 'incomplete']])
    })
  })

  describe('when used at random', () => {
    it('keeps every packet, finds what it knows and holds its bounds', () => {
      const host = fc.nat({ max: 40 })
      const step = fc.oneof(
        fc.tuple(fc.constant('hold'), host, fc.nat({ max: 2 })),
        fc.tuple(fc.constant('learn'), host, fc.nat({ max: 2 })),
        fc.tuple(fc.constant('pass'), fc.nat({ max: 40 }), fc.constant(0)),
        fc.tuple(fc.constant('forget'), fc.constant(0), fc.nat({ max: 2 })),
      )
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 30 }), (steps, limit) => {
          const rig = new Rig(limit, 64)
          let held = 0
          for (const [what, number, port] of steps) {
            if (what === 'hold') {
              const known = rig.table.lookup(port, HOST + number)
              if (known === NONE && rig.hold(HOST + number, port) === 0) held++
            } else if (what === 'learn') {
              rig.learn(MAC, true, HOST + number, port)
              if (rig.table.refused === 0) expect(rig.table.lookup(port, HOST + number)).to.not.equal(NONE)
            } else if (what === 'pass') rig.pass(number * SECOND)
            else rig.table.forgetPort(port, dropCode('port-down'), rig.now)
            expect(rig.table.pending).to.equal(held - rig.released.length - rig.lost.length)
            expect(rig.slab.capacity - rig.slab.available).to.equal(rig.table.pending)
            expect(rig.table.size).to.be.at.most(limit)
            expect(rig.table.rows()).to.have.length(rig.table.size)
          }
        }),
        { numRuns: 200 },
      )
    })
  })
})
