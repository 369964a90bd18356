import { expect } from 'chai'
import { describe, it } from 'mocha'
import { SpreadMeter, spreadLine } from '../../../cli/dev/spread.ts'
import { type Measurements, PLAIN } from '../../../lab/index.ts'

function measured(seconds: number, servers: Record<string, number>, decisions: number): Measurements {
  const completed = Object.values(servers).reduce((sum, each) => sum + each, 0)
  const client = {
    ...{ attempted: completed, completed, failed: 1, bytesIn: 0, bytesOut: 0, corrupted: 0 },
    ...{ latencyMs: { p50: 12.34, p99: 20 }, servers },
  }
  const plugin = { id: 'p', name: 'p', version: '1.0.0', state: 'running', decisions, restarts: 0 }
  const packets = { in: 9, originated: 0, copies: 0, out: 9, delivered: 0, merged: 0, parked: 0, queued: 0 }
  const dropped = { 'no-server': 2 }
  const router = { packets: { ...packets, inProgram: 0, dropped }, flows: 0, tunnels: 0, classes: {} }
  const clients = { c1: [client] }
  const routers = { r1: { ...router, plugins: [plugin] } }
  return { lab: 'l', backend: 'sim', seed: 1, virtualSeconds: seconds, clients, routers, wall: {} }
}

describe('SpreadMeter', () => {
  it('tells what happened since the look before', () => {
    const meter = new SpreadMeter()
    expect(meter.take(measured(1, { s1: 5 }, 7))).to.deep.equal({
      ...{ seconds: 1, decisions: 7, completed: 5, failed: 1, dropped: 2, servers: { s1: 5 }, p50Ms: 12.34 },
    })
    const second = meter.take(measured(2, { s2: 4, s1: 8 }, 10))
    expect(second).to.deep.include({ decisions: 3, completed: 7, failed: 0, dropped: 0 })
    expect(second.servers).to.deep.equal({ s1: 3, s2: 4 })
    expect(spreadLine(second, PLAIN)).to.equal(
      '   2 s  3 decisions  7 answers (s1 3, s2 4)  0 failed  0 dropped  median 12.3 ms',
    )
  })
})
