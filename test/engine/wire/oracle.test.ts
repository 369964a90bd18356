import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { writeCapture } from '../../../engine/ports/pcapng.ts'
import { requireTool, runTool } from '../../support/oracle.ts'
import { decoded } from './decoded.ts'

/** Independent decoders read what the wire room emits: one run of each tool over one file of all messages. */
describe('emitted messages', () => {
  let folder = ''
  let path = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'wire-'))
    path = join(folder, 'emitted.pcapng')
    const packets = decoded.map(({ frame }, i) => ({
      interfaceIndex: 0,
      timeNs: i * 1_000_000,
      bytes: frame,
    }))
    writeFileSync(path, writeCapture([{ name: 'wire' }], packets))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('are decoded by tshark with the values that were written and right checksums', function () {
    requireTool(this, 'tshark')
    const names = [...new Set(decoded.flatMap(({ fields }) => Object.keys(fields)))]
    const columns = ['_ws.malformed', ...names]
    const output = runTool('tshark', [
      ...['-n', '-r', path, '-Tfields', '-Eoccurrence=a'],
      ...['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]),
      ...['-o', 'ip.defragment:FALSE', '-o', 'tcp.desegment_tcp_streams:FALSE'],
      ...['-o', 'tcp.relative_sequence_numbers:FALSE'],
      ...columns.flatMap((name) => ['-e', name]),
    ])
    const lines = output.split('\n').slice(0, -1)
    expect(lines).to.have.length(decoded.length)
    decoded.forEach(({ kind, fields }, i) => {
      const values = lines[i]!.split('\t')
      const seen = Object.fromEntries(columns.map((name, column) => [name, values[column]]))
      expect(seen['_ws.malformed'], `${kind}, frame ${i + 1}`).to.equal('')
      const wanted = Object.keys(fields).map((name) => [name, seen[name]])
      expect(Object.fromEntries(wanted), `${kind}, frame ${i + 1}`).to.deep.equal(fields)
    })
  })

  it('are decoded by tcpdump without a complaint', function () {
    requireTool(this, 'tcpdump')
    const output = runTool('tcpdump', ['-e', '-nnvvr', path])
    const packets = output.split(/^(?=\d)/m)
    expect(packets).to.have.length(decoded.length)
    decoded.forEach(({ kind, said }, i) => {
      if (said === undefined) return
      expect(packets[i], `${kind}, frame ${i + 1}`).to.include(said)
      expect(packets[i]).to.not.match(/bad|incorrect|wrong|\[\||trunc|malformed|invalid|missing/i)
    })
  })

  it('are written the same by scapy when it computes lengths and checksums anew', function () {
    requireTool(this, '/usr/bin/python3', ['-c', 'import scapy.all'])
    const program = `
import sys
from scapy.all import *
from scapy.contrib.mpls import MPLS
frames = rdpcap(sys.argv[1])
for number, frame in enumerate(frames, 1):
    original = bytes(frame)
    layer = frame
    while layer and not isinstance(layer, NoPayload):
        if isinstance(layer, (IPerror, UDPerror)):
            break
        for name in ('chksum', 'len', 'ihl', 'dataofs'):
            if name in layer.fields and isinstance(layer, (IP, UDP, TCP, ICMP)):
                del layer.fields[name]
        layer.raw_packet_cache = None
        layer = layer.payload
    if bytes(frame) != original:
        print(number, original.hex(), bytes(frame).hex())
`
    expect(runTool('/usr/bin/python3', ['-c', program, path]).trim()).to.equal('')
  })
})
