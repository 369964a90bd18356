import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  createIgmp,
  createIpv4,
  emitIgmp,
  hasRouterAlert,
  IGMP_QUERY,
  type IgmpRecord,
  igmpBytes,
  PROTOCOL_IGMP,
  parseIgmp,
  parseIpv4,
  ROUTER_ALERT,
} from '../../../engine/wire/index.ts'
import type { HostStack } from '../../../host/stack/index.ts'
import { requireTool, runTool } from '../../support/oracle.ts'
import { writePcap } from '../../support/pcap-writer.ts'
import { rawPair } from '../../support/raw-pair.ts'
import type { RawPeer } from '../../support/raw-peer.ts'
import { pair, type VirtualLan, type VirtualWorld } from '../../support/virtual-link.ts'

const SECOND = 1_000_000_000
const GROUP = 0xef000001
const OTHER_GROUP = 0xef000002
const TYPES = ['', 'IS_IN', 'IS_EX', 'TO_IN', 'TO_EX', 'ALLOW', 'BLOCK']

/** Reports on the wire as text: `TO_EX 1()`; several records of one report in one string. */
function reports(lan: VirtualLan, from = 'b'): string[] {
  return lan.frames(from).flatMap((frame) => {
    const ip = createIpv4()
    if (parseIpv4(frame, 14, frame.length, ip) !== 0 || ip.protocol !== PROTOCOL_IGMP) return []
    expect([ip.destination, ip.ttl, ip.tos]).to.deep.equal([0xe0000016, 1, 0xc0])
    expect(hasRouterAlert(frame, 14, ip.headerBytes)).to.equal(true)
    const igmp = createIgmp()
    expect(parseIgmp(frame, 14 + ip.headerBytes, frame.length, igmp)).to.equal(0)
    const text = (record: IgmpRecord): string =>
      `${TYPES[record.type] ?? record.type} ${record.group & 255}(${[...record.sources].join(',')})`
    return [igmp.records.map(text).join(' ')]
  })
}

/** A query as a router sends it. */
function query(peer: RawPeer, group: number, sources: number[], tenths: number, fields = {}): void {
  const message = {
    ...createIgmp(),
    type: IGMP_QUERY,
    group,
    maxResponseCode: tenths,
    robustness: 2,
    sources: Uint32Array.from(sources),
  }
  const payload = new Uint8Array(igmpBytes(message))
  emitIgmp(payload, 0, message)
  const destination = group === 0 ? 0xe0000001 : group
  peer.sendIp(PROTOCOL_IGMP, payload, { ttl: 1, options: ROUTER_ALERT, destination, ...fields })
  peer.settle()
}

function listener(): { world: VirtualWorld; lan: VirtualLan; peer: RawPeer; stack: HostStack } {
  const { world, lan, peer, stack } = rawPair(null)
  return { world, lan, peer, stack }
}

describe('IGMPv3', () => {
  describe('when a membership begins, changes and ends', () => {
    it('reports each change twice (robustness 2)', () => {
      const { world, lan, b } = pair(1)
      const membership = b.igmp.join(GROUP)
      world.run()
      membership.leave()
      world.run()
      expect(reports(lan)).to.deep.equal(['TO_EX 1()', 'TO_EX 1()', 'TO_IN 1()', 'TO_IN 1()'])
      expect(world.now).to.be.at.most(2 * SECOND)
    })

    it('reports source lists as ALLOW and BLOCK (RFC 3376 5.1)', () => {
      const { world, lan, b } = pair(1)
      const membership = b.igmp.join(GROUP, { mode: 'include', sources: [1, 2] })
      world.run()
      membership.change('include', [2, 3])
      world.run()
      membership.change('exclude', [9])
      world.run()
      membership.change('exclude', [8])
      world.run()
      const distinct = reports(lan).filter((_, i) => i % 2 === 0)
      expect(distinct).to.deep.equal([
        'ALLOW 1(1,2)',
        'ALLOW 1(3) BLOCK 1(1)',
        'TO_EX 1(9)',
        'ALLOW 1(9) BLOCK 1(8)',
      ])
    })

    it('puts changes made at one instant into one report (R-MC-08)', () => {
      const { world, lan, b } = pair(1)
      const one = b.igmp.join(GROUP, { mode: 'include', sources: [1] })
      world.run()
      one.leave()
      b.igmp.join(OTHER_GROUP, { mode: 'include', sources: [5] })
      world.run()
      expect(reports(lan).slice(2)).to.deep.equal(['BLOCK 1(1) ALLOW 2(5)', 'BLOCK 1(1) ALLOW 2(5)'])
    })

    it('lets a later change replace a pending earlier one', () => {
      const { world, lan, b } = pair(1)
      const membership = b.igmp.join(GROUP, { mode: 'include', sources: [1] })
      world.run(1)
      membership.change('include', [])
      world.run()
      expect(reports(lan)).to.deep.equal(['ALLOW 1(1)', 'BLOCK 1(1)', 'BLOCK 1(1)'])
    })

    it('merges the memberships of several users (RFC 3376 3.2)', () => {
      const { world, lan, b } = pair(1)
      b.igmp.join(GROUP, { mode: 'exclude', sources: [1, 2, 3] })
      world.run()
      const include = b.igmp.join(GROUP, { mode: 'include', sources: [2] })
      world.run()
      include.leave()
      world.run()
      expect(reports(lan).filter((_, i) => i % 2 === 0)).to.deep.equal([
        'TO_EX 1(1,2,3)',
        'ALLOW 1(2)',
        'BLOCK 1(2)',
      ])
    })
  })

  describe('when a router asks', () => {
    it('answers a general query with all groups in one report, in time', () => {
      const { world, lan, peer, stack } = listener()
      stack.igmp.join(GROUP)
      stack.igmp.join(OTHER_GROUP, { mode: 'include', sources: [7, 8] })
      world.run(world.now + 5 * SECOND)
      const before = reports(lan).length
      const asked = world.now
      query(peer, 0, [], 100)
      world.run(asked + 10 * SECOND)
      expect(reports(lan).slice(before)).to.deep.equal(['IS_EX 1() IS_IN 2(7,8)'])
    })

    it('answers for the group and for the sources asked about', () => {
      const { world, lan, peer, stack } = listener()
      stack.igmp.join(GROUP, { mode: 'exclude', sources: [1] })
      stack.igmp.join(OTHER_GROUP, { mode: 'include', sources: [7, 8] })
      world.run(world.now + 5 * SECOND)
      const before = reports(lan).length
      for (const [group, sources] of [
        [GROUP, []],
        [OTHER_GROUP, [8, 9]],
        [GROUP, [1, 2]],
        [GROUP, [1]],
        [0xef000099, []],
      ] as const) {
        query(peer, group, [...sources], 10)
        world.run(world.now + 5 * SECOND)
      }
      expect(reports(lan).slice(before)).to.deep.equal(['IS_EX 1(1)', 'IS_IN 2(8)', 'IS_IN 1(2)'])
    })

    it('does not answer for a group what a general answer will say sooner', () => {
      const { world, lan, peer, stack } = listener()
      stack.igmp.join(GROUP)
      world.run(world.now + 5 * SECOND)
      const before = reports(lan).length
      query(peer, 0, [], 1)
      query(peer, GROUP, [], 127)
      world.run(world.now + 20 * SECOND)
      expect(reports(lan).slice(before)).to.deep.equal(['IS_EX 1()'])
    })

    it('ignores queries from beyond the link and without Router Alert', () => {
      const { world, lan, peer, stack } = listener()
      stack.igmp.join(GROUP)
      world.run(world.now + 5 * SECOND)
      const before = reports(lan).length
      query(peer, 0, [], 10, { ttl: 2 })
      query(peer, 0, [], 10, { options: undefined })
      world.run(world.now + 5 * SECOND)
      expect(reports(lan).length).to.equal(before)
    })
  })

  describe('when packets to groups arrive', () => {
    it('lets in what the source filter lets in, and nothing after leaving', () => {
      const { world, a, b } = pair(1)
      const got: number[] = []
      b.udp.bind(9, ({ payload }) => got.push(payload[0]))
      const send = (byte: number): void => {
        a.udp.send({ to: GROUP, port: 9, fromPort: 5, payload: Uint8Array.of(byte) })
        world.run()
      }
      send(1)
      const membership = b.igmp.join(GROUP, { mode: 'include', sources: [0x0a000001] })
      send(2)
      membership.change('exclude', [0x0a000001])
      send(3)
      membership.leave()
      send(4)
      expect(got).to.deep.equal([2])
    })

    it('receives without telling routers when silent', () => {
      const { world, lan, a, b } = pair(1)
      let got = 0
      b.udp.bind(9, () => got++)
      b.igmp.join(GROUP, { silent: true })
      world.run()
      a.udp.send({ to: GROUP, port: 9, fromPort: 5, payload: Uint8Array.of(1) })
      world.run()
      expect([got, reports(lan).length]).to.deep.equal([1, 0])
    })
  })

  it('sends reports of the caller: private records and extensions (R-MC-10)', () => {
    const { world, lan, b } = pair(1)
    const record = { type: 202, group: GROUP, sources: Uint32Array.of(0, 3), aux: new Uint8Array(0) }
    b.igmp.report(0, [record], [{ type: 65_534, value: Uint8Array.of(1, 2, 3) }])
    world.run()
    expect(reports(lan)).to.deep.equal(['202 1(0,3)'])
  })

  it('bounds groups and sources', () => {
    const { b } = pair(1)
    const many = Array.from({ length: 257 }, (_, i) => i)
    expect(() => b.igmp.join(GROUP, { sources: many })).to.throw('more than 256 sources')
    for (let i = 0; i < 256; i++) b.igmp.join(GROUP + i)
    expect(() => b.igmp.join(GROUP + 256)).to.throw('more than 256 groups')
    expect(() => b.igmp.join(0x0a000001)).to.throw('not a group')
  })

  it('is decoded by tshark as what it says', function () {
    requireTool(this, 'tshark')
    const folder = mkdtempSync(join(tmpdir(), 'stack-'))
    try {
      const { world, lan, b } = pair(1)
      b.igmp.join(GROUP, { mode: 'include', sources: [0x0a000001, 0x0a000002] })
      b.igmp.join(OTHER_GROUP)
      world.run()
      const file = join(folder, 'igmp.pcap')
      writePcap(file, lan.passages)
      const names = [
        'igmp.type',
        'igmp.record_type',
        'igmp.maddr',
        'igmp.saddr',
        'igmp.checksum.status',
        '_ws.malformed',
      ]
      const fields = names.flatMap((name) => ['-e', name])
      const line = runTool('tshark', ['-r', file, '-T', 'fields', '-E', 'separator=|', ...fields]).split(
        '\n',
      )[0]
      expect(line).to.equal('0x22|5,4|239.0.0.1,239.0.0.2|10.0.0.1,10.0.0.2|1|')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
