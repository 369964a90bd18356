import { expect } from 'chai'
import { describe, it } from 'mocha'
import { explainFlow } from '../../engine/index.ts'
import { explanationLines, parseFlow, withPlugin } from '../../router/explain.ts'
import { TestRouter } from '../support/test-router.ts'

describe('parseFlow', () => {
  const cases: Readonly<Record<string, object>> = {
    'tcp:10.0.1.2:4000,198.18.0.80:80': {
      protocol: 'tcp',
      from: '10.0.1.2',
      fromPort: 4000,
      to: '198.18.0.80',
      toPort: 80,
    },
    'tcp 10.0.1.2:4000 > 198.18.0.80:80': {
      protocol: 'tcp',
      from: '10.0.1.2',
      fromPort: 4000,
      to: '198.18.0.80',
      toPort: 80,
    },
    ' udp 10.0.1.2:1->10.0.2.2:53 ': {
      protocol: 'udp',
      from: '10.0.1.2',
      fromPort: 1,
      to: '10.0.2.2',
      toPort: 53,
    },
    'icmp 10.0.1.2 > 10.0.2.2 id 7': { protocol: 'icmp', from: '10.0.1.2', to: '10.0.2.2', fromPort: 7 },
    'protocol-89 10.0.1.2 > 224.0.0.5': { protocol: 89, from: '10.0.1.2', to: '224.0.0.5' },
    '47:10.0.1.2,10.0.2.2': { protocol: 47, from: '10.0.1.2', to: '10.0.2.2' },
  }
  for (const [text, flow] of Object.entries(cases))
    it(`reads ${text}`, () => {
      expect(parseFlow(text)).to.deep.equal(flow)
    })

  for (const text of [
    '',
    'tcp',
    'tcp:10.0.1.2',
    '10.0.1.2:1,10.0.2.2:2',
    'tcp:a,b',
    `tcp:${'1.'.repeat(1000)}`,
  ])
    it(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
      expect(() => parseFlow(text)).to.throw('expected a flow such as tcp:10.0.1.2:4000,198.18.0.80:80')
    })
})

describe('explanationLines', () => {
  it('tells whose decision it is, and every step', () => {
    const router = new TestRouter()
    router.commit(
      [
        {
          do: 'install-filter',
          name: 'copies',
          filter: {},
          action: { kind: 'replicate', to: [{ kind: 'forward' }, { kind: 'drop', reason: 'policy' }] },
        },
      ],
      'spread',
    )
    const { stages, owners, names } = router.engine
    const explanation = explainFlow(
      { stages, owners, names },
      parseFlow('udp:10.0.1.2:1,10.0.2.2:2'),
      router.now,
    )
    const plugin = { id: 'spread', name: 'spread', version: '1.2.0', state: 'running' }
    expect(explanationLines(withPlugin(explanation, [plugin as never]))).to.deep.equal([
      'udp 10.0.1.2:1 > 10.0.2.2:2',
      'decided by filter of spread (spread 1.2.0, running)',
      '  flow-table   no flow is pinned',
      '  filters      filter spread/copies of priority 0: replicate [forward, drop policy]',
      '  copies       one copy for each of 2 actions',
      '    copy 1',
      '      route        route 10.0.2.0/24 (connected) of router',
      '      send         sent by b to 10.0.2.2 (ARP would ask for it) in class default',
      '    copy 2',
      '      drop         dropped: policy',
    ])
  })
})
