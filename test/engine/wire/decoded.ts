/**
 * Emitted frames with what an independent decoder must say of them. One list serves tshark, tcpdump and scapy; it is
 * drawn with a fixed seed, so that a failure shows again.
 */
import fc from 'fast-check'
import {
  type Arp,
  createIgmp,
  createIpv4,
  decodeIntervalCode,
  ETHER_TYPE_ARP,
  ETHER_TYPE_IPV4,
  ETHER_TYPE_MPLS,
  ETHERNET_MIN_BYTES,
  echoRest,
  emitArp,
  emitEthernet,
  emitIcmp,
  emitIgmp,
  emitIpv4,
  emitLabel,
  emitOuterHeader,
  emitTcp,
  emitUdp,
  formatIpv4Address,
  formatMacAddress,
  IGMP_QUERY,
  IGMP_V2_LEAVE,
  IGMP_V2_REPORT,
  type Igmp,
  type Ipv4Fields,
  ipv4HeaderBytes,
  PROTOCOL_ICMP,
  PROTOCOL_IGMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  ROUTER_ALERT,
} from '../../../engine/wire/index.ts'
import { anyAddress, byte, ipv4Fields, mac, port, tcpFields, tcpOptions, unicastAddress } from './samples.ts'

export interface Decoded {
  readonly frame: Uint8Array
  /** tshark's field names and all their values in the frame, joined by commas. */
  readonly fields: Readonly<Record<string, string>>
  /** What tcpdump -vv says of it, among other things; undefined where tcpdump 4.99 does not know the format. */
  readonly said: string | undefined
}

type Fields = Record<string, string>

const HERE = Uint8Array.of(2, 0, 0, 0, 0, 1)
const THERE = Uint8Array.of(2, 0, 0, 0, 0, 2)
/** Ports and data that no dissector claims. */
const quietPort = fc.integer({ min: 33_100, max: 33_400 })
const quietData = fc.nat(60).map((length) => new Uint8Array(length).fill(0x78))
const EXPERIMENTAL_PROTOCOL = 253
const NOTHING = new Uint8Array(0)

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`
const bit = (value: boolean): string => (value ? '1' : '0')
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const dotted = (addresses: Iterable<number>): string => [...addresses].map(formatIpv4Address).join(',')

/** A frame whose packet is written by `emit` behind the Ethernet header. */
function frameOf(
  etherType: number,
  emit: (bytes: Uint8Array, offset: number) => number,
  minimum = 0,
): Uint8Array {
  const bytes = new Uint8Array(1500)
  const end = emit(bytes, emitEthernet(bytes, 0, THERE, HERE, etherType))
  return bytes.slice(0, Math.max(end, minimum))
}

/** A frame with an IPv4 header around what `emit` writes. */
function ipFrame(header: Ipv4Fields, emit: (bytes: Uint8Array, offset: number) => number): Uint8Array {
  return frameOf(ETHER_TYPE_IPV4, (bytes, offset) => {
    const end = emit(bytes, offset + ipv4HeaderBytes(header.options))
    emitIpv4(bytes, offset, { ...header, totalBytes: end - offset })
    return end
  })
}

function ipv4Expected(header: Ipv4Fields, totalBytes: number): Fields {
  return {
    'ip.version': '4',
    'ip.hdr_len': String(ipv4HeaderBytes(header.options)),
    'ip.dsfield': hex(header.tos, 2),
    'ip.len': String(totalBytes),
    'ip.id': hex(header.id, 4),
    'ip.flags.df': bit(header.dontFragment),
    'ip.flags.mf': bit(header.moreFragments),
    'ip.ttl': String(header.ttl),
    'ip.proto': String(header.protocol),
    'ip.checksum.status': '1',
    'ip.src': formatIpv4Address(header.source),
    'ip.dst': formatIpv4Address(header.destination),
  }
}

const ethernet = fc
  .tuple(mac, mac, fc.integer({ min: -1, max: 4095 }))
  .map(([destination, source, vlan]): Decoded => {
    const frame = new Uint8Array(64)
    // 0x88b5 is for local experiments.
    emitEthernet(frame, 0, destination, source, 0x88b5, vlan)
    const fields: Fields = {
      'eth.dst': formatMacAddress(destination),
      'eth.src': formatMacAddress(source),
      'eth.type': vlan < 0 ? '0x88b5' : '0x8100',
      'vlan.id': vlan < 0 ? '' : String(vlan),
      'vlan.etype': vlan < 0 ? '' : '0x88b5',
    }
    return { frame, fields, said: 'ethertype Unknown (0x88b5)' }
  })

const arp = fc
  .record({
    operation: fc.constantFrom(1, 2),
    senderMac: mac,
    senderAddress: anyAddress,
    targetMac: mac,
    targetAddress: anyAddress,
  })
  .map((message: Arp): Decoded => {
    const frame = frameOf(ETHER_TYPE_ARP, (bytes, at) => emitArp(bytes, at, message), ETHERNET_MIN_BYTES)
    const fields: Fields = {
      'arp.opcode': String(message.operation),
      'arp.src.hw_mac': formatMacAddress(message.senderMac),
      'arp.src.proto_ipv4': formatIpv4Address(message.senderAddress),
      'arp.dst.hw_mac': formatMacAddress(message.targetMac),
      'arp.dst.proto_ipv4': formatIpv4Address(message.targetAddress),
    }
    return { frame, fields, said: 'Ethernet (len 6), IPv4 (len 4)' }
  })

const ipv4 = fc
  .tuple(ipv4Fields, quietData, fc.nat(7), fc.boolean())
  .map(([fields, data, eighths, moreFragments]): Decoded => {
    const header = { ...fields, protocol: EXPERIMENTAL_PROTOCOL, fragmentOffset: eighths * 8, moreFragments }
    const frame = ipFrame(header, (bytes, at) => {
      bytes.set(data, at)
      return at + data.length
    })
    return {
      frame,
      fields: ipv4Expected(header, frame.length - 14),
      said: `offset ${header.fragmentOffset},`,
    }
  })

const icmp = fc
  .tuple(unicastAddress, unicastAddress, fc.constantFrom(0, 8), port, port, quietData)
  .map(([source, destination, type, identifier, sequence, data]): Decoded => {
    const header = { ...createIpv4(), source, destination, protocol: PROTOCOL_ICMP }
    const rest = echoRest(identifier, sequence)
    const frame = ipFrame(header, (bytes, at) => emitIcmp(bytes, at, type, 0, rest, data))
    const fields: Fields = {
      'icmp.type': String(type),
      'icmp.code': '0',
      'icmp.ident': String(identifier),
      'icmp.seq': String(sequence),
      'icmp.checksum.status': '1',
    }
    return { frame, fields, said: 'ICMP echo re' }
  })

const icmpError = fc
  .tuple(unicastAddress, unicastAddress, unicastAddress, quietPort, quietPort, port)
  .map(([router, source, destination, fromPort, toPort, mtu]): Decoded => {
    const quoted = ipFrame({ ...createIpv4(), source, destination, protocol: PROTOCOL_UDP }, (bytes, at) =>
      emitUdp(bytes, at, source, destination, fromPort, toPort, NOTHING),
    ).subarray(14)
    const header = { ...createIpv4(), source: router, destination: source, protocol: PROTOCOL_ICMP }
    const frame = ipFrame(header, (bytes, at) => emitIcmp(bytes, at, 3, 4, mtu, quoted))
    const fields: Fields = {
      'icmp.type': '3',
      'icmp.code': '4',
      'icmp.mtu': String(mtu),
      'icmp.checksum.status': '1',
      'ip.src': dotted([router, source]),
      'ip.dst': dotted([source, destination]),
      'udp.srcport': String(fromPort),
    }
    return { frame, fields, said: 'need to frag' }
  })

const udp = fc
  .tuple(unicastAddress, unicastAddress, quietPort, quietPort, quietData)
  .map(([source, destination, fromPort, toPort, data]): Decoded => {
    const header = { ...createIpv4(), source, destination, protocol: PROTOCOL_UDP }
    const frame = ipFrame(header, (bytes, at) =>
      emitUdp(bytes, at, source, destination, fromPort, toPort, data),
    )
    const fields: Fields = {
      'udp.srcport': String(fromPort),
      'udp.dstport': String(toPort),
      'udp.length': String(8 + data.length),
      'udp.checksum.status': '1',
      'udp.payload': text(data),
    }
    return { frame, fields, said: '[udp sum ok]' }
  })

const tcp = fc
  .tuple(unicastAddress, unicastAddress, tcpFields, quietPort, quietPort, tcpOptions, quietData)
  .map(([source, destination, wanted, sourcePort, destinationPort, options, data]): Decoded => {
    const header = { ...createIpv4(), source, destination, protocol: PROTOCOL_TCP }
    // Ascending blocks ahead of the acknowledgment: others are shown as duplicate blocks (RFC 2883).
    for (let i = 0; i < 8; i++) options.sackBlocks[i]! >>>= 1
    options.sackBlocks.subarray(0, options.sackCount * 2).sort()
    const acknowledgment = options.sackCount > 0 ? 0 : wanted.acknowledgment
    const tcpHeader = { ...wanted, acknowledgment, sourcePort, destinationPort }
    const frame = ipFrame(header, (bytes, at) =>
      emitTcp(bytes, at, source, destination, tcpHeader, options, data),
    )
    const experimental = options.experimental.slice(0, options.experimentalCount)
    const edges = options.sackBlocks.subarray(0, options.sackCount * 2)
    const fields: Fields = {
      'tcp.srcport': String(sourcePort),
      'tcp.dstport': String(destinationPort),
      'tcp.seq_raw': String(wanted.sequence),
      'tcp.ack_raw': String(acknowledgment),
      'tcp.hdr_len': String(frame.length - 34 - data.length),
      'tcp.flags': hex(wanted.flags, 4),
      'tcp.window_size_value': String(wanted.window),
      'tcp.checksum.status': '1',
      'tcp.len': String(data.length),
      'tcp.options.mss_val': options.mss < 0 ? '' : String(options.mss),
      'tcp.options.wscale.shift': options.windowScale < 0 ? '' : String(options.windowScale),
      'tcp.options.timestamp.tsval': options.hasTimestamp ? String(options.timestampValue) : '',
      'tcp.options.timestamp.tsecr': options.hasTimestamp ? String(options.timestampEcho) : '',
      'tcp.options.sack_le': [...edges].filter((_, i) => i % 2 === 0).join(','),
      'tcp.options.sack_re': [...edges].filter((_, i) => i % 2 === 1).join(','),
      'tcp.options.experimental.exid': experimental.map(({ exid }) => hex(exid, 4)).join(','),
    }
    return { frame, fields, said: '(correct)' }
  })

/** A frame around an IGMP message as RFC 3376 4 demands: TTL 1, Router Alert. */
function igmpFrame(source: number, destination: number, message: Igmp): Uint8Array {
  const header = { ...createIpv4(), source, destination, protocol: PROTOCOL_IGMP, ttl: 1, tos: 0xc0 }
  return ipFrame({ ...header, options: ROUTER_ALERT }, (bytes, at) => emitIgmp(bytes, at, message))
}

const sources = fc.array(unicastAddress, { maxLength: 4 }).map((list) => Uint32Array.from(list))
const group = fc.integer({ min: 0xe0000100, max: 0xefffffff })
const extensions = fc.array(
  fc.record({ type: fc.constant(65_534), value: fc.uint8Array({ maxLength: 9 }) }),
  {
    maxLength: 2,
  },
)

const igmpReport = fc
  .tuple(
    unicastAddress,
    fc.array(
      fc.record({
        type: fc.constantFrom(1, 2, 3, 4, 5, 6, 200, 203),
        group,
        sources,
        aux: fc.constantFrom(NOTHING, Uint8Array.of(1, 2, 3, 4)),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    extensions,
  )
  .map(([source, records, extension]): Decoded => {
    const frame = igmpFrame(source, 0xe0000016, { ...createIgmp(), records, extensions: extension })
    const fields: Fields = {
      'igmp.type': '0x22',
      'igmp.version': '3',
      'igmp.checksum.status': '1',
      'igmp.num_grp_recs': String(records.length),
      'igmp.record_type': records.map(({ type }) => type).join(','),
      'igmp.maddr': dotted(records.map((record) => record.group)),
      'igmp.num_src': records.map((record) => record.sources.length).join(','),
      'igmp.saddr': dotted(records.flatMap((record) => [...record.sources])),
      'igmp.reserved': `00,${extension.length > 0 ? '8000' : '0000'}`,
      'ip.opt.ra': '0',
    }
    const plain = extension.length === 0 && records.every((record) => record.aux.length === 0)
    return { frame, fields, said: plain ? 'igmp v3 report' : undefined }
  })

const igmpQuery = fc
  .tuple(unicastAddress, group, byte, fc.boolean(), fc.nat(7), byte, sources)
  .map(([source, asked, maxResponseCode, suppressRouter, robustness, intervalCode, list]): Decoded => {
    const message = {
      ...createIgmp(),
      type: IGMP_QUERY,
      group: asked,
      maxResponseCode,
      suppressRouter,
      robustness,
    }
    const frame = igmpFrame(source, 0xe0000001, { ...message, intervalCode, sources: list })
    const fields: Fields = {
      'igmp.type': '0x11',
      'igmp.version': '3',
      'igmp.checksum.status': '1',
      'igmp.maddr': formatIpv4Address(asked),
      'igmp.max_resp': String(decodeIntervalCode(maxResponseCode)),
      'igmp.s': bit(suppressRouter),
      'igmp.qrv': String(robustness),
      'igmp.qqic': String(intervalCode),
      'igmp.num_src': String(list.length),
      'igmp.saddr': dotted(list),
    }
    return { frame, fields, said: 'igmp query v3' }
  })

const igmpShort = fc
  .tuple(unicastAddress, group, fc.constantFrom(IGMP_V2_REPORT, IGMP_V2_LEAVE))
  .map(([source, joined, type]): Decoded => {
    const frame = igmpFrame(source, joined, { ...createIgmp(), type, version: 2, group: joined })
    const fields: Fields = {
      'igmp.type': hex(type, 2),
      'igmp.version': '2',
      'igmp.maddr': formatIpv4Address(joined),
      'igmp.checksum.status': '1',
    }
    return { frame, fields, said: 'igmp ' }
  })

const inner = fc
  .tuple(unicastAddress, unicastAddress, quietPort, quietPort, byte, fc.boolean())
  .map(([source, destination, fromPort, toPort, tos, dontFragment]) => {
    const header = { ...createIpv4(), source, destination, tos, dontFragment, protocol: PROTOCOL_UDP }
    const packet = ipFrame(header, (bytes, at) =>
      emitUdp(bytes, at, source, destination, fromPort, toPort, NOTHING),
    ).subarray(14)
    return { header, packet, fromPort }
  })

const ipInIp = fc
  .tuple(inner, unicastAddress, unicastAddress, fc.integer({ min: 1, max: 255 }), port)
  .map(([{ header, packet, fromPort }, source, destination, ttl, id]): Decoded => {
    const frame = frameOf(ETHER_TYPE_IPV4, (bytes, at) => {
      bytes.set(packet, at + 20)
      return emitOuterHeader(bytes, at, at + 20, source, destination, ttl, id) + packet.length
    })
    const fields: Fields = {
      'ip.src': dotted([source, header.source]),
      'ip.dst': dotted([destination, header.destination]),
      'ip.proto': '4,17',
      'ip.len': `${packet.length + 20},${packet.length}`,
      'ip.ttl': `${ttl},64`,
      'ip.dsfield': `${hex(header.tos, 2)},${hex(header.tos, 2)}`,
      'ip.flags.df': `${bit(header.dontFragment)},${bit(header.dontFragment)}`,
      'ip.checksum.status': '1,1',
      'udp.srcport': String(fromPort),
    }
    return { frame, fields, said: 'proto IPIP (4)' }
  })

const mpls = fc
  .tuple(
    inner,
    fc.array(fc.tuple(fc.integer({ min: 16, max: 0xfffff }), fc.nat(7), byte), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  .map(([{ header, packet }, stack]): Decoded => {
    const frame = frameOf(ETHER_TYPE_MPLS, (bytes, offset) => {
      let at = offset
      stack.forEach(([label, trafficClass, ttl], i) => {
        at = emitLabel(bytes, at, label, trafficClass, i === stack.length - 1, ttl)
      })
      bytes.set(packet, at)
      return at + packet.length
    })
    const fields: Fields = {
      'mpls.label': stack.map(([label]) => label).join(','),
      'mpls.exp': stack.map(([, trafficClass]) => trafficClass).join(','),
      'mpls.ttl': stack.map(([, , ttl]) => ttl).join(','),
      'mpls.bottom': stack.map((_, i) => (i === stack.length - 1 ? '1' : '0')).join(','),
      'ip.src': formatIpv4Address(header.source),
    }
    return { frame, fields, said: 'MPLS (label ' }
  })

const EACH = 25
const kinds = {
  ethernet,
  arp,
  ipv4,
  icmp,
  icmpError,
  udp,
  tcp,
  igmpReport,
  igmpQuery,
  igmpShort,
  ipInIp,
  mpls,
}

/** The list: every kind of message that the room emits, EACH of them. */
export const decoded: readonly (Decoded & { readonly kind: string })[] = Object.entries(kinds).flatMap(
  ([kind, arbitrary]) =>
    fc
      .sample(arbitrary as fc.Arbitrary<Decoded>, { seed: 20_260, numRuns: EACH })
      .map((each) => ({ kind, ...each })),
)
