import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  BROADCAST_MAC,
  checksum,
  createArp,
  createEthernet,
  createIcmp,
  createIgmp,
  createIpv4,
  createLabelStack,
  createTcp,
  createTcpOptions,
  createUdp,
  ETHER_TYPE_ARP,
  emitArp,
  emitEthernet,
  findOption,
  hasRouterAlert,
  optionsAcceptable,
  parseArp,
  parseEthernet,
  parseIcmp,
  parseIgmp,
  parseIpv4,
  parseLabelStack,
  parseTcp,
  parseTcpOptions,
  parseUdp,
  transportChecksumOk,
  udpChecksumOk,
  walkOptions,
  write16,
} from '../../../engine/wire/index.ts'
import { captured, expectBounded, type Mutation, mutate, mutation, type Parse } from './samples.ts'

/**
 * Hostile bytes: no parser throws, and none reads outside [offset, end), which shows as an answer that depends on
 * what stands around the message.
 */
interface Subject {
  readonly name: string
  /** Runs the parser; the verdict and all that it filled in must be the same in every surrounding. */
  check(message: Uint8Array): void
  /** Where in a captured frame its header may begin. */
  readonly offsets: readonly number[]
  /** Makes the checksum right, so that mutations reach what lies behind that check. */
  repair?(message: Uint8Array): void
}

function subject<T>(
  name: string,
  parse: Parse<T>,
  create: () => T,
  offsets: readonly number[],
  repair?: (message: Uint8Array) => void,
): Subject {
  const check = (message: Uint8Array): void => expectBounded(parse, create, message)
  return repair === undefined ? { name, check, offsets } : { name, check, offsets, repair }
}

function repairIpv4(message: Uint8Array): void {
  const headerBytes = (message[0]! & 15) * 4
  if (message.length < 20 || message.length < headerBytes) return
  write16(message, 10, 0)
  write16(message, 10, checksum(message, 0, headerBytes))
}

function repairMessage(message: Uint8Array): void {
  if (message.length < 4) return
  write16(message, 2, 0)
  write16(message, 2, checksum(message, 0, message.length))
}

const nothing = (): Record<string, never> => ({})
const SUBJECTS: readonly Subject[] = [
  subject('parseEthernet', parseEthernet, createEthernet, [0]),
  subject('parseArp', parseArp, createArp, [0, 14, 18]),
  subject('parseIpv4', parseIpv4, createIpv4, [14, 34], repairIpv4),
  subject('parseIcmp', parseIcmp, createIcmp, [34], repairMessage),
  subject('parseUdp', parseUdp, createUdp, [34]),
  subject('parseTcp', parseTcp, createTcp, [34, 54]),
  subject('parseTcpOptions', parseTcpOptions, createTcpOptions, [54, 74]),
  subject('parseIgmp', parseIgmp, createIgmp, [38], repairMessage),
  subject('parseLabelStack', parseLabelStack, createLabelStack, [14, 34]),
  subject('transportChecksumOk', transportChecksumOk, nothing, [14, 34]),
  subject('udpChecksumOk', (bytes, offset, end) => udpChecksumOk(bytes, offset, end, 1, 2), nothing, [34]),
  subject('optionsAcceptable', optionsAcceptable, nothing, [34]),
  subject('findOption', (bytes, offset, end) => findOption(bytes, offset, end, 148), nothing, [34]),
  subject(
    'hasRouterAlert',
    (bytes, offset, end) => hasRouterAlert(bytes, offset - 20, end - offset + 20),
    nothing,
    [34],
  ),
  subject(
    'walkOptions',
    (bytes, offset, end, into: number[][]) =>
      walkOptions(bytes, offset, end, (...option) => into.push(option)),
    (): number[][] => [],
    [34],
  ),
]

/** An ARP request behind a VLAN tag: the captures have neither. */
const request = new Uint8Array(46)
emitArp(request, emitEthernet(request, 0, BROADCAST_MAC, BROADCAST_MAC, ETHER_TYPE_ARP, 7), createArp())

const frames = [...captured.values(), request]

describe('hostile bytes', () => {
  for (const each of SUBJECTS)
    describe(each.name, () => {
      it('bounds itself on random bytes', () => {
        fc.assert(
          fc.property(fc.uint8Array({ maxLength: 90 }), (bytes) => each.check(bytes)),
          { numRuns: 300 },
        )
      })

      it('bounds itself on every truncation of every captured message', () => {
        for (const frame of frames)
          for (const offset of each.offsets)
            for (let end = offset; end <= frame.length; end += 3) {
              const message = frame.slice(offset, end)
              each.check(message)
              each.repair?.(message)
              each.check(message)
            }
      })

      it('bounds itself on mutations of captured messages', () => {
        const offsets = fc.constantFrom(...each.offsets)
        fc.assert(
          fc.property(fc.constantFrom(...frames), offsets, mutation, (frame, offset, change: Mutation) => {
            const message = Uint8Array.from(mutate(frame.subarray(offset), change))
            each.repair?.(message)
            each.check(message)
          }),
          { numRuns: 600 },
        )
      })
    })

  it('is noticed when a parser reads beyond its end', () => {
    const beyond: Parse<{ value: number }> = (bytes, _offset, end, into) => {
      into.value = bytes[end]!
      return 0
    }
    expect(() => expectBounded(beyond, () => ({ value: 0 }), new Uint8Array(4))).to.throw()
    const before: Parse<{ value: number }> = (bytes, offset) => bytes[offset - 1]!
    expect(() => expectBounded(before, () => ({ value: 0 }), new Uint8Array(4))).to.throw()
  })
})
