import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { requireTool, runTool } from '../../../support/oracle.ts'
import { writePcap } from '../../../support/pcap-writer.ts'
import { transfer } from '../../../support/transfer.ts'
import { ADDRESS_B, type LinkOptions, pair } from '../../../support/virtual-link.ts'

const MS = 1_000_000

/** The frames that reached the other side of a transfer, as tshark reads them. */
function inspect(options: LinkOptions, bytes: number): { fields: string[][]; retransmissions: number } {
  const folder = mkdtempSync(join(tmpdir(), 'stack-'))
  try {
    const file = join(folder, 'tcp.pcap')
    const { world, lan, a, b } = pair(9, options)
    const result = transfer(a, b, ADDRESS_B, bytes)
    world.run()
    expect(result.receivedCrc).to.equal(result.sentCrc)
    writePcap(file, lan.passages)
    const names = [
      'tcp.checksum.status',
      'ip.checksum.status',
      'tcp.analysis.flags',
      '_ws.expert.message',
      '_ws.malformed',
    ]
    const checks = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE']
    const fields = names.flatMap((name) => ['-e', name])
    const output = runTool('tshark', ['-r', file, ...checks, '-T', 'fields', '-E', 'separator=|', ...fields])
    const rows = output
      .trimEnd()
      .split('\n')
      .map((line) => line.split('|'))
    expect(rows).to.have.length(lan.passages.length)
    return { fields: rows, retransmissions: a.tcp.counters.retransmissions + b.tcp.counters.retransmissions }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('TCP in the eyes of tshark', () => {
  it('is well formed, with right checksums and no analysis flag on a clean link', function () {
    requireTool(this, 'tshark')
    const { fields } = inspect({ delayNs: MS }, 200_000)
    expect(fields.filter(([tcp, ip]) => tcp === '0' || ip === '0')).to.deep.equal([])
    expect(fields.filter(([tcp]) => tcp === '1').length).to.be.greaterThan(200)
    expect(fields.filter((row) => row[4] !== '')).to.deep.equal([])
    expect(fields.filter((row) => row[2] !== '')).to.deep.equal([])
  })

  it('is well formed on a lossy link, and tshark sees as many retransmissions as were logged', function () {
    requireTool(this, 'tshark')
    const { fields, retransmissions } = inspect({ delayNs: 2 * MS, loss: 0.05 }, 300_000)
    expect(fields.filter((row) => row[4] !== '' || row[0] === '0')).to.deep.equal([])
    const seen = fields.filter((row) => /retransmission/i.test(row[3]) || /out-of-order/i.test(row[3]))
    expect(retransmissions).to.be.greaterThan(5)
    expect(seen.length).to.equal(retransmissions)
  })
})
