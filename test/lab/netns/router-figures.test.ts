import { expect } from 'chai'
import { describe, it } from 'mocha'
import { isConserved } from '../../../lab/index.ts'
import { addPackets, closedPackets, NO_PACKETS, routerReport } from '../../../lab/netns/router-figures.ts'

const COUNTERS = [
  { name: 'in', value: 10 },
  { name: 'originated', value: 2 },
  { name: 'out', value: 6 },
  { name: 'parked', value: 1 },
  { name: 'queued', value: 2 },
  { name: 'dropped.no-route', value: 3 },
  { name: 'dropped.malformed', value: 0 },
]
const QUEUES = [
  {
    port: 'eth0',
    class: 'web',
    packets: 1,
    packetsOut: 6,
    bytesOut: 600,
    'dropped.queue-codel': 2,
    'dropped.purged': 1,
    delaysLog2Ns: '5 0 1',
  },
]

describe('figures of a router', () => {
  const report = routerReport(
    { counters: COUNTERS, limits: [{ name: 'flows.size', value: 4 }], queues: QUEUES },
    [
      {
        id: 'slr',
        name: 'slr',
        version: '1.0.0',
        state: 'running',
        decisions: 5,
        restarts: 1,
        by: 'somebody',
      },
    ],
  )

  describe('when they come from its tables', () => {
    it('have the form of the report', () => {
      expect(report.packets).to.deep.include({ in: 10, copies: 0, dropped: { 'no-route': 3 } })
      expect(report.flows).to.equal(4)
      expect(report.classes['eth0']!['web']).to.deep.equal({
        packets: 6,
        bytes: 600,
        dropped: 3,
        queued: 1,
        delayMs: { p50: 0.065536, p99: 0.262144 },
      })
      expect(report.plugins).to.deep.equal([
        { id: 'slr', name: 'slr', version: '1.0.0', state: 'running', decisions: 5, restarts: 1 },
      ])
    })
  })

  describe('when a life of the router has ended', () => {
    it('count what it held as gone with it, and add up over all lives', () => {
      expect(isConserved(report.packets)).to.equal(true)
      const closed = closedPackets(report.packets)
      expect(closed).to.deep.include({ parked: 0, queued: 0 })
      expect(closed.dropped).to.deep.equal({ 'no-route': 3, 'engine-closed': 3 })
      const sum = addPackets([closed, closed, NO_PACKETS, report.packets])
      expect(sum).to.deep.include({ in: 30, queued: 2, dropped: { 'no-route': 9, 'engine-closed': 6 } })
      expect(isConserved(sum)).to.equal(true)
    })
  })
})
