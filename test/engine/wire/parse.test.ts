import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { type DropReason, dropReason } from '../../../engine/drop-reason.ts'
import {
  FLAG_BROADCAST,
  FLAG_FRAGMENT,
  FLAG_LATER_FRAGMENT,
  FLAG_MULTICAST,
  FLAG_RELATED,
  FLAG_TCP_ACK,
  FLAG_TCP_FIN,
  FLAG_TCP_RST,
  FLAG_TCP_SYN,
  FLAGS,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  LENGTH,
  META_SHIFT,
  NETWORK,
  PacketSlab,
  RECIRCULATION_SHIFT,
  START,
  TRANSPORT,
} from '../../../engine/packet.ts'
import {
  checksum,
  createIpv4,
  createTcp,
  ETHER_TYPE_ARP,
  ETHER_TYPE_IPV4,
  ETHER_TYPE_MPLS,
  ETHER_TYPE_VLAN,
  emitEthernet,
  emitIcmp,
  emitIpv4,
  emitTcp,
  emitUdp,
  etherTypeOf,
  formatFlowKey,
  type Ipv4Fields,
  ipv4HeaderBytes,
  joinPorts,
  parseIpv4Address,
  parseNetwork,
  parsePacket,
  ROUTER_ALERT,
  read16,
  write16,
} from '../../../engine/wire/index.ts'
import { parseCarefully } from '../../../engine/wire/parse-network.ts'
import { captured, frameOf, mutate, mutation } from './samples.ts'

const CLIENT = parseIpv4Address('198.51.100.7')!
const SERVICE = parseIpv4Address('192.192.1.1')!
const ROUTER = parseIpv4Address('10.9.9.9')!
const GROUP = parseIpv4Address('239.1.2.3')!
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1)
const EIGHT = new Uint8Array(8)

/** What parsing says of a frame: offsets from the frame's start, and the key as text. */
interface Outcome {
  readonly reason: DropReason
  readonly network: number
  readonly transport: number
  readonly length: number
  readonly flags: number
  readonly key: string
  /** The KEY_PORTS word. */
  readonly ports: number
}

type Step = (slab: PacketSlab, packet: number) => number

const carefully: Step = (slab, packet) => {
  const etherType = etherTypeOf(slab, packet)
  return etherType === ETHER_TYPE_IPV4 ? parseCarefully(slab, packet) : parsePacket(slab, packet)
}

/** Parses a frame that lies `shift` bytes behind the usual place in a slab full of `around`. */
function outcome(frame: Uint8Array, step: Step = parsePacket, shift = 0, around = 0): Outcome {
  const slab = new PacketSlab({ capacity: 1, stride: 2048 })
  slab.bytes.fill(around)
  const packet = slab.allocate()
  const at = packet << META_SHIFT
  const meta = slab.meta
  const start = meta[at + START]! + shift
  slab.bytes.set(frame, start)
  meta[at + START] = start
  meta[at + LENGTH] = frame.length
  const reason = dropReason(step(slab, packet))!
  if (reason !== 'none') return { reason, network: 0, transport: 0, length: 0, flags: 0, key: '', ports: 0 }
  return {
    reason,
    network: meta[at + NETWORK]! - start,
    transport: meta[at + TRANSPORT]! - start,
    length: meta[at + LENGTH]!,
    flags: meta[at + FLAGS]!,
    key: formatFlowKey(
      meta[at + KEY_SOURCE]!,
      meta[at + KEY_DESTINATION]!,
      meta[at + KEY_PORTS]!,
      meta[at + KEY_PROTOCOL]!,
    ),
    ports: meta[at + KEY_PORTS]!,
  }
}

/** An IPv4 packet around `body`. */
function packetOf(fields: Partial<Ipv4Fields>, body: Uint8Array): Uint8Array {
  const header = { ...createIpv4(), source: CLIENT, destination: SERVICE, ...fields }
  header.totalBytes = ipv4HeaderBytes(header.options) + body.length
  const bytes = new Uint8Array(header.totalBytes)
  bytes.set(body, emitIpv4(bytes, 0, header))
  return bytes
}

/** A frame around a packet, padded to `minimum`. */
function frameAround(packet: Uint8Array, vlan = -1, etherType = ETHER_TYPE_IPV4, minimum = 0): Uint8Array {
  const bytes = new Uint8Array(Math.max(minimum, (vlan < 0 ? 14 : 18) + packet.length))
  bytes.set(packet, emitEthernet(bytes, 0, MAC, MAC, etherType, vlan))
  return bytes
}

function tcpBody(flags: number, fromPort = 40_000, toPort = 80): Uint8Array {
  const bytes = new Uint8Array(20)
  const fields = { ...createTcp(), sourcePort: fromPort, destinationPort: toPort, flags }
  emitTcp(bytes, 0, CLIENT, SERVICE, fields, undefined, new Uint8Array(0))
  return bytes
}

function udpBody(fromPort = 40_000, toPort = 53, payload = new Uint8Array(20)): Uint8Array {
  const bytes = new Uint8Array(8 + payload.length)
  emitUdp(bytes, 0, CLIENT, SERVICE, fromPort, toPort, payload)
  return bytes
}

function icmpBody(type: number, rest: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + payload.length)
  emitIcmp(bytes, 0, type, 0, rest, payload)
  return bytes
}

const tcpFrame = (fields: Partial<Ipv4Fields> = {}, flags = 0): Uint8Array =>
  frameAround(packetOf({ protocol: 6, ...fields }, tcpBody(flags)))
const udpFrame = (fields: Partial<Ipv4Fields> = {}): Uint8Array =>
  frameAround(packetOf({ protocol: 17, ...fields }, udpBody()))

describe('parsePacket', () => {
  describe('when the packet is plain', () => {
    it('reads TCP', () => {
      expect(outcome(tcpFrame())).to.deep.equal({
        reason: 'none',
        network: 14,
        transport: 34,
        length: 54,
        flags: 0,
        key: 'tcp 198.51.100.7:40000 > 192.192.1.1:80',
        ports: joinPorts(40_000, 80),
      })
    })

    it('reads each TCP flag that policy asks about', () => {
      for (const [bits, flags] of [
        [1, FLAG_TCP_FIN],
        [2, FLAG_TCP_SYN],
        [4, FLAG_TCP_RST],
        [16, FLAG_TCP_ACK],
        [8 | 32 | 64 | 128, 0],
        [255, FLAG_TCP_FIN | FLAG_TCP_SYN | FLAG_TCP_RST | FLAG_TCP_ACK],
      ] as const)
        for (const step of [parsePacket, carefully])
          expect(outcome(tcpFrame({}, bits), step).flags).to.equal(flags)
    })

    it('reads UDP, short or long', () => {
      const short = frameAround(packetOf({ protocol: 17 }, udpBody(1, 65_535, new Uint8Array(0))))
      expect(outcome(short).key).to.equal('udp 198.51.100.7:1 > 192.192.1.1:65535')
      expect(outcome(udpFrame()).key).to.equal('udp 198.51.100.7:40000 > 192.192.1.1:53')
    })

    it('reads other protocols without ports', () => {
      expect(outcome(frameOf('ipip')).ports).to.equal(0)
      expect(outcome(frameOf('ipip')).key).to.equal('ip-in-ip 10.0.0.1 > 10.0.0.2')
      expect(outcome(frameOf('rsvp_resv_253')).key).to.equal('protocol-46 10.0.0.2 > 10.0.0.1')
      expect(outcome(frameAround(packetOf({ protocol: 89 }, new Uint8Array(0)))).reason).to.equal('none')
    })

    it('cuts the padding off', () => {
      const frame = frameAround(
        packetOf({ protocol: 17 }, udpBody(1, 2, EIGHT.subarray(0, 2))),
        -1,
        ETHER_TYPE_IPV4,
        60,
      )
      expect(outcome(frame)).to.include({ reason: 'none', length: 14 + 30 })
    })

    it('marks multicast and broadcast', () => {
      expect(outcome(tcpFrame({ destination: GROUP })).flags).to.equal(FLAG_MULTICAST)
      expect(outcome(udpFrame({ destination: 0xe0000001 })).flags).to.equal(FLAG_MULTICAST)
      expect(outcome(udpFrame({ destination: 0xffffffff })).flags).to.equal(FLAG_BROADCAST)
    })

    it('keeps the recirculation count and clears what it owns', () => {
      for (const step of [parsePacket, carefully]) {
        const slab = new PacketSlab({ capacity: 1 })
        const packet = slab.load(udpFrame())
        const at = packet << META_SHIFT
        slab.meta[at + FLAGS] = 0x1ff | (3 << RECIRCULATION_SHIFT)
        expect(step(slab, packet)).to.equal(0)
        expect(slab.meta[at + FLAGS]).to.equal(3 << RECIRCULATION_SHIFT)
      }
    })
  })

  describe('when the frame is tagged', () => {
    it('finds the packet behind one tag and two', () => {
      const inner = packetOf({ protocol: 6 }, tcpBody(2))
      expect(outcome(frameAround(inner, 7))).to.include({
        network: 18,
        transport: 38,
        length: 58,
        flags: FLAG_TCP_SYN,
      })
      const twice = new Uint8Array(22 + inner.length)
      twice.set([...MAC, ...MAC, 0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0])
      twice.set(inner, 22)
      expect(outcome(twice)).to.include({ network: 22, key: 'tcp 198.51.100.7:40000 > 192.192.1.1:80' })
    })

    it('tells the type behind the tags', () => {
      const slab = new PacketSlab({ capacity: 8 })
      const typeOf = (frame: Uint8Array): number => etherTypeOf(slab, slab.load(frame))
      expect(typeOf(frameAround(EIGHT, -1, ETHER_TYPE_ARP))).to.equal(ETHER_TYPE_ARP)
      expect(typeOf(frameAround(EIGHT, 5, ETHER_TYPE_MPLS))).to.equal(ETHER_TYPE_MPLS)
      expect(typeOf(frameAround(EIGHT, 5).subarray(0, 17))).to.equal(-1)
      const thrice = Uint8Array.of(...MAC, ...MAC, 0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 8, 0)
      expect(typeOf(thrice)).to.equal(ETHER_TYPE_VLAN)
      expect(typeOf(new Uint8Array(13))).to.equal(-1)
      const packet = slab.load(frameAround(EIGHT, 5, ETHER_TYPE_ARP))
      etherTypeOf(slab, packet)
      const at = packet << META_SHIFT
      expect(slab.meta[at + NETWORK]! - slab.meta[at + START]!).to.equal(18)
    })
  })

  describe('when the frame cannot be an IPv4 packet', () => {
    it('names what is wrong with it', () => {
      const good = tcpFrame()
      const broken = (at: number, value: number): Uint8Array => {
        const frame = Uint8Array.from(good)
        frame[at] = value
        return frame
      }
      expect(outcome(good.subarray(0, 13)).reason).to.equal('frame-truncated')
      expect(outcome(frameAround(EIGHT, 3).subarray(0, 16)).reason).to.equal('frame-truncated')
      expect(outcome(frameOf('mpls')).reason).to.equal('ethertype-unsupported')
      expect(outcome(frameAround(EIGHT, -1, ETHER_TYPE_VLAN)).reason).to.equal('ethertype-unsupported')
      expect(outcome(good.subarray(0, 33)).reason).to.equal('ip-truncated')
      expect(outcome(broken(14, 0x65)).reason).to.equal('ip-version')
      expect(outcome(broken(14, 0x44)).reason).to.equal('ip-header-length')
      expect(outcome(broken(14, 0x4f)).reason).to.equal('ip-header-length')
      expect(outcome(good.subarray(0, 53)).reason).to.equal('ip-total-length')
      expect(outcome(broken(17, 19)).reason).to.equal('ip-total-length')
      expect(outcome(broken(22, 9)).reason).to.equal('ip-checksum')
    })

    it('finds any wrong bit in the addresses by the checksum', () => {
      for (let bit = 0; bit < 64; bit++) {
        const frame = tcpFrame()
        frame[26 + (bit >>> 3)]! ^= 1 << (bit & 7)
        expect(outcome(frame).reason, `bit ${bit}`).to.equal('ip-checksum')
      }
    })
  })

  describe('when an address is martian (RFC 1812 5.3.7)', () => {
    for (const [text, reason] of [
      ['0.0.0.0', 'martian-source'],
      ['0.1.2.3', 'martian-source'],
      ['127.0.0.1', 'martian-source'],
      ['224.0.0.1', 'martian-source'],
      ['239.255.255.255', 'martian-source'],
      ['240.0.0.1', 'martian-source'],
      ['255.255.255.255', 'martian-source'],
      ['1.0.0.1', 'none'],
      ['126.255.255.255', 'none'],
      ['128.0.0.0', 'none'],
      ['223.255.255.255', 'none'],
    ] as const)
      it(`answers ${reason} for source ${text}`, () => {
        const source = parseIpv4Address(text)!
        expect(outcome(tcpFrame({ source })).reason).to.equal(reason)
        expect(outcome(udpFrame({ source }), carefully).reason).to.equal(reason)
      })

    for (const [text, reason] of [
      ['0.0.0.0', 'martian-destination'],
      ['0.255.0.1', 'martian-destination'],
      ['127.1.2.3', 'martian-destination'],
      ['240.0.0.0', 'martian-destination'],
      ['255.255.255.254', 'martian-destination'],
      ['255.255.255.255', 'none'],
      ['224.0.0.0', 'none'],
      ['239.255.255.255', 'none'],
    ] as const)
      it(`answers ${reason} for destination ${text}`, () => {
        const destination = parseIpv4Address(text)!
        expect(outcome(tcpFrame({ destination })).reason).to.equal(reason)
        expect(outcome(udpFrame({ destination }), carefully).reason).to.equal(reason)
      })

    it('lets a host without an address report its groups (RFC 3376 4.2.13)', () => {
      const reportFrom = (source: number, destination: number): string =>
        outcome(frameAround(packetOf({ protocol: 2, source, destination }, EIGHT))).reason
      expect(reportFrom(0, 0xe0000016)).to.equal('none')
      expect(reportFrom(1, 0xe0000016)).to.equal('martian-source')
      expect(reportFrom(0, SERVICE)).to.equal('martian-source')
    })
  })

  describe('when it has options', () => {
    it('finds the transport header behind them', () => {
      expect(outcome(tcpFrame({ options: ROUTER_ALERT }))).to.include({
        transport: 38,
        key: 'tcp 198.51.100.7:40000 > 192.192.1.1:80',
      })
    })

    it('refuses source routing and malformed lists', () => {
      for (const options of [
        [131, 3, 4],
        [1, 137, 7, 4, 1, 2, 3, 4],
        [148, 9, 0, 0],
        [7, 0],
        [1, 1, 1, 7],
      ])
        expect(outcome(tcpFrame({ options: Uint8Array.from(options) })).reason, `${options}`).to.equal(
          'ip-options',
        )
    })
  })

  describe('when it is a fragment', () => {
    const fragment = (fields: Partial<Ipv4Fields>, bytes: number): Outcome =>
      outcome(frameAround(packetOf({ protocol: 17, ...fields }, new Uint8Array(bytes).fill(0x11))))

    it('has ports in the first one only', () => {
      expect(fragment({ moreFragments: true }, 16)).to.include({
        reason: 'none',
        flags: FLAG_FRAGMENT,
        key: 'udp 198.51.100.7:4369 > 192.192.1.1:4369',
      })
      for (const moreFragments of [true, false])
        expect(fragment({ moreFragments, fragmentOffset: 16 }, 24)).to.include({
          reason: 'none',
          flags: FLAG_FRAGMENT | FLAG_LATER_FRAGMENT,
          key: 'udp 198.51.100.7:0 > 192.192.1.1:0',
        })
    })

    it('is known as one at any length', () => {
      for (const bytes of [8, 24, 64, 512])
        for (const step of [parsePacket, carefully]) {
          const frame = frameAround(packetOf({ protocol: 17, moreFragments: true }, new Uint8Array(bytes)))
          expect(outcome(frame, step).flags, `${bytes}`).to.equal(FLAG_FRAGMENT)
        }
    })

    it('keeps multicast beside the fragment flags', () => {
      const { flags } = fragment({ destination: GROUP, fragmentOffset: 8 }, 8)
      expect(flags).to.equal(FLAG_MULTICAST | FLAG_FRAGMENT | FLAG_LATER_FRAGMENT)
    })

    it('refuses a first one that ends within its transport header (RFC 1858)', () => {
      expect(fragment({ moreFragments: true, protocol: 6 }, 16).reason).to.equal('transport-truncated')
      expect(fragment({ moreFragments: true, protocol: 6 }, 24).reason).to.equal('none')
      expect(fragment({ moreFragments: true }, 8).reason).to.equal('none')
    })

    it('refuses to cut a TCP header behind its first eight bytes (RFC 3128)', () => {
      expect(fragment({ protocol: 6, fragmentOffset: 8 }, 16).reason).to.equal('fragment-malformed')
      expect(fragment({ protocol: 6, fragmentOffset: 16 }, 16).reason).to.equal('none')
    })

    it('refuses what no datagram can be made of', () => {
      expect(fragment({ moreFragments: true }, 12).reason).to.equal('fragment-malformed')
      expect(fragment({ moreFragments: true, fragmentOffset: 8 }, 0).reason).to.equal('fragment-malformed')
      expect(fragment({ fragmentOffset: 8 }, 0).reason).to.equal('fragment-malformed')
      // 20 + 65,504 + 11 is the last byte a datagram can have.
      expect(fragment({ fragmentOffset: 65_504 }, 11).reason).to.equal('none')
      expect(fragment({ fragmentOffset: 65_504 }, 12).reason).to.equal('fragment-malformed')
      expect(fragment({ fragmentOffset: 65_528, moreFragments: true }, 8).reason).to.equal(
        'fragment-malformed',
      )
    })
  })

  describe('when its transport header does not fit', () => {
    it('refuses TCP below 20 bytes, UDP and ICMP below 8', () => {
      for (const [protocol, needed] of [
        [6, 20],
        [17, 8],
        [1, 8],
      ] as const)
        for (let length = 0; length <= needed; length++)
          expect(
            outcome(frameAround(packetOf({ protocol }, new Uint8Array(length)), -1, ETHER_TYPE_IPV4, 60))
              .reason,
            `protocol ${protocol}, ${length} bytes`,
          ).to.equal(length < needed ? 'transport-truncated' : 'none')
    })
  })

  describe('when it is ICMP', () => {
    const icmp = (
      type: number,
      rest: number,
      payload: Uint8Array,
      fields: Partial<Ipv4Fields> = {},
    ): Outcome => outcome(frameAround(packetOf({ protocol: 1, ...fields }, icmpBody(type, rest, payload))))
    const error = (type: number, quote: Uint8Array, to = CLIENT): Outcome =>
      icmp(type, 0, quote, { source: ROUTER, destination: to })

    it('keys echoes by their identifier', () => {
      expect(icmp(8, 0x1234_0001, EIGHT)).to.include({
        flags: 0,
        key: 'icmp 198.51.100.7 > 192.192.1.1 id 4660',
      })
      expect(icmp(0, 0xffff_0001, EIGHT).key).to.equal('icmp 198.51.100.7 > 192.192.1.1 id 65535')
    })

    it('has no ports for other questions and answers', () => {
      for (const type of [9, 10, 13, 14, 17, 40])
        expect(icmp(type, 0xffffffff, EIGHT)).to.include({
          flags: 0,
          key: 'icmp 198.51.100.7 > 192.192.1.1 id 0',
        })
    })

    it('gives errors the key of the opposite direction of the packet they quote', () => {
      const quote = packetOf({ protocol: 6 }, tcpBody(16)).subarray(0, 28)
      for (const type of [3, 4, 5, 11, 12])
        expect(error(type, quote), `type ${type}`).to.include({
          flags: FLAG_RELATED,
          key: 'tcp 192.192.1.1:80 > 198.51.100.7:40000',
        })
      expect(error(3, packetOf({ protocol: 17, options: ROUTER_ALERT }, udpBody())).key).to.equal(
        'udp 192.192.1.1:53 > 198.51.100.7:40000',
      )
      expect(error(11, packetOf({ protocol: 1 }, icmpBody(8, 0x0007_0001, EIGHT)))).to.include({
        flags: FLAG_RELATED,
        key: 'icmp 192.192.1.1 > 198.51.100.7 id 7',
      })
      expect(outcome(frameOf('icmp_fragneeded_quote28'))).to.include({
        flags: FLAG_RELATED,
        key: 'ip-in-ip 10.0.0.2 > 10.0.0.1',
      })
    })

    it('believes no quote that is too short, not IPv4, or lies about its header', () => {
      const quote = packetOf({ protocol: 6 }, tcpBody(16))
      const own = { reason: 'none', flags: 0, key: 'icmp 10.9.9.9 > 198.51.100.7 id 0' } as const
      for (let length = 0; length < 28; length++)
        expect(error(3, quote.subarray(0, length)), `${length}`).to.include(own)
      const withOptions = packetOf({ protocol: 6, options: ROUTER_ALERT }, tcpBody(16))
      for (let length = 0; length < 32; length++)
        expect(error(3, withOptions.subarray(0, length))).to.include(own)
      expect(error(3, withOptions.subarray(0, 32)).flags).to.equal(FLAG_RELATED)
      for (const first of [0x65, 0x44, 0x4f]) {
        const changed = Uint8Array.from(quote.subarray(0, 28))
        changed[0] = first
        expect(error(3, changed), `${first}`).to.include(own)
      }
    })

    it('believes no quote of a later fragment, of an ICMP error, or from another source', () => {
      const own = { reason: 'none', flags: 0, key: 'icmp 10.9.9.9 > 198.51.100.7 id 0' } as const
      expect(error(3, packetOf({ protocol: 6, fragmentOffset: 16 }, tcpBody(0)))).to.include(own)
      expect(error(3, packetOf({ protocol: 1 }, icmpBody(3, 0, EIGHT)))).to.include(own)
      expect(error(3, packetOf({ protocol: 6, source: ROUTER }, tcpBody(0)))).to.include(own)
    })

    it('believes a quote of a first fragment', () => {
      expect(error(3, packetOf({ protocol: 6, moreFragments: true }, tcpBody(0))).flags).to.equal(
        FLAG_RELATED,
      )
    })
  })
})

describe('parseNetwork', () => {
  it('parses what was inside a tunnel, wherever it begins', () => {
    for (const name of ['ipip', 'ipip2']) {
      const slab = new PacketSlab({ capacity: 1 })
      const packet = slab.load(frameOf(name))
      const at = packet << META_SHIFT
      parsePacket(slab, packet)
      while (slab.meta[at + KEY_PROTOCOL] === 4) {
        slab.meta[at + NETWORK] = slab.meta[at + TRANSPORT]!
        expect(parseNetwork(slab, packet)).to.equal(0)
      }
      expect(slab.meta[at + KEY_PORTS]! >>> 16).to.equal(40_000)
      expect(slab.meta[at + FLAGS]).to.equal(FLAG_TCP_SYN)
      expect(slab.meta[at + LENGTH]).to.equal(frameOf(name).length)
    }
  })

  it('is truncated when NETWORK stands at or behind the end', () => {
    const slab = new PacketSlab({ capacity: 1 })
    const packet = slab.load(frameOf('ipip'))
    const at = packet << META_SHIFT
    for (const beyond of [0, 1, 4, 100]) {
      slab.meta[at + NETWORK] = slab.meta[at + START]! + slab.meta[at + LENGTH]! + beyond
      expect(dropReason(parseNetwork(slab, packet))).to.equal('ip-truncated')
    }
  })
})

describe('parse, quick and careful', () => {
  const frames = [...captured.values()]
  const plain = [
    tcpFrame(),
    tcpFrame({}, 18),
    udpFrame(),
    tcpFrame({ destination: GROUP }),
    udpFrame({ tos: 255, dontFragment: true }),
  ]

  /** The verdict must not depend on path, alignment or what lies around the frame. */
  function expectSame(frame: Uint8Array): void {
    const expected = outcome(frame, carefully)
    expect(outcome(frame)).to.deep.equal(expected)
    expect(outcome(frame, parsePacket, 1, 0xff)).to.deep.equal(expected)
    expect(outcome(frame, parsePacket, 4, 0x45)).to.deep.equal(expected)
  }

  it('agree on every captured frame, on any alignment and whatever lies around', () => {
    for (const frame of [...frames, ...plain]) expectSame(frame)
  })

  it('agree on every length that a frame can be cut to', () => {
    for (const frame of plain)
      for (let length = 0; length <= frame.length; length++) expectSame(frame.subarray(0, length))
  })

  it('agree on mutated frames, with header checksums repaired or not', () => {
    const reasons = new Set<string>()
    fc.assert(
      fc.property(fc.constantFrom(...plain, ...frames), mutation, fc.boolean(), (frame, change, repaired) => {
        const mutated = Uint8Array.from(mutate(frame, change))
        const headerBytes = (mutated[14]! & 15) * 4
        if (repaired && mutated.length >= 14 + headerBytes && read16(mutated, 12) === ETHER_TYPE_IPV4) {
          write16(mutated, 24, 0)
          write16(mutated, 24, checksum(mutated, 14, 14 + headerBytes))
        }
        expectSame(mutated)
        reasons.add(outcome(mutated).reason)
      }),
      { numRuns: 3000 },
    )
    // Mutation that never got past the first checks would prove little.
    expect(reasons.size).to.be.greaterThan(7)
  })
})
