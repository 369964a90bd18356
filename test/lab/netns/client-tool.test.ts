import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { Client } from '../../../lab/index.ts'
import { toolOf } from '../../../lab/netns/client-tool.ts'

const CLIENT: Client = {
  protocol: 'http',
  address: '10.0.1.3',
  port: 80,
  fromAddress: undefined,
  startNs: 0,
  ratePerSecond: 20,
  count: 10,
  concurrency: 1,
  bytes: 0,
  timeoutNs: 1e9,
  keepAlive: false,
}

describe('toolOf', () => {
  it('takes curl for what a process each keeps up with', () => {
    expect(toolOf(CLIENT, true)).to.equal('curl')
    expect(toolOf({ ...CLIENT, ratePerSecond: undefined, concurrency: 2 }, true)).to.equal('curl')
  })

  it("takes the lab's own client for more, for connections that are kept, and where there is no curl", () => {
    expect(toolOf({ ...CLIENT, ratePerSecond: 51 }, true)).to.equal('built-in')
    expect(toolOf({ ...CLIENT, ratePerSecond: undefined, count: undefined }, true)).to.equal('built-in')
    expect(toolOf({ ...CLIENT, keepAlive: true }, true)).to.equal('built-in')
    expect(toolOf(CLIENT, false)).to.equal('built-in')
  })

  it("takes ping for echo requests, and the lab's own client for tcp and udp", () => {
    expect(toolOf({ ...CLIENT, protocol: 'ping' }, false)).to.equal('ping')
    expect(toolOf({ ...CLIENT, protocol: 'tcp' }, true)).to.equal('built-in')
    expect(toolOf({ ...CLIENT, protocol: 'udp' }, true)).to.equal('built-in')
  })
})
