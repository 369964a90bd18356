import { expect } from 'chai'
import fc from 'fast-check'
import { after, before, describe, it } from 'mocha'
import { LinuxError } from '../../../../engine/ports/linux/index.ts'
import { checksum, emitOuterHeader, write16 } from '../../../../engine/wire/index.ts'
import { BpfExit } from '../../../../host/agent/linux/bpf-exit.ts'
import type { ExitOutcome } from '../../../../host/agent/linux/exit-program.ts'
import { HostCounters } from '../../../../host/stack/index.ts'
import { createTunnelExit } from '../../../../host/stack/tunnel-exit.ts'
import { requireLab } from '../../../support/oracle.ts'
import { ip, ipPacket, tcp, udp } from '../../../support/packets.ts'

const GO_ON = 0xffff_ffff
const DROP = 2
const OWN = '10.0.2.2'
const ENTRY = '10.0.2.1'
const VIRTUAL = { address: ip('198.18.0.0'), length: 15 }

/** The program runs on a frame as if it had come in by a device whose address is all zero: the loopback. */
function framed(packet: Uint8Array, etherType = 0x0800): Uint8Array {
  const frame = new Uint8Array(14 + packet.length)
  frame[6] = 2
  write16(frame, 12, etherType)
  frame.set(packet, 14)
  return frame
}

function tunnelled(inner: Uint8Array, change: (outer: Uint8Array) => void = () => {}, to = OWN): Uint8Array {
  const outer = new Uint8Array(20 + inner.length)
  outer.set(inner, 20)
  emitOuterHeader(outer, 0, 20, ip(ENTRY), ip(to), 64, 7)
  change(outer)
  return outer
}

/** Sums the outer header anew after a change. */
function whole(outer: Uint8Array): void {
  const headerBytes = (outer[0]! & 15) * 4
  write16(outer, 10, 0)
  write16(outer, 10, checksum(outer, 0, headerBytes))
}

const withTos = (tos: number) => (outer: Uint8Array) => {
  outer[1] = tos
  whole(outer)
}

/** What the software's exit hands on of an outer packet with a good header, or why it does not. */
function softwareExit(outer: Uint8Array): { inner?: Uint8Array; drop?: string } {
  const counters = new HostCounters()
  let inner: Uint8Array | undefined
  const network = { isLocal: (address: number) => address >>> 17 === VIRTUAL.address >>> 17 }
  const exit = createTunnelExit(
    {
      network: network as never,
      counters,
      inputPacket: (bytes, from, end) => {
        inner = bytes.slice(from, end)
      },
    },
    {},
  )
  const header = { source: ip(ENTRY), destination: ip(OWN), tos: outer[1] }
  exit({ bytes: outer, transport: 20, end: outer.length, header, depth: 0, device: 0 } as never)
  return inner === undefined ? { drop: 'dropped' } : { inner }
}

describe('the tunnel exit in the kernel', () => {
  let exit: BpfExit

  before(function () {
    try {
      exit = new BpfExit({ addresses: [ip('192.0.2.255'), ip(OWN)], prefixes: [VIRTUAL] })
    } catch (error) {
      if (error instanceof LinuxError && error.code !== 'invalid') requireLab(this, error.message)
      throw error
    }
  })

  after(() => exit?.close())

  /** Runs the program and tells which counter has moved. */
  function run(packet: Uint8Array): { answer: number; packet: Uint8Array; outcome: ExitOutcome | undefined } {
    const earlier = exit.counters().packets
    const { answer, frame } = exit.program.test(framed(packet))
    const later = exit.counters().packets
    const moved = Object.keys(later).filter(
      (name) => later[name as ExitOutcome] !== earlier[name as ExitOutcome],
    )
    expect(moved.length).to.be.at.most(1)
    return { answer, packet: frame.subarray(14), outcome: moved[0] as ExitOutcome | undefined }
  }

  function expectUntouched(packet: Uint8Array, outcome: ExitOutcome | undefined): void {
    const result = run(packet)
    expect(result).to.deep.equal({ answer: GO_ON, packet, outcome })
  }

  describe('when a tunnel packet for this host carries one for a virtual address', () => {
    it('hands on the inner packet exactly as sent (R-SLR-05)', () => {
      const options = Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0)
      const inners = [
        tcp({ to: '198.18.0.80', data: 1200 }),
        udp({ to: '198.19.255.255', data: 0, ttl: 1 }),
        ipPacket(Uint8Array.of(8, 0, 0, 0), { to: '198.18.0.1', protocol: 1, options }),
        ipPacket(new Uint8Array(64), { to: '198.18.0.1', moreFragments: true }),
      ]
      for (const inner of inners) {
        const result = run(tunnelled(inner))
        expect(result).to.deep.equal({ answer: GO_ON, packet: inner, outcome: 'decapsulated' })
      }
    })

    it('counts the inner bytes', () => {
      const before = exit.counters().bytes
      run(tunnelled(udp({ to: '198.18.0.80', data: 100 })))
      expect(exit.counters().bytes - before).to.equal(128)
    })

    it('copies congestion marks as the software does (RFC 6040)', () => {
      for (let outer = 0; outer < 4; outer++)
        for (let inner = 0; inner < 4; inner++) {
          const packet = tunnelled(udp({ to: '198.18.0.80', tos: 0xb8 | inner }), withTos(0xb8 | outer))
          const result = run(packet)
          const software = softwareExit(packet)
          if (software.inner === undefined) expect(result).to.include({ answer: DROP, outcome: 'congested' })
          else {
            expect(result.packet, `outer ${outer}, inner ${inner}`).to.deep.equal(software.inner)
            expect(checksum(result.packet, 0, 20)).to.equal(0)
          }
        }
    })

    it('keeps the inner checksum right whatever it was', () => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0, max: 63 }), (id, dscp) => {
          const inner = udp({ to: '198.18.0.80', tos: (dscp << 2) | 2, id })
          const packet = tunnelled(inner, withTos((dscp << 2) | 3))
          const result = run(packet)
          expect(result.packet).to.deep.equal(softwareExit(packet).inner)
        }),
        { numRuns: 200 },
      )
    })
  })

  describe('when a packet is none of a tunnel to this host', () => {
    it('leaves it alone and does not count it', () => {
      expectUntouched(tcp({ to: '198.18.0.80' }), undefined)
      expectUntouched(
        tunnelled(udp({ to: '198.18.0.80' }), () => {}, '10.0.2.3'),
        undefined,
      )
      expectUntouched(udp({ to: OWN }), undefined)
    })

    it('leaves frames of other protocols alone', () => {
      for (const etherType of [0x86dd, 0x8100, 0x0806, 0x8847]) {
        const frame = framed(tunnelled(udp({ to: '198.18.0.80' })), etherType)
        const before = exit.counters()
        const result = exit.program.test(frame)
        expect(result).to.deep.equal({ answer: GO_ON, frame })
        expect(exit.counters()).to.deep.equal(before)
      }
    })

    it('leaves frames for other stations alone', () => {
      const frame = framed(tunnelled(udp({ to: '198.18.0.80' })))
      frame[5] = 9
      expect(exit.program.test(frame)).to.deep.equal({ answer: GO_ON, frame })
    })
  })

  describe('when a tunnel packet is hostile', () => {
    const inner = udp({ to: '198.18.0.80', data: 64 })

    it('leaves one for an address that is not virtual to the kernel', () => {
      expectUntouched(tunnelled(udp({ to: OWN })), 'notVirtual')
      expectUntouched(tunnelled(udp({ to: '127.0.0.1' })), 'notVirtual')
      expectUntouched(tunnelled(udp({ to: '198.20.0.0' })), 'notVirtual')
    })

    it('leaves fragments of the outer packet to the kernel', () => {
      for (const bits of [0x2000, 0x0001, 0x2010, 0x1fff])
        expectUntouched(
          tunnelled(inner, (outer) => {
            write16(outer, 6, bits)
            whole(outer)
          }),
          'fragment',
        )
    })

    it('leaves an outer header with options, of another version or with a wrong sum to the kernel', () => {
      for (const first of [0x46, 0x4f, 0x65, 0x44, 0x05])
        expectUntouched(
          tunnelled(inner, (outer) => {
            outer[0] = first
          }),
          'malformed',
        )
      expectUntouched(
        tunnelled(inner, (outer) => {
          outer[8]! ^= 1
        }),
        'malformed',
      )
    })

    it('leaves lengths that cannot be to the kernel', () => {
      for (const total of [0, 20, 39, 113, 0xffff])
        expectUntouched(
          tunnelled(inner, (outer) => {
            write16(outer, 2, total)
            whole(outer)
          }),
          'malformed',
        )
      for (const change of [
        (bytes: Uint8Array) => write16(bytes, 2, 19),
        (bytes: Uint8Array) => write16(bytes, 2, inner.length + 1),
        (bytes: Uint8Array) => {
          bytes[0] = 0x44
        },
        (bytes: Uint8Array) => {
          bytes[0] = 0x65
        },
        (bytes: Uint8Array) => {
          bytes[0] = 0x4f
          write16(bytes, 2, 59)
        },
      ]) {
        const broken = inner.slice()
        change(broken)
        const outer = tunnelled(inner)
        outer.set(broken, 20)
        expectUntouched(outer, 'malformed')
      }
    })

    it('leaves every truncated packet to the kernel', () => {
      const packet = tunnelled(inner)
      // The kernel runs no test on less than a header.
      for (let length = 20; length < packet.length; length++) {
        const { answer, packet: after } = run(packet.subarray(0, length))
        expect(answer).to.equal(GO_ON)
        expect(after).to.deep.equal(packet.slice(0, length))
      }
    })

    it('agrees with the software about garbage inside', () => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 20, maxLength: 90 }), fc.boolean(), (bytes, plausible) => {
          if (plausible) bytes.set(Uint8Array.of(0x45, 0, 0, bytes.length, 0, 0, 0, 0, 64, 17), 0)
          if (plausible) bytes.set(Uint8Array.of(198, 18), 16)
          const packet = new Uint8Array(20 + bytes.length)
          packet.set(bytes, 20)
          const header = ipPacket(new Uint8Array(0), { from: ENTRY, to: OWN, protocol: 4 })
          packet.set(header, 0)
          write16(packet, 2, packet.length)
          whole(packet)
          const result = run(packet)
          const { inner: expected } = softwareExit(packet)
          // The kernel checks the inner sum after the exit, the software in it.
          if (expected !== undefined)
            expect(result.packet.subarray(0, expected.length)).to.deep.equal(expected)
          else if (result.outcome === 'decapsulated')
            expect(checksum(bytes, 0, (bytes[0]! & 15) * 4)).to.not.equal(0)
        }),
        { numRuns: 300 },
      )
    })
  })

  it('accepts many addresses and prefixes of every length', () => {
    const addresses = Array.from({ length: 64 }, (_, index) => ip('10.9.0.0') + index)
    const prefixes = Array.from({ length: 33 }, (_, length) => ({ address: ip('198.18.0.0'), length }))
    const wide = new BpfExit({ addresses, prefixes })
    try {
      const frame = framed(tunnelled(udp({ to: '8.8.8.8' }), () => {}, '10.9.0.63'))
      expect(wide.program.test(frame).frame.length).to.equal(frame.length - 20)
    } finally {
      wide.close()
    }
  })
})
