import { expect } from 'chai'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { inNamespace } from '../../../engine/ports/linux/index.ts'
import { parseIpv4Address } from '../../../engine/wire/index.ts'
import { PuntNetwork } from '../../../router/engine-thread/punt-network.ts'
import { requireRoot, TestNamespace } from '../../support/linux.ts'

describe('PuntNetwork', () => {
  let space: TestNamespace
  let network: PuntNetwork
  let said: string[]

  beforeEach(function () {
    requireRoot(this)
    space = new TestNamespace()
    space.run('ip tuntap add dev p0 mode tun')
    space.run('ip link set p0 up')
    said = []
    network = inNamespace(space.path, () => new PuntNetwork('p0', (problem) => said.push(problem)))
  })

  afterEach(() => {
    network?.close()
    space?.remove()
  })

  const sync = (...texts: string[]): void =>
    network.sync(
      texts.map((text) => {
        const [address, length] = text.split('/') as [string, string]
        return { address: parseIpv4Address(address)!, length: Number(length) }
      }),
    )

  /** Routes of the main table: destination, device, source, metric. */
  const routes = (): string[] => {
    const rows = JSON.parse(space.run('ip -json route')) as Record<string, unknown>[]
    return rows.map(({ dst, dev, prefsrc, metric }) => [dst, dev, prefsrc, metric].join(' ').trim())
  }

  const addresses = (): string[] => {
    const [row] = JSON.parse(space.run('ip -json -4 addr show dev p0')) as {
      addr_info: { local: string }[]
    }[]
    return (row?.addr_info ?? []).map((each) => each.local)
  }

  it('follows addresses that come, go and change their length', () => {
    sync('10.0.1.1/24', '10.0.2.1/24')
    expect(addresses()).to.have.members(['10.0.1.1', '10.0.2.1'])
    expect(routes()).to.have.members([
      'default p0 10.0.1.1 4096',
      '10.0.1.0/24 p0 10.0.1.1',
      '10.0.2.0/24 p0 10.0.2.1',
    ])
    sync('10.0.1.9/24', '10.0.2.1/16')
    expect(addresses()).to.have.members(['10.0.1.9', '10.0.2.1'])
    expect(routes()).to.have.members([
      'default p0 10.0.1.9 4096',
      '10.0.1.0/24 p0 10.0.1.9',
      '10.0.0.0/16 p0 10.0.2.1',
    ])
    sync()
    expect(addresses()).to.deep.equal([])
    expect(routes()).to.deep.equal([])
    expect(said).to.deep.equal([])
  })

  it('leaves the routes of the machine alone, and says so', () => {
    space.run('ip link add name m0 type veth peer name m1')
    space.run('ip addr add 10.0.1.77/24 dev m0')
    space.run('ip link set m0 up')
    sync('10.0.1.1/24')
    expect(routes()).to.include('10.0.1.0/24 m0 10.0.1.77').and.not.include('10.0.1.0/24 p0 10.0.1.1')
    expect(said).to.have.length(1)
    expect(said[0]).to.contain('10.0.1.0/24')
    sync()
    expect(routes()).to.deep.equal(['10.0.1.0/24 m0 10.0.1.77'])
  })
})
