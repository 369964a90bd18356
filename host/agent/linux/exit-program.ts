/**
 * The end of an IP-in-IP tunnel as a program of the kernel (RFC 2003, RFC 6040; R-SLR-05, R-SLR-09). The one idea: a
 * tunnel packet for one of our addresses whose inner destination is virtual loses its outer header in place, before
 * the kernel looks at it; everything else passes as it is, for the kernel to judge as ever.
 *
 * Guarantees: the inner packet is handed on as it was sent, congestion marks aside; segments that the device has
 * merged stay merged. An outer packet with options, in fragments, damaged or cut short is not taken off.
 */
import { strict as assert } from 'node:assert'
import {
  BpfAssembler,
  HELPER,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R6,
  R7,
  R8,
  R9,
  R10,
} from '../../../engine/ports/linux/index.ts'

/** What happened to a tunnel packet for one of our addresses: entries of the counter map, in order. */
export const EXIT_OUTCOMES = [
  'decapsulated',
  'marked', // decapsulated too, with a congestion mark from the outer header
  'malformed', // passed on: options outside, damaged, or an inner packet that is none
  'fragment', // passed on: the outer packet is one of several fragments
  'notVirtual', // passed on: its inner destination is none of ours
  'congested', // dropped: marked on its way, and its ends do not understand marks (RFC 6040 4.2)
  'failed', // dropped: the kernel could not take the header off
] as const
export type ExitOutcome = (typeof EXIT_OUTCOMES)[number]

/** Bytes of a counter: packets and inner bytes, 64 bits each. */
export const COUNTER_BYTES = 16
/** Bytes of a key of the prefix map: how many bits count, then the address in network order. */
export const PREFIX_KEY_BYTES = 8

/** What the traffic control does next: asks the next filter (or accepts), drops. */
export const ANSWER_GO_ON = -1
export const ANSWER_DROP = 2

/** struct __sk_buff. */
const SKB = { length: 0, packetType: 4, data: 76, dataEnd: 80 } as const
const PACKET_FOR_THIS_HOST = 0

const ETHERNET_BYTES = 14
const HEADER_BYTES = 20
const OUTER = ETHERNET_BYTES
const INNER = OUTER + HEADER_BYTES
/** What must be in one piece to be looked at. */
const HEAD_BYTES = INNER + HEADER_BYTES
/** Offsets in an IPv4 header. */
const IP = { version: 0, tos: 1, total: 2, fragment: 6, protocol: 9, checksum: 10, destination: 16 } as const
/** As they are read on a little-endian machine. */
const ETHERTYPE_IPV4 = 0x0008
const MORE_FRAGMENTS_OR_OFFSET = 0xff3f
const VERSION_4_WITHOUT_OPTIONS = 0x45
const PROTOCOL_IP_IN_IP = 4

const ROOM_AT_LINK_LAYER = 1
/** The inner segments keep their size. */
const KEEP_SEGMENT_SIZE = 1

const MAX_OWN_ADDRESSES = 64

export interface ExitProgramOptions {
  /** Outer destinations, unsigned; 1..64. */
  readonly addresses: readonly number[]
  /** File descriptor of the map of virtual prefixes (longest prefix, PREFIX_KEY_BYTES). */
  readonly prefixes: number
  /** File descriptor of the array of counters, one for each of EXIT_OUTCOMES. */
  readonly counters: number
}

/**
 * The program's code. Registers: R6 the packet, R7 its first byte, R8 the end of what can be read and later the
 * outcome, R9 a length and later the inner packet's.
 */
export function exitProgram({ addresses, prefixes, counters }: ExitProgramOptions): Uint8Array {
  assert(addresses.length > 0 && addresses.length <= MAX_OWN_ADDRESSES)
  const program = new BpfAssembler()
  findHeaders(program)
  checkOuter(program, addresses)
  checkInner(program, prefixes)
  copyMark(program)
  takeOff(program)
  passAndDrop(program)
  count(program, counters)
  return program.assemble()
}

/** Frames for others, and those too short for two headers, pass. */
function findHeaders(program: BpfAssembler): void {
  const bounds = () =>
    program
      .load('u32', R7, R6, SKB.data)
      .load('u32', R8, R6, SKB.dataEnd)
      .move(R0, R7)
      .compute('add', R0, HEAD_BYTES)
  program.move(R6, R1).load('u32', R0, R6, SKB.packetType).jumpIf(R0, '!=', PACKET_FOR_THIS_HOST, 'pass')
  bounds().jumpIf(R0, '<=', R8, 'readable')
  // Most devices leave no more in one piece than a header or two: ask for the rest.
  program.move(R1, R6).move(R2, HEAD_BYTES).call(HELPER.skbPullData).jumpIf(R0, '!=', 0, 'pass')
  bounds().jumpIf(R0, '>', R8, 'pass').label('readable')
}

/** From `ours` on a packet is counted, whatever becomes of it. */
function checkOuter(program: BpfAssembler, addresses: readonly number[]): void {
  program
    .load('u16', R0, R7, 12)
    .jumpIf(R0, '!=', ETHERTYPE_IPV4, 'pass')
    .load('u8', R0, R7, OUTER + IP.protocol)
    .jumpIf(R0, '!=', PROTOCOL_IP_IN_IP, 'pass')
    .load('u32', R0, R7, OUTER + IP.destination)
  for (const address of addresses) {
    // A comparison sign-extends its number; the loaded one is zero-extended: compare registers instead.
    program.compute32('mov', R1, swapped32(address)).jumpIf(R0, '==', R1, 'ours')
  }
  program
    .jump('pass')
    .label('ours')
    .load('u8', R0, R7, OUTER + IP.version)
    .jumpIf(R0, '!=', VERSION_4_WITHOUT_OPTIONS, 'malformed')
    .load('u16', R0, R7, OUTER + IP.fragment)
    .jumpIf(R0, '&', MORE_FRAGMENTS_OR_OFFSET, 'fragment')
    .load('u16', R9, R7, OUTER + IP.total)
    .swapToNetwork(R9, 16)
    .load('u32', R0, R6, SKB.length)
    .compute('sub', R0, ETHERNET_BYTES)
    .jumpIf(R9, '>', R0, 'malformed')
    .jumpIf(R9, '<', 2 * HEADER_BYTES, 'malformed')
  checkOuterSum(program)
}

/** The kernel checks sums of headers later, when this one is gone. */
function checkOuterSum(program: BpfAssembler): void {
  program.move(R0, 0)
  for (let offset = OUTER; offset < INNER; offset += 4)
    program.load('u32', R1, R7, offset).compute('add', R0, R1)
  const fold = (bits: 32 | 16) => {
    program.move(R1, R0).compute('rsh', R1, bits)
    if (bits === 32) program.compute32('mov', R0, R0)
    else program.compute('and', R0, 0xffff)
    program.compute('add', R0, R1)
  }
  for (const bits of [32, 16, 16, 16] as const) fold(bits)
  program.jumpIf(R0, '!=', 0xffff, 'malformed')
}

/** R9 becomes the inner packet's length. The sum of its header is left to the kernel, which comes to it next. */
function checkInner(program: BpfAssembler, prefixes: number): void {
  program
    .load('u8', R0, R7, INNER + IP.version)
    .move(R1, R0)
    .compute('rsh', R1, 4)
    .jumpIf(R1, '!=', 4, 'malformed')
    .compute('and', R0, 15)
    .compute('lsh', R0, 2)
    .jumpIf(R0, '<', HEADER_BYTES, 'malformed')
    .load('u16', R1, R7, INNER + IP.total)
    .swapToNetwork(R1, 16)
    .jumpIf(R1, '<', R0, 'malformed')
    .compute('sub', R9, HEADER_BYTES)
    .jumpIf(R1, '>', R9, 'malformed')
    .move(R9, R1)
    .load('u32', R0, R7, INNER + IP.destination)
    .store('u32', R10, -4, R0)
    .store('u32', R10, -8, 32)
    .loadMap(R1, prefixes)
    .move(R2, R10)
    .compute('add', R2, -8)
    .call(HELPER.mapLookup)
    .jumpIf(R0, '==', 0, 'notVirtual')
}

/** RFC 6040 4.2, as ecnAtExit. R1 outer, R2 inner TOS, R3 the inner one as it goes on. */
function copyMark(program: BpfAssembler): void {
  program
    .move(R8, outcome('decapsulated'))
    .load('u8', R1, R7, OUTER + IP.tos)
    .load('u8', R2, R7, INNER + IP.tos)
    .compute('and', R1, 3)
    .move(R3, R2)
    .compute('and', R3, 3)
    .jumpIf(R1, '==', 3, 'congestion')
    .jumpIf(R1, '!=', 1, 'takeOff')
    .jumpIf(R3, '!=', 2, 'takeOff')
    .move(R3, R2)
    .compute('xor', R3, 3)
    .jump('mark')
    .label('congestion')
    .jumpIf(R3, '==', 0, 'congested')
    .jumpIf(R3, '==', 3, 'takeOff')
    .move(R3, R2)
    .compute('or', R3, 3)
    .label('mark')
    .move(R8, outcome('marked'))
    .store('u8', R7, INNER + IP.tos, R3)
  adjustInnerSum(program)
}

/** RFC 1624: the sum's complement grows by the difference of the two TOS bytes, R3 - R2. */
function adjustInnerSum(program: BpfAssembler): void {
  program
    .load('u16', R4, R7, INNER + IP.checksum)
    .swapToNetwork(R4, 16)
    .compute('xor', R4, 0xffff)
    .compute('add', R4, 0xffff)
    .compute('add', R4, R3)
    .compute('sub', R4, R2)
  for (let folds = 0; folds < 2; folds++)
    program.move(R5, R4).compute('rsh', R5, 16).compute('and', R4, 0xffff).compute('add', R4, R5)
  program
    .compute('xor', R4, 0xffff)
    .swapToNetwork(R4, 16)
    .store('u16', R7, INNER + IP.checksum, R4)
}

function takeOff(program: BpfAssembler): void {
  program
    .label('takeOff')
    .move(R1, R6)
    .move(R2, -HEADER_BYTES)
    .move(R3, ROOM_AT_LINK_LAYER)
    .move(R4, KEEP_SEGMENT_SIZE)
    .call(HELPER.skbAdjustRoom)
    .jumpIf(R0, '!=', 0, 'failed')
    // What the device has computed is of the tunnel: all flows would go to one processor.
    .move(R1, R6)
    .call(HELPER.setHashInvalid)
    .move(R7, ANSWER_GO_ON)
    .jump('count')
}

/** R7 becomes the answer, R8 the outcome. */
function passAndDrop(program: BpfAssembler): void {
  program.label('pass').move(R0, ANSWER_GO_ON).exit()
  for (const name of ['malformed', 'fragment', 'notVirtual'] as const)
    program.label(name).move(R7, ANSWER_GO_ON).move(R8, outcome(name)).move(R9, 0).jump('count')
  for (const name of ['congested', 'failed'] as const)
    program.label(name).move(R7, ANSWER_DROP).move(R8, outcome(name)).move(R9, 0).jump('count')
}

function count(program: BpfAssembler, counters: number): void {
  program
    .label('count')
    .store('u32', R10, -4, R8)
    .loadMap(R1, counters)
    .move(R2, R10)
    .compute('add', R2, -4)
    .call(HELPER.mapLookup)
    .jumpIf(R0, '==', 0, 'answer')
    .load('u64', R1, R0, 0)
    .compute('add', R1, 1)
    .store('u64', R0, 0, R1)
    .load('u64', R1, R0, 8)
    .compute('add', R1, R9)
    .store('u64', R0, 8, R1)
    .label('answer')
    .move(R0, R7)
    .exit()
}

const outcome = (name: ExitOutcome): number => EXIT_OUTCOMES.indexOf(name)

/** The number that a little-endian machine reads where an address stands in network order. */
function swapped32(address: number): number {
  return ((address & 0xff) << 24) | ((address & 0xff00) << 8) | ((address >>> 8) & 0xff00) | (address >>> 24)
}
