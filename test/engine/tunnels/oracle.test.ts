import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { writeCapture } from '../../../engine/ports/pcapng.ts'
import { read16 } from '../../../engine/wire/index.ts'
import { requireTool, runTool } from '../../support/oracle.ts'
import {
  bytesOf,
  type DatagramOptions,
  datagram,
  frameOf,
  pattern,
  receive,
  slabOf,
  udp,
} from '../routing/datagrams.ts'
import { ENTRY, EXIT, tunnelOf } from './tunnel-lab.ts'

/** Inner headers that make outer headers differ. */
const INNER: readonly DatagramOptions[] = [
  {},
  { tos: 0xb8 },
  { tos: 0x03 },
  { dontFragment: true, id: 1 },
  { ttl: 1, id: 65_535 },
  { options: Uint8Array.of(148, 4, 0, 0) },
  { moreFragments: true, id: 8 },
  { fragmentOffset: 800, id: 8 },
]

interface Sample {
  readonly inner: Uint8Array
  readonly outer: Uint8Array
  readonly ttl: number
}

function samples(): Sample[] {
  return [64, 1, 255].flatMap((ttl) => {
    const { table, tunnel } = tunnelOf({ ttl })
    return INNER.map((options, i) => {
      const inner =
        options.fragmentOffset === undefined
          ? udp(32 + i * 8, { ...options, toPort: 40009 })
          : datagram(pattern(64), options)
      const slab = slabOf(1)
      const packet = receive(slab, inner)
      expect(table.enter(tunnel, slab, packet, 0)).to.equal(0)
      return { inner, outer: bytesOf(slab, packet), ttl }
    })
  })
}

describe('IP-in-IP oracles (R-SLR-10)', () => {
  const all = samples()
  let folder = ''
  let path = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tunnels-'))
    path = join(folder, 'outer.pcapng')
    const packets = all.map(({ outer }, i) => ({ interfaceIndex: 0, timeNs: i * 1e6, bytes: frameOf(outer) }))
    writeFileSync(path, writeCapture([{ name: 'tunnel' }], packets))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('is decoded by tshark: two sound headers, nothing malformed, good checksums', function () {
    requireTool(this, 'tshark')
    const names = [
      '_ws.malformed',
      'ip.checksum.status',
      'ip.src',
      'ip.ttl',
      'ip.dsfield',
      'ip.flags.df',
      'ip.proto',
    ]
    const output = runTool('tshark', [
      ...['-n', '-r', path, '-Tfields', '-Eoccurrence=a', '-o', 'ip.check_checksum:TRUE'],
      ...['-o', 'ip.defragment:FALSE'],
      ...names.flatMap((name) => ['-e', name]),
    ])
    const lines = output.split('\n').slice(0, -1)
    expect(lines).to.have.length(all.length)
    for (const [i, { inner, ttl }] of all.entries()) {
      const df = (inner[6] & 0x40) !== 0 ? 1 : 0
      const tos = `0x${inner[1].toString(16).padStart(2, '0')}`
      const seen = Object.fromEntries(names.map((name, column) => [name, lines[i].split('\t')[column]]))
      expect(seen, `frame ${i + 1}`).to.deep.equal({
        '_ws.malformed': '',
        'ip.checksum.status': '1,1',
        'ip.src': `${ENTRY},198.51.100.7`,
        'ip.ttl': `${ttl},${inner[8]}`,
        'ip.dsfield': `${tos},${tos}`,
        'ip.flags.df': `${df},${df}`,
        'ip.proto': '4,17',
      })
    }
  })

  it('is written the same by scapy', function () {
    requireTool(this, '/usr/bin/python3', ['-c', 'import scapy.all'])
    const program = `
import json, sys
from scapy.all import IP, Raw
for each in json.load(sys.stdin):
    inner = bytes.fromhex(each['inner'])
    seen = IP(inner)
    outer = IP(src='${ENTRY}', dst='${EXIT}', proto=4, ttl=each['ttl'], id=each['id'], tos=seen.tos,
               flags='DF' if seen.flags.DF else 0)
    print(bytes(outer / Raw(inner)).hex())
`
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
    const asked = all.map(({ inner, outer, ttl }) => ({ inner: hex(inner), ttl, id: read16(outer, 4) }))
    const lines = runTool('/usr/bin/python3', ['-c', program], JSON.stringify(asked)).trim().split('\n')
    expect(lines).to.deep.equal(all.map(({ outer }) => hex(outer)))
  })
})
