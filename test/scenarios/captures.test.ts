import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { exampleLab, simulateWithCaptures } from '../support/labs.ts'
import { requireTool, runTool } from '../support/oracle.ts'

const CHECKS = [
  '-o',
  'ip.check_checksum:TRUE',
  '-o',
  'tcp.check_checksum:TRUE',
  '-o',
  'udp.check_checksum:TRUE',
]
const WRONG =
  '_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0'

describe('the captures of a simulated lab', () => {
  let folder: string
  before(async function () {
    this.timeout(60_000)
    folder = mkdtempSync(join(tmpdir(), 'pronto-captures-'))
    for (const name of ['three-servers', 'bad-weather'])
      for (const [file, bytes] of (await simulateWithCaptures(exampleLab(name))).captures)
        writeFileSync(join(folder, `${name}-${file}`), bytes)
  })
  after(() => rmSync(folder, { recursive: true }))

  const tshark = (file: string, ...args: string[]): string[] =>
    runTool('tshark', ['-r', join(folder, file), '-n', ...CHECKS, ...args])
      .split('\n')
      .filter((line) => line !== '')

  it('holds nothing that tshark finds malformed or wrongly summed, on any link end', function () {
    this.timeout(120_000)
    requireTool(this, 'tshark')
    for (const file of ['c1-eth0', 'r1-eth0', 'r1-eth1', 's1-eth0']) {
      expect(tshark(`three-servers-${file}.pcapng`, '-Y', WRONG), file).to.deep.equal([])
      expect(
        tshark(`three-servers-${file}.pcapng`, '-Y', 'tcp', '-c', '2000').length,
        file,
      ).to.be.greaterThan(100)
    }
  })

  it('shows a client only the virtual host as its peer (R-SLR-06)', function () {
    requireTool(this, 'tshark')
    const addresses = tshark('three-servers-c1-eth0.pcapng', '-Y', 'ip', '-T', 'fields', '-e', 'ip.addr')
    expect(new Set(addresses.flatMap((line) => line.split(',')))).to.deep.equal(
      new Set(['10.0.1.2', '198.18.0.80']),
    )
  }).timeout(60_000)

  it('shows servers tunneled requests and untunneled answers (R-SLR-05, R-SLR-10)', function () {
    requireTool(this, 'tshark')
    const fields = ['-T', 'fields', '-e', 'ip.proto', '-e', 'ip.src', '-e', 'ip.dst']
    const rows = new Set(tshark('three-servers-s1-eth0.pcapng', '-Y', 'tcp', ...fields))
    expect(rows).to.deep.equal(
      new Set(['4,6\t10.0.2.1,10.0.1.2\t10.0.2.2,198.18.0.80', '6\t198.18.0.80\t10.0.1.2']),
    )
  }).timeout(60_000)

  it('names what the link lost as comments', function () {
    requireTool(this, 'tshark')
    const comments = tshark(
      'bad-weather-c1-eth0.pcapng',
      '-Y',
      'frame.comment',
      '-T',
      'fields',
      '-e',
      'frame.comment',
    )
    expect(new Set(comments)).to.include('lost on the link: lost').and.include('lost on the link: down')
  }).timeout(60_000)

  it('is read by tcpdump without a complaint', function () {
    requireTool(this, 'tcpdump')
    const text = runTool('tcpdump', [
      '-n',
      '-r',
      join(folder, 'three-servers-s1-eth0.pcapng'),
      '-v',
      '-c',
      '500',
    ])
    expect(text).to.not.match(/bad cksum|truncated|\[\|/)
    expect(text.match(/IPIP \(4\)/g)?.length ?? 0).to.be.greaterThan(50)
  }).timeout(60_000)
})
