import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { META_SHIFT, NEXT, NONE } from '../../../engine/packet.ts'
import { writeCapture } from '../../../engine/ports/pcapng.ts'
import { fragment } from '../../../engine/routing/fragment.ts'
import { IcmpErrors } from '../../../engine/routing/icmp-error.ts'
import { requireTool, runTool } from '../../support/oracle.ts'
import { bytesOf, frameOf, ip, receive, slabOf, udp } from './datagrams.ts'

const CUTS = [
  { length: 1400, mtu: 576 },
  { length: 1400, mtu: 68 },
  { length: 1473, mtu: 1500 },
  { length: 100, mtu: 100, options: Uint8Array.of(148, 4, 0, 0) },
  { length: 900, mtu: 301, options: Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0) },
]
const ERRORS = [
  { type: 3, code: 0, rest: 0 },
  { type: 3, code: 1, rest: 0 },
  { type: 3, code: 3, rest: 0 },
  { type: 3, code: 4, rest: 1480 },
  { type: 11, code: 0, rest: 0 },
  { type: 12, code: 0, rest: 0x01000000 },
]

function pieces(): { inner: Uint8Array; fragments: Uint8Array[] }[] {
  return CUTS.map(({ length, mtu, options }, i) => {
    const slab = slabOf(64)
    const inner = udp(length, { id: 100 + i, options, toPort: 40009 })
    const fragments: Uint8Array[] = []
    for (let each = fragment(slab, receive(slab, inner), mtu); each !== NONE; ) {
      fragments.push(bytesOf(slab, each))
      each = slab.meta[(each << META_SHIFT) + NEXT]
    }
    return { inner, fragments }
  })
}

function errors(): Uint8Array[] {
  return ERRORS.map(({ type, code, rest }, i) => {
    const slab = slabOf(2)
    const packet = receive(slab, udp(i * 200, { tos: 0x28 }))
    const errors = new IcmpErrors(slab, { take: () => true })
    return bytesOf(slab, errors.about(packet, type, code, rest, ip('203.0.113.9'), 0))
  })
}

describe('fragmentation and ICMP error oracles', () => {
  const cut = pieces()
  const told = errors()
  let folder = ''
  const capture = (name: string, datagrams: readonly Uint8Array[]): string => {
    const path = join(folder, name)
    const packets = datagrams.map((each, i) => ({ interfaceIndex: 0, timeNs: i * 1e6, bytes: frameOf(each) }))
    writeFileSync(path, writeCapture([{ name: 'port' }], packets))
    return path
  }
  const fieldsOf = (path: string, names: readonly string[]): string[][] =>
    runTool('tshark', [
      ...['-n', '-r', path, '-Tfields', '-Eoccurrence=f'],
      ...['-o', 'ip.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE', '-o', 'ip.defragment:TRUE'],
      ...names.flatMap((name) => ['-e', name]),
    ])
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split('\t'))
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'routing-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('has fragments that tshark reassembles into datagrams with good checksums', function () {
    requireTool(this, 'tshark')
    const all = cut.flatMap(({ fragments }) => fragments)
    const names = [
      '_ws.malformed',
      'ip.checksum.status',
      'ip.fragment.error',
      'udp.length',
      'udp.checksum.status',
    ]
    const lines = fieldsOf(capture('fragments.pcapng', all), names)
    expect(lines).to.have.length(all.length)
    expect(
      lines.every(([malformed, sum, error]) => malformed === '' && sum === '1' && error === ''),
    ).to.equal(true)
    const whole = lines.filter(([, , , length]) => length !== '').map(([, , , length, sum]) => [length, sum])
    expect(whole).to.deep.equal(CUTS.map(({ length }) => [String(length + 8), '1']))
  })

  it('has fragments that scapy reassembles byte for byte', function () {
    requireTool(this, '/usr/bin/python3', ['-c', 'import scapy.all'])
    const program = `
import json, sys
from scapy.all import IP, defragment
for each in json.load(sys.stdin):
    whole = defragment([IP(bytes.fromhex(piece)) for piece in each])
    assert len(whole) == 1, whole
    print(bytes(whole[0]).hex())
`
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
    const asked = cut.map(({ fragments }) => fragments.map(hex))
    const lines = runTool('/usr/bin/python3', ['-c', program], JSON.stringify(asked)).trim().split('\n')
    expect(lines).to.deep.equal(cut.map(({ inner }) => hex(inner)))
  })

  it('has errors that tshark decodes with good checksums', function () {
    requireTool(this, 'tshark')
    const names = [
      '_ws.malformed',
      'ip.checksum.status',
      'icmp.checksum.status',
      'icmp.type',
      'icmp.code',
      'icmp.mtu',
    ]
    const lines = fieldsOf(capture('errors.pcapng', told), names)
    const expected = ERRORS.map(({ type, code, rest }) => {
      const mtu = type === 3 && code === 4 ? String(rest) : ''
      return ['', '1', '1', String(type), String(code), mtu]
    })
    expect(lines).to.deep.equal(expected)
  })
})
