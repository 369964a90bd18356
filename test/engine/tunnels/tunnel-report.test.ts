import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { SECOND } from '../../../engine/clock.ts'
import { NONE } from '../../../engine/packet.ts'
import { createTunnelReport, plateauBelow, type TunnelReport } from '../../../engine/tunnels/tunnel-report.ts'
import type { TunnelTable } from '../../../engine/tunnels/tunnel-table.ts'
import { datagram, icmpError, pattern, receive, slabOf, udp } from '../routing/datagrams.ts'
import { frameOf } from '../wire/samples.ts'
import { ENTRY, EXIT, MINUTE_NS, OWN, resolver, tunnelOf } from './tunnel-lab.ts'

/** Header, eight bytes and 92 more: what a router of today quotes. */
const FULL_QUOTE = 128

/** An outer datagram as the tunnel sends it, DF as inside. */
function outerOf(inner: Uint8Array, options: Parameters<typeof datagram>[1] = {}): Uint8Array {
  const dontFragment = (inner[6] & 0x40) !== 0
  return datagram(inner, { from: ENTRY, to: EXIT, protocol: 4, ttl: 60, dontFragment, ...options })
}

const INNER = udp(1400, { dontFragment: true })
const OUTER = outerOf(INNER)

interface Outcome {
  readonly about: boolean
  readonly report: TunnelReport
  /** `type/code/rest` of what the original sender is told, or `nothing`. */
  readonly told: string
}

function relay(table: TunnelTable, message: Uint8Array, now = 0): Outcome {
  const slab = slabOf(1)
  const report = createTunnelReport()
  const about = table.relay(slab, receive(slab, message), now, report)
  const told =
    report.answerType === 0 ? 'nothing' : `${report.answerType}/${report.answerCode}/${report.answerRest}`
  return { about, report, told }
}

function errorOf(type: number, code: number, rest = 0, quote = OUTER, quoted = FULL_QUOTE): Uint8Array {
  return icmpError(type, code, rest, quote.slice(0, quoted))
}

describe('tunnel reports (RFC 2003 4 and 5, R-SLR-10, R-PR-05)', () => {
  // What the original sender is told, and the trouble that the tunnel is believed to be in.
  const NETWORK = (3 << 8) | 0
  const HOST = (3 << 8) | 1
  const table: readonly [string, number, number, number, string, number][] = [
    ['4.1 3/0 network unreachable: returned, code 0', 3, 0, 0, '3/0/0', NETWORK],
    ['4.1 3/1 host unreachable: relayed', 3, 1, 0, '3/1/0', HOST],
    ['4.1 3/2 protocol unreachable: as network unreachable', 3, 2, 0, '3/0/0', NETWORK],
    ['4.1 3/3 port unreachable: not relayed', 3, 3, 0, 'nothing', 0],
    ['4.1 3/4 datagram too big: relayed, MTU less the outer header', 3, 4, 1300, '3/4/1280', 0],
    ['4.1 3/5 source route failed: not relayed', 3, 5, 0, 'nothing', 0],
    ['3/6 network unknown: as network unreachable', 3, 6, 0, '3/0/0', NETWORK],
    ['3/7 host unknown: as host unreachable', 3, 7, 0, '3/1/0', HOST],
    ['3/8 source host isolated: as host unreachable', 3, 8, 0, '3/1/0', HOST],
    ['3/9 network prohibited: as network unreachable', 3, 9, 0, '3/0/0', NETWORK],
    ['3/10 host prohibited: as host unreachable', 3, 10, 0, '3/1/0', HOST],
    ['3/11 network unreachable for TOS: as network unreachable', 3, 11, 0, '3/0/0', NETWORK],
    ['3/12 host unreachable for TOS: as host unreachable', 3, 12, 0, '3/1/0', HOST],
    ['3/13 prohibited: as host unreachable', 3, 13, 0, '3/1/0', HOST],
    ['3/14 precedence violation: not relayed', 3, 14, 0, 'nothing', 0],
    ['3/15 precedence cutoff: not relayed', 3, 15, 0, 'nothing', 0],
    ['3/255: not relayed', 3, 255, 0, 'nothing', 0],
    ['4.2 4/0 source quench: not relayed', 4, 0, 0, 'nothing', 0],
    ['4.3 5/0 redirect for a network: not relayed', 5, 0, 0, 'nothing', 0],
    ['4.3 5/1 redirect for a host: not relayed', 5, 1, 0x0a000009, 'nothing', 0],
    ['4.4 11/0 time exceeded on the way: host unreachable', 11, 0, 0, '3/1/0', HOST],
    ['4.4 11/1 time exceeded in reassembly: host unreachable, for this datagram', 11, 1, 0, '3/1/0', 0],
    ['4.5 12/0 at a field copied from inside (TOS): relayed', 12, 0, 0x01000000, '12/0/16777216', 0],
    ['4.5 12/0 at a field of the entry (TTL): not relayed', 12, 0, 0x08000000, 'nothing', 0],
    ['4.5 12/1 option missing: not relayed', 12, 1, 0x01000000, 'nothing', 0],
  ]
  for (const [title, type, code, rest, told, trouble] of table)
    it(title, () => {
      const { table: tunnels, tunnel } = tunnelOf()
      const outcome = relay(tunnels, errorOf(type, code, rest))
      expect(outcome.about).to.equal(true)
      expect(outcome.report.tunnel).to.equal(tunnel)
      expect(outcome.told).to.equal(told)
      expect(tunnels.troubleOf(tunnel, 0)).to.equal(trouble)
      expect(tunnels.describe(tunnel, 0)).to.include({ errors: 1, reachable: trouble === 0 })
    })

  it('points the answer at the quoted original datagram, no further than the quote', () => {
    const { table: tunnels } = tunnelOf()
    const slab = slabOf(1)
    const report = createTunnelReport()
    expect(tunnels.relay(slab, receive(slab, errorOf(3, 1)), 0, report)).to.equal(true)
    const quote = slab.bytes.slice(report.quoteOffset, report.quoteEnd)
    expect(quote).to.deep.equal(INNER.slice(0, FULL_QUOTE - 20))
  })

  it('leaves out extensions behind the quote (RFC 4884)', () => {
    const { table: tunnels } = tunnelOf()
    const slab = slabOf(1)
    const report = createTunnelReport()
    const quote = new Uint8Array(128 + 12)
    quote.set(OUTER.slice(0, 128))
    tunnels.relay(slab, receive(slab, icmpError(11, 0, 32 << 16, quote)), 0, report)
    expect(report.quoteEnd - report.quoteOffset).to.equal(108)
  })

  describe('when the quote is short (RFC 792: 20 + 8 bytes)', () => {
    it('keeps soft state and tells nobody', () => {
      const { table: tunnels, tunnel } = tunnelOf()
      expect(relay(tunnels, errorOf(3, 4, 1300, OUTER, 28)).told).to.equal('nothing')
      expect(tunnels.innerMtu(tunnel, 0)).to.equal(1280)
      expect(relay(tunnels, errorOf(3, 1, 0, OUTER, 28)).told).to.equal('nothing')
      expect(tunnels.describe(tunnel, 0).reachable).to.equal(false)
    })
    it('tells the sender from 48 bytes on', () => {
      for (const [quoted, told] of [
        [47, 'nothing'],
        [48, '3/1/0'],
      ] as const)
        expect(relay(tunnelOf().table, errorOf(3, 1, 0, OUTER, quoted)).told, `${quoted} bytes`).to.equal(
          told,
        )
    })
    it('is no report below 28 bytes', () => {
      const { table: tunnels } = tunnelOf()
      expect(relay(tunnels, errorOf(3, 1, 0, OUTER, 27)).about).to.equal(false)
      expect(tunnels.reportsRefused).to.equal(0)
    })
    it('tells the sender of a datagram that is shorter than eight bytes of data, once it is quoted whole', () => {
      const outer = outerOf(datagram(Uint8Array.of(1, 2, 3), { protocol: 99 }))
      expect(relay(tunnelOf().table, errorOf(3, 1, 0, outer)).told).to.equal('3/1/0')
      expect(relay(tunnelOf().table, errorOf(3, 1, 0, outer, 42)).told).to.equal('nothing')
    })
  })

  describe('captured messages', () => {
    for (const [name, told] of [
      ['icmp_fragneeded_quote28', 'nothing'],
      ['icmp_fragneeded_quote128', '3/4/556'],
    ] as const) {
      it(`${name}: an MTU of 1400 is no complaint about 80 bytes`, () => {
        const { table: tunnels, tunnel } = tunnelOf()
        const { about, report } = relay(tunnels, frameOf(name).slice(14))
        expect(about).to.equal(true)
        expect(report.tunnel).to.equal(NONE)
        expect(tunnels.reportsRefused).to.equal(1)
        expect(tunnels.innerMtu(tunnel, 0)).to.equal(1480)
      })
      it(`${name}: an MTU of 70 lowers to the floor and ${told === 'nothing' ? 'tells nobody' : 'tells the sender'}`, () => {
        const { table: tunnels, tunnel } = tunnelOf()
        const message = frameOf(name).slice(14)
        const quote = message.slice(28)
        expect(relay(tunnels, icmpError(3, 4, 70, quote)).told).to.equal(told)
        expect(tunnels.innerMtu(tunnel, 0)).to.equal(556)
      })
    }
  })

  describe('the path MTU (RFC 2003 5.1, RFC 1191)', () => {
    it('is told less the outer header, and again to everyone after', () => {
      const { table: tunnels, tunnel } = tunnelOf()
      relay(tunnels, errorOf(3, 4, 1300))
      expect(tunnels.innerMtu(tunnel, 0)).to.equal(1280)
      expect(relay(tunnels, errorOf(3, 4, 1400)).told, 'a larger one changes nothing').to.equal('3/4/1280')
    })
    it('ages away after ten minutes', () => {
      const { table: tunnels, tunnel } = tunnelOf()
      relay(tunnels, errorOf(3, 4, 1300), 5)
      expect(tunnels.innerMtu(tunnel, 10 * MINUTE_NS + 4)).to.equal(1280)
      expect(tunnels.innerMtu(tunnel, 10 * MINUTE_NS + 5)).to.equal(1480)
    })
    it('never falls below the floor, 576 or what the operator allows', () => {
      for (const [leastMtuBytes, inner] of [
        [undefined, 556],
        [88, 68],
        [1000, 980],
      ] as const) {
        const { table: tunnels, tunnel } = tunnelOf({}, leastMtuBytes === undefined ? {} : { leastMtuBytes })
        for (const mtu of [1, 67, 68]) relay(tunnels, errorOf(3, 4, mtu))
        expect(tunnels.innerMtu(tunnel, 0)).to.equal(inner)
      }
    })
    it('is the next plateau below when the router names none (RFC 1191 5)', () => {
      const { table: tunnels, tunnel } = tunnelOf()
      relay(tunnels, errorOf(3, 4, 0, outerOf(udp(1452, { dontFragment: true }))))
      expect(tunnels.innerMtu(tunnel, 0)).to.equal(1492 - 20)
      const plateaus = [65_535, 32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68]
      for (const [i, plateau] of plateaus.entries())
        if (i > 0) expect(plateauBelow(plateaus[i - 1])).to.equal(plateau)
      expect(plateauBelow(68)).to.equal(68)
    })
    it('asks no smaller datagrams of a sender who allows fragments', () => {
      const { table: tunnels, tunnel } = tunnelOf({}, { alwaysDontFragment: true })
      const outer = outerOf(udp(1400), { dontFragment: true })
      expect(relay(tunnels, errorOf(3, 4, 1300, outer)).told).to.equal('nothing')
      expect(tunnels.innerMtu(tunnel, 0)).to.equal(1280)
    })
    it('is that of all tunnels with the same ends', () => {
      const { table: tunnels, tunnel } = tunnelOf()
      const other = tunnels.open({ to: EXIT }, resolver)
      relay(tunnels, errorOf(3, 4, 1300))
      expect([tunnel, other].map((each) => tunnels.innerMtu(each, 0))).to.deep.equal([1280, 1280])
    })
  })

  it('forgets trouble after 30 seconds', () => {
    const { table: tunnels, tunnel } = tunnelOf()
    relay(tunnels, errorOf(3, 1), 7)
    expect(tunnels.troubleOf(tunnel, 30 * SECOND + 6)).to.equal(HOST)
    expect(tunnels.troubleOf(tunnel, 30 * SECOND + 7)).to.equal(0)
  })

  it('never stops the tunnel: the next datagram enters all the same (RFC 2003 5)', () => {
    const { table: tunnels, tunnel } = tunnelOf()
    relay(tunnels, errorOf(3, 1))
    const slab = slabOf(1)
    expect(tunnels.enter(tunnel, slab, receive(slab, udp(10)), 0)).to.equal(0)
  })

  describe('when the report is a lie', () => {
    const lies: readonly [string, Uint8Array][] = [
      ['another entry', errorOf(3, 1, 0, outerOf(INNER, { from: OWN }))],
      ['another exit', errorOf(3, 1, 0, outerOf(INNER, { to: '10.0.0.77' }))],
      ['a TTL above what was sent', errorOf(3, 1, 0, outerOf(INNER, { ttl: 65 }))],
      ['a datagram longer than the link', errorOf(3, 1, 0, outerOf(udp(1453)))],
      ['an outer datagram without an inner header', errorOf(3, 1, 0, outerOf(pattern(8)))],
      ['too big without DF', errorOf(3, 4, 1300, outerOf(INNER, { dontFragment: false }))],
      ['too big for an MTU that it fits', errorOf(3, 4, OUTER.length)],
    ]
    for (const [title, message] of lies)
      it(`refuses ${title}`, () => {
        const { table: tunnels, tunnel } = tunnelOf()
        const { about, report, told } = relay(tunnels, message)
        expect(about).to.equal(true)
        expect(report.tunnel).to.equal(NONE)
        expect(told).to.equal('nothing')
        expect(tunnels.reportsRefused).to.equal(1)
        expect(tunnels.describe(tunnel, 0)).to.include({ errors: 0, reachable: true, mtuBytes: 1500 })
      })

    const hidden: readonly [string, Uint8Array][] = [
      ['no IPv4', Uint8Array.from(INNER, (byte, i) => (i === 0 ? 0x65 : byte))],
      ['a wrong checksum', Uint8Array.from(INNER, (byte, i) => (i === 12 ? byte ^ 1 : byte))],
      ['a header of four words', Uint8Array.from(INNER, (byte, i) => (i === 0 ? 0x44 : byte))],
      ['a length that is not the outer one less 20', udp(1399, { dontFragment: true })],
    ]
    for (const [title, inner] of hidden)
      it(`tells nobody about an inner header with ${title}`, () => {
        const outer = outerOf(INNER)
        outer.set(inner, 20)
        const { report, told } = relay(tunnelOf().table, errorOf(3, 1, 0, outer))
        expect(report.tunnel).to.not.equal(NONE)
        expect(told).to.equal('nothing')
      })

    it('is nothing to tunnels: other protocols quoted, no ICMP error, a wrong checksum, a fragment', () => {
      const { table: tunnels } = tunnelOf()
      expect(relay(tunnels, icmpError(3, 1, 0, udp(100))).about).to.equal(false)
      expect(relay(tunnels, errorOf(0, 0)).about).to.equal(false)
      const wrong = errorOf(3, 1)
      wrong[23] ^= 1
      expect(relay(tunnels, wrong).about).to.equal(false)
      const part = icmpError(3, 1, 0, OUTER.slice(0, FULL_QUOTE), { moreFragments: true })
      expect(relay(tunnels, part).about).to.equal(false)
      expect(tunnels.reportsRefused).to.equal(0)
    })

    it('never throws, tells nobody of what is not there, and never goes below the floor (fuzz)', () => {
      const mutation = fc.record({ at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) })
      const message = fc.record({
        type: fc.constantFrom(3, 4, 5, 11, 12),
        code: fc.integer({ min: 0, max: 20 }),
        rest: fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 1500 })),
        quoted: fc.integer({ min: 0, max: 160 }),
        noise: fc.array(mutation, { maxLength: 4 }),
      })
      const { table: tunnels, tunnel } = tunnelOf()
      fc.assert(
        fc.property(message, ({ type, code, rest, quoted, noise }) => {
          const quote = OUTER.slice(0, quoted)
          for (const { at, value } of noise) if (quote.length > 0) quote[at % quote.length] = value
          const slab = slabOf(1)
          const report = createTunnelReport()
          const packet = receive(slab, icmpError(type, code, rest, quote))
          const before = Uint8Array.from(slab.bytes)
          tunnels.relay(slab, packet, 0, report)
          expect(slab.bytes).to.deep.equal(before)
          expect(tunnels.innerMtu(tunnel, 0)).to.be.at.least(556)
          if (report.answerType !== 0) {
            expect(report.quoteEnd - report.quoteOffset).to.be.within(28, quoted - 20)
            expect([3, 12]).to.include(report.answerType)
          }
        }),
        { numRuns: 800 },
      )
    })

    it('never throws on random quotes', () => {
      const { table: tunnels } = tunnelOf()
      fc.assert(
        fc.property(fc.constantFrom(3, 4, 5, 11, 12), fc.uint8Array({ maxLength: 120 }), (type, quote) => {
          if (quote.length > 9 && (quote[8] & 1) === 0) {
            quote[0] = 0x45
            quote[9] = 4
          }
          relay(tunnels, icmpError(type, 4, 0, quote))
        }),
        { numRuns: 300 },
      )
    })
  })
})
