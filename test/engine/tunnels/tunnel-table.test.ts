import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { SECOND } from '../../../engine/clock.ts'
import { dropReason } from '../../../engine/drop-reason.ts'
import { EngineError } from '../../../engine/errors.ts'
import { ARRIVAL, META_SHIFT, NETWORK, NEXT, NONE, type PacketSlab } from '../../../engine/packet.ts'
import { AddressSet } from '../../../engine/tunnels/address-set.ts'
import { PARALLEL_LIMIT } from '../../../engine/tunnels/tunnel-registry.ts'
import { type TunnelTable, UNNAMED_ARRIVAL } from '../../../engine/tunnels/tunnel-table.ts'
import { formatIpv4Address, parseNetwork } from '../../../engine/wire/index.ts'
import { bytesOf, datagram, expectSoundHeader, ip, receive, slabOf, udp } from '../routing/datagrams.ts'
import { reassemble } from '../routing/reassemble.ts'
import { ENTRY, EXIT, resolver, tableOf, tunnelOf } from './tunnel-lab.ts'

function enterOne(table: TunnelTable, tunnel: number, inner = udp(10)): string {
  const slab = slabOf(1)
  return dropReason(table.enter(tunnel, slab, receive(slab, inner), 0))!
}

/** The packets of a list, in order. */
function listOf(slab: PacketSlab, head: number): number[] {
  const list: number[] = []
  for (let each = head; each !== NONE; each = slab.meta[(each << META_SHIFT) + NEXT]) list.push(each)
  return list
}

describe('TunnelTable (R-SLR-10, R-PR-05)', () => {
  it('knows by number alone where to go on', () => {
    const table = tableOf()
    const numbers = [EXIT, '10.200.0.1'].map((to) => table.open({ to }, resolver))
    expect(numbers.map((each) => formatIpv4Address(table.nextHopOf(each)))).to.deep.equal([
      EXIT,
      '10.200.0.1',
    ])
    expect(table.nextHopOf(numbers[0])).to.be.above(0)
  })

  it('hides the kind: MAC rewrite leaves the datagram alone and goes to the exit', () => {
    const { table, tunnel } = tunnelOf({ kind: 'mac-rewrite' })
    const slab = slabOf(1)
    const inner = udp(10, { ttl: 7, dontFragment: true })
    const packet = receive(slab, inner)
    expect(table.enter(tunnel, slab, packet, 0)).to.equal(0)
    expect(bytesOf(slab, packet)).to.deep.equal(inner)
    expect(table.nextHopOf(tunnel)).to.equal(ip(EXIT))
    expect(table.innerMtu(tunnel, 0)).to.equal(1500)
    expect(enterOne(table, tunnel, udp(10, { from: EXIT }))).to.equal('tunnel-recursion')
    expect(enterOne(table, tunnel, udp(10, { ttl: 0 }))).to.equal('tunnel-ttl')
    expect(table.describe(tunnel, 0)).to.include({ kind: 'mac-rewrite', packets: 1, bytes: 38, dropped: 2 })
  })

  it('counts what enters, by packets and bytes as they leave, and what does not', () => {
    const { table, tunnel } = tunnelOf({ mtu: 100 })
    enterOne(table, tunnel, udp(10))
    enterOne(table, tunnel, udp(20))
    enterOne(table, tunnel, udp(90, { dontFragment: true }))
    expect(table.describe(tunnel, 0)).to.deep.equal({
      tunnel,
      kind: 'ip-in-ip',
      from: ENTRY,
      to: EXIT,
      ttl: 64,
      open: true,
      users: 0,
      mtuBytes: 100,
      reachable: true,
      packets: 2,
      bytes: 58 + 68,
      dropped: 1,
      receivedPackets: 0,
      receivedBytes: 0,
      errors: 0,
    })
  })

  describe('when a datagram may be fragmented (RFC 2003 5.1)', () => {
    it('sends its pieces, each in an outer header of its own', () => {
      const { table, tunnel } = tunnelOf({ mtu: 600 })
      const slab = slabOf(8)
      const inner = udp(1400, { id: 99 })
      const packet = receive(slab, inner)
      const head = table.enterInPieces(tunnel, slab, packet, 0)
      const pieces = listOf(slab, head)
      expect(pieces).to.have.length(3)
      for (const piece of pieces) {
        const outer = bytesOf(slab, piece)
        expectSoundHeader(outer)
        expect(outer.length).to.be.at.most(600)
        expect(outer[9]).to.equal(4)
        expect((outer[6] & 0x3f) | outer[7], 'outer is no fragment').to.equal(0)
      }
      expect(reassemble(pieces.map((piece) => bytesOf(slab, piece).slice(20)))).to.deep.equal(inner)
      expect(bytesOf(slab, packet), 'the original').to.deep.equal(inner)
      expect(table.describe(tunnel, 0)).to.include({ packets: 3, dropped: 0 })
    })

    it('sends nothing when the slab has no room for all of them', () => {
      const { table, tunnel } = tunnelOf({ mtu: 600 })
      const slab = slabOf(3)
      const packet = receive(slab, udp(1400))
      const available = slab.available
      expect(dropReason(-table.enterInPieces(tunnel, slab, packet, 0))).to.equal('slab-full')
      expect(slab.available).to.equal(available)
      expect(table.describe(tunnel, 0)).to.include({ packets: 0, dropped: 1 })
    })
  })

  describe('when a packet comes out (R-SLR-05)', () => {
    const arrival = (table: TunnelTable, from: string): { said: string; arrival: number } => {
      const slab = slabOf(1)
      const packet = receive(slab, datagram(udp(10), { from, to: ENTRY, protocol: 4 }))
      const said = dropReason(table.exit(slab, packet))!
      if (said === 'none') expect(parseNetwork(slab, packet)).to.equal(0)
      return { said, arrival: slab.meta[(packet << META_SHIFT) + ARRIVAL] }
    }

    it('names the tunnel whose far end sent it', () => {
      const table = tableOf()
      table.open({ to: '10.0.0.7' }, resolver)
      const tunnel = table.open({ to: EXIT }, resolver)
      expect(arrival(table, EXIT)).to.deep.equal({ said: 'none', arrival: tunnel + 1 })
      expect(table.describe(tunnel, 0)).to.include({ receivedPackets: 1, receivedBytes: 38 })
    })
    it('has no name for one from elsewhere', () =>
      expect(arrival(tunnelOf().table, '10.0.0.8')).to.deep.equal({ said: 'none', arrival: UNNAMED_ARRIVAL }))

    it('takes packets of peers and of far ends only, where peers are named', () => {
      const { table, tunnel } = tunnelOf({}, { peers: new AddressSet([ip('10.0.0.8')]) })
      expect(arrival(table, '10.0.0.8')).to.deep.equal({ said: 'none', arrival: UNNAMED_ARRIVAL })
      expect(arrival(table, EXIT)).to.deep.equal({ said: 'none', arrival: tunnel + 1 })
      expect(arrival(table, '10.0.0.9')).to.deep.equal({ said: 'tunnel-unexpected', arrival: 0 })
    })
    it('names nothing when it is malformed', () => {
      const slab = slabOf(1)
      const packet = receive(slab, datagram(new Uint8Array(7), { from: EXIT, to: ENTRY, protocol: 4 }))
      const network = slab.meta[(packet << META_SHIFT) + NETWORK]
      expect(dropReason(tunnelOf().table.exit(slab, packet))).to.equal('tunnel-malformed')
      expect(slab.meta[(packet << META_SHIFT) + ARRIVAL]).to.equal(0)
      expect(slab.meta[(packet << META_SHIFT) + NETWORK]).to.equal(network)
    })
  })

  describe('when tunnels come and go', () => {
    it('keeps a closed tunnel working for its flows and frees it with the last (R-SLR-11)', () => {
      const { table, tunnel } = tunnelOf()
      table.retain(tunnel)
      table.retain(tunnel)
      table.close(tunnel)
      expect(table.describe(tunnel, 0)).to.include({ open: false, users: 2 })
      expect(enterOne(table, tunnel)).to.equal('none')
      table.release(tunnel)
      expect(enterOne(table, tunnel)).to.equal('none')
      table.release(tunnel)
      expect(table.size).to.equal(0)
      expect(enterOne(table, tunnel)).to.equal('tunnel-closed')
      expect(table.find(ip(ENTRY), ip(EXIT))).to.equal(NONE)
    })

    it('refuses to close twice, and numbers that do not exist', () => {
      const { table, tunnel } = tunnelOf()
      table.retain(tunnel)
      table.close(tunnel)
      expect(() => table.close(tunnel))
        .to.throw(EngineError)
        .that.includes({ code: 'unknown' })
      for (const number of [-1, 1, 1e9, 0.5, Number.NaN])
        expect(() => table.retain(number))
          .to.throw(EngineError)
          .that.includes({ code: 'unknown' })
    })

    it('asserts that nobody releases what they did not retain', () => {
      const { table, tunnel } = tunnelOf()
      expect(() => table.release(tunnel)).to.throw('released more often')
      expect(table.size).to.equal(1)
    })

    it('starts a reused number from nothing', () => {
      const { table, tunnel } = tunnelOf({ mtu: 100 })
      enterOne(table, tunnel)
      table.limitMtu(tunnel, 88, 0)
      table.close(tunnel)
      expect(table.open({ to: '10.0.0.5' }, resolver)).to.equal(tunnel)
      expect(table.describe(tunnel, 0)).to.include({ to: '10.0.0.5', packets: 0, mtuBytes: 1500 })
    })

    it('opens no more than its limit, nor than its limit of equal ones', () => {
      const table = tableOf({ limit: 3 })
      for (const to of ['10.0.0.3', '10.0.0.4', '10.0.0.5']) table.open({ to }, resolver)
      expect(() => table.open({ to: '10.0.0.6' }, resolver))
        .to.throw(EngineError)
        .that.includes({ code: 'limit' })
      const parallel = tableOf()
      for (let i = 0; i < PARALLEL_LIMIT; i++) parallel.open({ to: EXIT }, resolver)
      expect(() => parallel.open({ to: EXIT }, resolver))
        .to.throw(EngineError)
        .that.includes({ code: 'limit' })
      expect(parallel.open({ to: '10.0.0.3' }, resolver)).to.equal(PARALLEL_LIMIT)
    })

    it('refuses a floor below 88 bytes', () =>
      expect(() => tableOf({ leastMtuBytes: 87 }))
        .to.throw(EngineError)
        .that.includes({ code: 'invalid' }))

    it('agrees with a plain model of users and ends', () => {
      const step = fc.record({
        do: fc.constantFrom('open', 'close', 'retain', 'release'),
        pick: fc.nat(),
        to: fc.integer({ min: 2, max: 6 }),
      })
      fc.assert(
        fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
          const table = tableOf()
          const model = new Map<number, { to: number; open: number; users: number; age: number }>()
          for (const [age, { do: verb, pick, to }] of steps.entries()) {
            const known = [...model.keys()]
            const tunnel = known[pick % known.length]
            const entry = model.get(tunnel)
            if (verb === 'open') {
              const number = table.open({ to: `10.0.0.${to}` }, resolver)
              expect(model.has(number)).to.equal(false)
              model.set(number, { to, open: 1, users: 0, age })
              continue
            }
            if (entry === undefined) continue
            if (verb === 'retain') {
              table.retain(tunnel)
              entry.users++
            } else if (verb === 'close' && entry.open === 1) {
              table.close(tunnel)
              entry.open = 0
            } else if (verb === 'release' && entry.users > 0) {
              table.release(tunnel)
              entry.users--
            }
            if (entry.open + entry.users === 0) model.delete(tunnel)
          }
          expect(table.numbers()).to.deep.equal([...model.keys()].sort((a, b) => a - b))
          expect(table.size).to.equal(model.size)
          for (let to = 2; to <= 6; to++) {
            const like = [...model].filter(([, each]) => each.to === to).map(([number]) => number)
            const found = table.find(ip(ENTRY), ip(`10.0.0.${to}`))
            if (like.length === 0) expect(found).to.equal(NONE)
            else expect(like).to.include(found)
          }
        }),
        { numRuns: 200 },
      )
    })

    it('finds the oldest of several with the same ends, also after it has grown', () => {
      const table = tableOf()
      const first = table.open({ to: EXIT }, resolver)
      for (let i = 0; i < 40; i++) table.open({ to: `10.0.1.${i}` }, resolver)
      const second = table.open({ to: EXIT }, resolver)
      expect(table.find(ip(ENTRY), ip(EXIT))).to.equal(first)
      table.close(first)
      expect(table.find(ip(ENTRY), ip(EXIT))).to.equal(second)
    })
  })

  it('takes note of what the port to the exit carries, for ten minutes', () => {
    const { table, tunnel } = tunnelOf()
    table.limitMtu(tunnel, 1400, 0)
    expect(table.innerMtu(tunnel, 0)).to.equal(1380)
    table.limitMtu(tunnel, 1450, 0)
    expect(table.innerMtu(tunnel, 0), 'a larger one says nothing new').to.equal(1380)
    table.limitMtu(tunnel, 500, 0)
    expect(table.innerMtu(tunnel, 0), 'no forged report: the floor does not hold').to.equal(480)
    table.limitMtu(tunnel, 10, 0)
    expect(table.innerMtu(tunnel, 0), 'RFC 791').to.equal(68)
    expect(table.innerMtu(tunnel, 600 * SECOND - 1)).to.equal(68)
    expect(table.innerMtu(tunnel, 600 * SECOND)).to.equal(1480)
  })
})
