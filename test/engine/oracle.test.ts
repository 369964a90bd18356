/** Independent decoders read what a router sends of its own accord: one run of tshark over one capture of all of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { CaptureWriter, SECOND } from '../../engine/index.ts'
import { requireTool, runTool } from '../support/oracle.ts'
import {
  arpFrame,
  echo,
  fragmentsOf,
  icmp,
  ipInIp,
  ipPacket,
  type PortOptions,
  pattern,
  tcp,
  udp,
} from '../support/packets.ts'
import { tunneled } from '../support/policies.ts'
import { HOST_MAC, TestRouter } from '../support/test-router.ts'

const VHA = '198.18.0.80'

/** What tshark is asked about a frame, and what it should say. */
interface Expected {
  readonly what: string
  readonly fields: Readonly<Record<string, string>>
}

const COLUMNS = [
  '_ws.malformed',
  'arp.opcode',
  'ip.src',
  'ip.dst',
  'ip.ttl',
  'ip.proto',
  'icmp.type',
  'icmp.code',
  'icmp.mtu',
  'ip.checksum.status',
  'icmp.checksum.status',
  'ip.flags.mf',
  'ip.frag_offset',
]

/** A datagram to a port of which no decoder knows anything. */
const plain = (options: PortOptions & { readonly data?: number } = {}): Uint8Array =>
  udp({ toPort: 4444, ...options })

/** Lets a router say everything that it can say, and notes what. */
function conversation(): { file: Uint8Array; expected: Expected[] } {
  const blocks: Uint8Array[] = []
  const sink = new CaptureWriter((block) => blocks.push(block)).port('a')
  const router = new TestRouter([
    { name: 'a', address: '10.0.1.1/24' },
    { name: 'b', address: '10.0.2.1/24', mtu: 576 },
  ])
  const expected: Expected[] = []
  for (const name of ['a', 'b']) {
    const onTransmit = router.port(name).onTransmit!
    router.port(name).onTransmit = (bytes, start, length, now) => {
      sink('transmit', bytes, start, length, now, '')
      onTransmit(bytes, start, length, now)
    }
  }
  const note = (what: string, fields: Record<string, string>) => expected.push({ what, fields })
  const error = (type: number, code: number, quoted: string, extra: Record<string, string> = {}) => ({
    'ip.src': `10.0.1.1,${quoted.split('>')[0]}`,
    'ip.dst': `10.0.1.2,${quoted.split('>')[1]}`,
    'ip.ttl': extra['ip.ttl'] ?? '64,64',
    'icmp.type': String(type),
    'icmp.code': String(code),
    ...extra,
  })
  router.commit([
    { do: 'open-tunnel', name: 't', tunnel: { to: '10.0.2.9' } },
    { do: 'install-filter', name: 'web', filter: { to: VHA }, action: tunneled('t') },
  ])

  router.injectFrame(
    'a',
    arpFrame({ operation: 1, senderMac: HOST_MAC, sender: '10.0.1.2', target: '10.0.1.1' }),
  )
  note('an ARP reply', { 'arp.opcode': '2' })
  router.inject('a', echo({ to: '10.0.1.1' }))
  note('an echo reply', {
    'icmp.type': '0',
    'icmp.code': '0',
    'ip.src': '10.0.1.1',
    'ip.dst': '10.0.1.2',
    'ip.ttl': '64',
  })
  router.inject('a', plain({ ttl: 1 }))
  note('time exceeded', error(11, 0, '10.0.1.2>10.0.2.2', { 'ip.ttl': '64,1' }))
  router.inject('a', plain({ to: '192.0.2.1' }))
  note('network unreachable', error(3, 0, '10.0.1.2>192.0.2.1', { 'ip.ttl': '64,64' }))
  router.inject('a', plain({ to: '10.0.1.1' }))
  note('port unreachable', error(3, 3, '10.0.1.2>10.0.1.1'))
  router.inject('a', tcp({ to: '10.0.2.1' }))
  note('port unreachable, of TCP', error(3, 3, '10.0.1.2>10.0.2.1'))
  router.inject('a', ipPacket(pattern(30), { to: '10.0.1.1', protocol: 253 }))
  note('protocol unreachable', error(3, 2, '10.0.1.2>10.0.1.1'))
  router.inject('a', plain({ data: 1000, dontFragment: true }))
  note('fragmentation needed', error(3, 4, '10.0.1.2>10.0.2.2', { 'icmp.mtu': '576', 'ip.ttl': '64,63' }))
  router.inject('a', plain({ to: VHA }))
  note('an ARP request', { 'arp.opcode': '1' })
  note('a datagram in a tunnel', {
    'ip.src': '10.0.2.1,10.0.1.2',
    'ip.dst': `10.0.2.9,${VHA}`,
    'ip.ttl': '64,63',
    'ip.proto': '4,17',
    'ip.checksum.status': '1,1',
  })
  const [outer] = router.take('b')
  router.inject('a', plain({ to: VHA, data: 537, dontFragment: true }))
  note(
    'fragmentation needed for a tunnel',
    error(3, 4, `10.0.1.2>${VHA}`, { 'icmp.mtu': '556', 'ip.ttl': '64,63' }),
  )
  router.inject('b', icmp(3, 1, 0, outer!.subarray(0, 48), { from: '10.0.2.77', to: '10.0.2.1' }))
  note(
    'host unreachable, relayed from inside a tunnel',
    error(3, 1, `10.0.1.2>${VHA}`, { 'ip.ttl': '64,63' }),
  )
  router.inject('a', ...fragmentsOf(echo({ to: '10.0.1.1', data: 1500, id: 8 }), 1400))
  note('an echo reply in fragments', {
    'ip.flags.mf': '1',
    'ip.frag_offset': '0',
    'icmp.type': '0',
    'icmp.checksum.status': '2',
  })
  note('its second fragment, 185 times eight bytes on', { 'ip.flags.mf': '0', 'ip.frag_offset': '185' })
  router.inject('a', ipInIp(plain(), { to: '10.0.1.1' }))
  note('protocol unreachable, of IP-in-IP', {
    'icmp.type': '3',
    'icmp.code': '2',
    'ip.src': '10.0.1.1,10.0.1.2,10.0.1.2',
    'ip.dst': '10.0.1.2,10.0.1.1,10.0.2.2',
  })
  router.answersArp = false
  router.inject('a', plain({ to: '10.0.2.99' }))
  for (const which of ['first', 'second', 'third'])
    note(`the ${which} ARP request for a silent host`, { 'arp.opcode': '1' })
  router.advance(3 * SECOND)
  note('host unreachable', error(3, 1, '10.0.1.2>10.0.2.99', { 'ip.ttl': '64,63' }))
  return { file: Buffer.concat(blocks), expected }
}

describe('What a router says', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'router-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('is decoded by tshark as meant, with right checksums and nothing malformed (R-PR-03, R-SLR-10)', function () {
    requireTool(this, 'tshark')
    const { file, expected } = conversation()
    const path = join(folder, 'said.pcapng')
    writeFileSync(path, file)
    const output = runTool('tshark', [
      ...[
        '-n',
        '-r',
        path,
        '-Tfields',
        '-Eoccurrence=a',
        '-o',
        'ip.check_checksum:TRUE',
        '-o',
        'ip.defragment:FALSE',
      ],
      ...COLUMNS.flatMap((name) => ['-e', name]),
    ])
    const lines = output.split('\n').slice(0, -1)
    for (const [i, { what, fields }] of expected.entries()) {
      const values = (lines[i] ?? '').split('\t')
      const seen: Record<string, string | undefined> = Object.fromEntries(
        COLUMNS.map((name, column) => [name, values[column]]),
      )
      expect(seen['_ws.malformed'], `frame ${i + 1}: ${what}`).to.equal('')
      const wanted = Object.fromEntries(Object.keys(fields).map((name) => [name, seen[name]]))
      expect(wanted, `frame ${i + 1}: ${what}`).to.deep.equal(fields)
      if (seen['icmp.type'] !== '' && fields['icmp.checksum.status'] === undefined)
        expect(seen['icmp.checksum.status'], `frame ${i + 1}: ${what}`).to.equal('1')
      for (const status of seen['ip.checksum.status']!.split(',').slice(0, 1))
        expect(['', '1']).to.include(status)
    }
    expect(lines, 'nothing else').to.have.length(expected.length)
  })
})
