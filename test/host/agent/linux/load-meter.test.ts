import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { afterEach, describe, it } from 'mocha'
import { countIn } from '../../../../host/agent/linux/connections.ts'
import { parseHostConfig } from '../../../../host/agent/linux/index.ts'
import { LoadMeter, parseLoad } from '../../../../host/agent/linux/load-meter.ts'
import { ip } from '../../../support/packets.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const VIRTUAL = [{ address: ip('198.18.0.0'), length: 15 }]

/** Lists as Linux prints them. */
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 8018 1 0 100 0 0 10 0
   1: 500012C6:0050 0201000A:C3A2 01 00000000:00000000 00:00000000 00000000     0        0 8019 1 0 20 4 30 10 -1
   2: 510013C6:0050 0201000A:C3A4 01 00000000:00000000 00:00000000 00000000     0        0 8020 1 0 20 4 30 10 -1
   3: 500012C6:0050 0201000A:C3A6 06 00000000:00000000 00:00000000 00000000     0        0 0 3 0
   4: 0202000A:0016 0201000A:C3A8 01 00000000:00000000 00:00000000 00000000     0        0 8021 1 0 20 4 30 10 -1
`
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 0000000000000000FFFF0000500012C6:0050 0000000000000000FFFF00000201000A:C3A2 01 00000000:00000000
   2: 000080FE00000000FFFF0000500012C6:0050 0000000000000000FFFF00000201000A:C3A2 01 00000000:00000000
`

describe('countIn', () => {
  it('counts established connections of virtual addresses only', () => {
    expect(countIn(TCP, VIRTUAL)).to.equal(2)
    expect(countIn(TCP, [{ address: ip('198.19.0.0'), length: 16 }])).to.equal(1)
    expect(countIn(TCP6, VIRTUAL)).to.equal(1)
  })

  it('never fails, whatever it reads', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(countIn(text, VIRTUAL)).to.equal(0)
      }),
      { numRuns: 100 },
    )
  })
})

describe('parseLoad', () => {
  it('takes a number, or JSON with loads of single prefixes', () => {
    expect(parseLoad('0.3\n')).to.deep.equal({ load: 0.3 })
    const loads = { '198.18.0.0/16': 0.9 }
    expect(parseLoad(JSON.stringify({ load: 1, loads }))).to.deep.equal({ load: 1, loads })
  })

  for (const text of [
    '',
    'high',
    '-1',
    'null',
    '[]',
    '{}',
    '{"load":"1"}',
    '{"load":1,"loads":{"a":-1}}',
    '1e999x',
  ])
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseLoad(text)).to.throw('expected a number such as 0.3')
    })
})

describe('LoadMeter', () => {
  const meters: LoadMeter[] = []
  const warnings: string[] = []

  afterEach(() => {
    for (const each of meters.splice(0)) each.close()
    warnings.length = 0
  })

  function meter(load: unknown): LoadMeter {
    const file = { name: 's1', address: '10.0.2.2', devices: ['eth0'], virtualHosts: ['198.18.0.0/15'], load }
    const config = parseHostConfig(JSON.stringify(file), 's1.yaml', '/')
    const made = new LoadMeter(config, (message) => warnings.push(message))
    meters.push(made)
    return made
  }

  /** Looks again and again until a load is reported. */
  async function becomes(each: LoadMeter, load: number): Promise<void> {
    for (let looks = 0; looks < 500 && each.report().load !== load; looks++)
      await new Promise((resolve) => setTimeout(resolve, 10))
    expect(each.report().load).to.equal(load)
  }

  it("takes the machine's load average for each processor", () => {
    expect(meter('load-average').report().load).to.be.at.least(0)
  })

  it('reads a file, and counts as fully loaded while there is none', () => {
    const file = join(temporaryFolder('pronto-load-'), 'load')
    const each = meter({ file })
    expect(each.report().load).to.equal(1)
    writeFileSync(file, '0.25')
    expect(each.report().load).to.equal(0.25)
    expect(warnings).to.have.length(2)
    expect(warnings[0]).to.include(file)
  })

  it('runs a command', async () => {
    await becomes(meter({ command: ['echo', '0.75'] }), 0.75)
  })

  it('counts as fully loaded when the command fails, is missing or hangs', async () => {
    for (const command of [['false'], ['/nowhere/probe'], ['sleep', '60']])
      await becomes(meter({ command, interval: '200ms' }), 1)
    expect(warnings.join('\n')).to.include('took too long')
  })

  it('asks by HTTP, and counts as fully loaded when the service fails', async () => {
    let answer = { status: 200, text: '{"load": 0.5, "loads": {"198.18.0.0/15": 0.6}}' }
    const server = createServer((_, response) => response.writeHead(answer.status).end(answer.text))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const { port } = server.address() as AddressInfo
      const each = meter({ url: `http://127.0.0.1:${port}/load`, interval: '100ms' })
      await becomes(each, 0.5)
      expect(each.report().loads).to.deep.equal({ '198.18.0.0/15': 0.6 })
      answer = { status: 503, text: '0.1' }
      await becomes(each, 1)
      answer = { status: 200, text: 'x'.repeat(100_000) }
      await becomes(each, 1)
      answer = { status: 200, text: '0.1' }
      await becomes(each, 0.1)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
