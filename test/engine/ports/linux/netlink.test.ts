import { expect } from 'chai'
import fc from 'fast-check'
import { after, before, describe, it } from 'mocha'
import {
  addClsact,
  addRoute,
  addRule,
  addressesOf,
  attachIngress,
  BpfAssembler,
  BpfProgram,
  detachIngress,
  findLink,
  inNamespace,
  LinuxError,
  listFilters,
  Netlink,
  R0,
  readAttributes,
  removeClsactIfEmpty,
  removeRoute,
  removeRule,
} from '../../../../engine/ports/linux/index.ts'
import { requireRoot, TestNamespace } from '../../../support/linux.ts'
import { requireLab } from '../../../support/oracle.ts'

/** The code of the error that something throws. */
function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof LinuxError) return error.code
    throw error
  }
  return ''
}

describe('readAttributes', () => {
  it('never reads beyond its bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        for (const value of readAttributes(bytes).values())
          expect(value.byteOffset + value.length).to.be.at.most(bytes.byteOffset + bytes.length)
      }),
      { numRuns: 300 },
    )
  })
})

describe('Netlink', () => {
  let space: TestNamespace
  let netlink: Netlink
  let device: number

  before(function () {
    requireRoot(this)
    space = new TestNamespace()
    netlink = inNamespace(space.path, () => new Netlink())
    space.run('ip link add name eth0 type veth peer name eth1')
    space.run('ip link set eth0 up')
    space.run('ip addr add 10.0.2.2/24 dev eth0')
    space.run('ip addr add 10.0.2.3/24 dev eth0')
    device = findLink(netlink, 'eth0').index
  })

  after(() => {
    netlink?.close()
    space?.remove()
  })

  it('finds devices and their addresses, and says when there is none', () => {
    expect(findLink(netlink, 'eth0')).to.deep.include({ mtu: 1500, isUp: true, isEthernet: true })
    expect(findLink(netlink, 'lo')).to.deep.include({ isEthernet: false })
    expect(addressesOf(netlink, device)).to.have.members([0x0a000202, 0x0a000203])
    expect(codeOf(() => findLink(netlink, 'eth9'))).to.equal('not-found')
  })

  it('adds and removes routes once', () => {
    const lo = findLink(netlink, 'lo').index
    const route = { kind: 'local', prefix: { address: 0xc6120000, length: 15 }, device: lo } as const
    addRoute(netlink, route, 'adding')
    expect(codeOf(() => addRoute(netlink, route, 'adding'))).to.equal('busy')
    expect(space.run('ip route get 198.19.1.1')).to.include('local 198.19.1.1 dev lo')
    expect(removeRoute(netlink, route, 'removing')).to.equal(true)
    expect(removeRoute(netlink, route, 'removing')).to.equal(false)
  })

  it('adds and removes rules once', () => {
    const to = { address: 0xc6120000, length: 15 }
    const rule = { priority: 7, table: 70_000, from: { address: 0x0a000202, length: 32 }, to, protocol: 1 }
    addRule(netlink, rule, 'adding')
    expect(codeOf(() => addRule(netlink, rule, 'adding'))).to.equal('busy')
    expect(space.run('ip rule')).to.include('7:	from 10.0.2.2 to 198.18.0.0/15 ipproto icmp lookup 70000')
    expect(removeRule(netlink, { ...rule, protocol: 6 }, 'removing')).to.equal(false)
    expect(removeRule(netlink, rule, 'removing')).to.equal(true)
    expect(removeRule(netlink, rule, 'removing')).to.equal(false)
  })

  it("tells the kernel's own words", () => {
    const rule = { priority: 7, table: 1, from: { address: 0, length: 33 } }
    expect(() => addRule(netlink, rule, 'adding a rule')).to.throw(LinuxError, /^adding a rule: E[A-Z]+, \w+/)
  })

  it('reads lists that are longer than one message', () => {
    for (let index = 0; index < 60; index++) space.run(`ip addr add 10.7.${index}.1/32 dev eth0`)
    expect(addressesOf(netlink, device)).to.have.length(62)
  })

  describe('when programs decide about what comes in', () => {
    const place = () => ({ device, priority: 77, handle: 5 })
    let program: BpfProgram

    before(function () {
      try {
        program = new BpfProgram('test_pass', new BpfAssembler().move(R0, -1).exit().assemble())
      } catch (error) {
        if (error instanceof LinuxError && error.code !== 'invalid') requireLab(this, error.message)
        throw error
      }
    })

    after(() => program?.close())

    it('attaches, lists and detaches a program, and leaves no discipline', () => {
      expect(removeClsactIfEmpty(netlink, device)).to.equal(false)
      expect(addClsact(netlink, device)).to.equal(true)
      expect(addClsact(netlink, device)).to.equal(false)
      expect(listFilters(netlink, device)).to.deep.equal([])
      attachIngress(netlink, place(), program)
      expect(codeOf(() => attachIngress(netlink, place(), program))).to.equal('busy')
      expect(listFilters(netlink, device)).to.deep.equal(['test_pass'])
      expect(removeClsactIfEmpty(netlink, device)).to.equal(false)
      expect(detachIngress(netlink, { ...place(), handle: 6 })).to.equal(false)
      expect(detachIngress(netlink, place())).to.equal(true)
      expect(detachIngress(netlink, place())).to.equal(false)
      expect(removeClsactIfEmpty(netlink, device)).to.equal(true)
      expect(detachIngress(netlink, place())).to.equal(false)
      expect(space.run('tc qdisc show dev eth0')).to.not.include('clsact')
    })
  })
})
