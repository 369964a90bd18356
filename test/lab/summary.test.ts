import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  completeReport,
  formatBytes,
  formatCount,
  formatMilliseconds,
  formatTable,
  PLAIN,
  parseExpectation,
  summarize,
} from '../../lab/index.ts'
import { measured, packets, router } from './sample-report.ts'

describe('summarize', () => {
  it('shows clients, routers, drops, classes, plugins, conservation and expectations', () => {
    const expectations = [
      parseExpectation('conservation', true),
      parseExpectation('clients.c1[0].failed', '== 0'),
    ]
    const lines = summarize(completeReport(measured, expectations))
    expect(lines).to.deep.equal([
      'sample on sim, seed 1: 20 virtual seconds in 0.41 s',
      '',
      'clients',
      '  client  attempted  completed  failed  corrupted    in   out     p50   p99  servers',
      '  c1[0]          10          9       1          0  9 kB  90 B  4.2 ms  9 ms  s1 6, s2 3',
      '',
      'routers',
      '  router   in  originated  copies  out  delivered  dropped  flows  tunnels',
      '  r1      100           2       3   90          4        5      9        3',
      '',
      'drops',
      '  router  reason    packets',
      '  r1      policy          3',
      '  r1      no-route        2',
      '',
      'classes',
      '  router  port  class  packets  bytes  dropped  queued     p50   p99',
      '  r1      eth0  web         50  75 kB        1       0  0.5 ms  2 ms',
      '',
      'plugins',
      '  router  plugin  version  state    decisions  restarts',
      '  r1      slr     1.0.0    running          9         0',
      '',
      'conservation',
      '  ✓ every packet of every router is accounted for',
      '',
      'expectations',
      '  ✓ conservation true',
      '  ✗ clients.c1[0].failed == 0: expected == 0, got 1',
    ])
  })

  it('shows which router lost packets', () => {
    const lossy = { ...measured, routers: { r1: { ...router, packets: { ...packets, out: 89 } } } }
    expect(summarize(completeReport(lossy, []))).to.include('  ✗ r1 took 105 packets and accounts for 104')
  })

  it('shows nothing of what is not there', () => {
    const lines = summarize(completeReport({ ...measured, clients: {}, routers: {} }, []))
    expect(lines).to.have.length(1)
  })
})

describe('formatTable', () => {
  it('keeps columns straight under colour', () => {
    const bad = (text: string) => `<${text}>`
    expect(
      formatTable(
        ['name', 'n'],
        [
          ['a', { text: '10', paint: bad }],
          ['bbbbb', 7],
        ],
        PLAIN,
      ),
    ).to.deep.equal(['  name    n', '  a      <10>', '  bbbbb   7'])
  })
})

describe('formatting', () => {
  it('shows counts, sizes and times as people read them', () => {
    expect([0, 999, 1000, 1234567, 1.23456].map(formatCount)).to.deep.equal([
      '0',
      '999',
      '1,000',
      '1,234,567',
      '1.235',
    ])
    expect([0, 999, 1000, 12_345, 999_999, 5e9].map(formatBytes)).to.deep.equal([
      '0 B',
      '999 B',
      '1 kB',
      '12.3 kB',
      '1 MB',
      '5 GB',
    ])
    expect([null, 0.00123, 4.2, 1500].map(formatMilliseconds)).to.deep.equal([
      '-',
      '0.00123 ms',
      '4.2 ms',
      '1.5 s',
    ])
  })
})
