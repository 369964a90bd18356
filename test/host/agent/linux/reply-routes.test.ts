import { expect } from 'chai'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { inNamespace, Netlink } from '../../../../engine/ports/linux/index.ts'
import { Machine } from '../../../../host/agent/linux/machine.ts'
import { segmentInTunnel, syncReplyRoutes } from '../../../../host/agent/linux/reply-routes.ts'
import { requireRoot, TestNamespace } from '../../../support/linux.ts'

describe('segmentInTunnel', () => {
  it('leaves room for two IP headers and one of TCP', () => {
    expect(segmentInTunnel(1500)).to.equal(1440)
    expect(segmentInTunnel(1520)).to.equal(1460)
    expect(segmentInTunnel(68)).to.equal(536)
  })
})

describe('syncReplyRoutes', () => {
  let space: TestNamespace
  let machine: Machine

  before(function () {
    requireRoot(this)
    space = new TestNamespace()
    machine = new Machine(inNamespace(space.path, () => new Netlink()))
  })

  after(() => {
    machine?.netlink.close()
    space?.remove()
  })

  beforeEach(() => {
    space.run('ip link add name eth0 type veth peer name eth1')
    space.run('ip link set eth0 up')
    space.run('ip link set eth1 up')
    space.run('ip addr add 10.0.2.2/24 dev eth0')
  })

  // With the device go its routes.
  afterEach(() => void space.run('ip link del eth0'))

  /** The routes for answers without what is the same in all. */
  function replies(): string[] {
    const lines = space.run('ip route show table 47540').trim().split('\n')
    return lines.map((line) => line.replace(' proto 84', '').trim()).filter((line) => line !== '')
  }

  it('has the routes of the main table with a smaller segment', () => {
    space.run('ip route add default via 10.0.2.1')
    space.run('ip route add 192.0.2.0/24 via 10.0.2.9 metric 7 mtu 1400 advmss 1000')
    space.run('ip route add 198.51.100.0/24 nexthop via 10.0.2.3 weight 2 nexthop via 10.0.2.4')
    space.run('ip route add blackhole 203.0.113.0/24')
    expect(syncReplyRoutes(machine, 1440)).to.equal(0)
    const routes = replies()
    expect(routes).to.include('default via 10.0.2.1 dev eth0 advmss 1440')
    expect(routes).to.include('10.0.2.0/24 dev eth0 scope link src 10.0.2.2 advmss 1440')
    expect(routes.join('\n')).to.match(/192.0.2.0\/24 via 10.0.2.9 dev eth0 metric 7 mtu 1400 advmss 1000/)
    expect(routes.join('\n')).to.match(
      /198.51.100.0\/24 advmss 1440\s+nexthop via 10.0.2.3 dev eth0 weight 2/,
    )
    expect(routes.join('\n')).to.not.include('203.0.113')
  })

  it('follows what comes, changes and goes', () => {
    space.run('ip route add default via 10.0.2.1')
    syncReplyRoutes(machine, 1440)
    space.run('ip route replace default via 10.0.2.7')
    space.run('ip route add 192.0.2.0/24 via 10.0.2.9')
    syncReplyRoutes(machine, 1440)
    expect(replies()).to.have.members([
      'default via 10.0.2.7 dev eth0 advmss 1440',
      '192.0.2.0/24 via 10.0.2.9 dev eth0 advmss 1440',
      '10.0.2.0/24 dev eth0 scope link src 10.0.2.2 advmss 1440',
    ])
    space.run('ip route del 192.0.2.0/24')
    syncReplyRoutes(machine, 1440)
    expect(replies()).to.have.length(2)
  })

  it('has them again when a device was down between two looks', () => {
    space.run('ip route add default via 10.0.2.1')
    syncReplyRoutes(machine, 1440)
    space.run('ip link set eth0 down')
    space.run('ip link set eth0 up')
    space.run('ip route add default via 10.0.2.1')
    syncReplyRoutes(machine, 1440)
    expect(replies()).to.have.length(2)
  })

  it('changes nothing when nothing has changed', () => {
    space.run('ip route add default via 10.0.2.1')
    syncReplyRoutes(machine, 1440)
    const before = replies()
    expect(syncReplyRoutes(machine, 1440)).to.equal(0)
    expect(replies()).to.deep.equal(before)
  })
})
