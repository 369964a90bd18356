import { expect } from 'chai'
import { afterEach, beforeEach, describe, it } from 'mocha'
import {
  addClsact,
  attachIngress,
  BpfAssembler,
  BpfProgram,
  describeDevice,
  findLink,
  inNamespace,
  LifeMark,
  LinuxError,
  listFilters,
  Netlink,
  R0,
} from '../../../engine/ports/linux/index.ts'
import { DeviceClaim } from '../../../router/engine-thread/device-claim.ts'
import { requireRoot, TestNamespace } from '../../support/linux.ts'

/** What a router that was killed has left: the filter, and nobody who lives. */
const DEAD = 'pronto_claim_00c0ffee'

describe('DeviceClaim', () => {
  let space: TestNamespace
  let netlink: Netlink

  beforeEach(function () {
    requireRoot(this)
    space = new TestNamespace()
    addDevice()
    netlink = inNamespace(space.path, () => new Netlink())
  })

  afterEach(() => {
    netlink?.close()
    space?.remove()
  })

  const addDevice = (): void => void space.run('ip link add name d0 type veth peer name d1')
  const claim = (): DeviceClaim => inNamespace(space.path, () => new DeviceClaim('d0'))
  const filters = (): string[] => listFilters(netlink, findLink(netlink, 'd0').index)

  const attach = (name: string, handle: number): void => {
    const { index } = findLink(netlink, 'd0')
    const program = new BpfProgram('other', new BpfAssembler().move(R0, 0).exit().assemble())
    addClsact(netlink, index)
    attachIngress(netlink, { device: index, priority: 40_000, handle, protocol: 'all' }, program, name)
    program.close()
  }

  describe('when nobody has the device', () => {
    it('takes it, brings it up, and gives it back', () => {
      const taken = claim()
      expect(filters()).to.have.length(1)
      expect(inNamespace(space.path, () => describeDevice('d0')).up).to.equal(true)
      taken.close()
      taken.close()
      expect(filters()).to.deep.equal([])
    })
  })

  describe('when another router has it', () => {
    it('refuses, and leaves it to the other one', () => {
      const first = claim()
      expect(claim)
        .to.throw(LinuxError, 'another router of this machine has it')
        .with.property('code', 'busy')
      expect(filters()).to.have.length(1)
      first.close()
      claim().close()
    })
  })

  describe('when the device is not Ethernet', () => {
    it('refuses, and leaves it alone', () => {
      expect(() => inNamespace(space.path, () => new DeviceClaim('lo')))
        .to.throw(LinuxError, 'not an Ethernet device')
        .with.property('code', 'unsupported')
      expect(space.run('tc qdisc show dev lo')).to.not.contain('clsact')
    })
  })

  describe('when others have filters there', () => {
    it('replaces what a dead router has left, and nothing else', () => {
      attach(DEAD, 0xc0ffee)
      attach('counting', 7)
      const taken = claim()
      expect(filters()).to.have.length(2)
      expect(filters()).to.include('counting').and.not.to.include(DEAD)
      taken.close()
      expect(filters()).to.deep.equal(['counting'])
    })
  })

  describe('when the device goes and another one comes under its name', () => {
    it('takes that one, and gives it back', () => {
      const taken = claim()
      space.run('ip link del d0')
      addDevice()
      inNamespace(space.path, () => taken.renew())
      expect(filters()).to.have.length(1)
      expect(inNamespace(space.path, () => describeDevice('d0')).up).to.equal(true)
      taken.close()
      expect(filters()).to.deep.equal([])
    })
  })

  describe('when the device gets another name and another one gets its own', () => {
    it('takes that one, and gives the first one back', () => {
      const taken = claim()
      space.run('ip link set d0 down')
      space.run('ip link set d0 name d9')
      space.run('ip link add name d0 type veth peer name d2')
      inNamespace(space.path, () => taken.renew())
      expect(listFilters(netlink, findLink(netlink, 'd9').index)).to.deep.equal([])
      expect(filters()).to.have.length(1)
      inNamespace(space.path, () => taken.close())
      expect(filters()).to.deep.equal([])
    })
  })

  describe('LifeMark', () => {
    it('is seen in its namespace as long as it is there', () => {
      const seen = () => inNamespace(space.path, () => LifeMark.isSeen('pronto mark'))
      const mark = inNamespace(space.path, () => new LifeMark('pronto mark'))
      expect(seen()).to.equal(true)
      expect(LifeMark.isSeen('pronto mark')).to.equal(false)
      mark.close()
      mark.close()
      expect(seen()).to.equal(false)
    })
  })
})
