import { expect } from 'chai'
import { describe, it } from 'mocha'
import { watch } from '../../../support/raw-pair.ts'
import { ADDRESS_B, pair } from '../../../support/virtual-link.ts'

const SECOND = 1_000_000_000

describe('TcpConnection', () => {
  it('knows how long its peer is silent while something is outstanding (R-SLR-24)', () => {
    const { world, lan, a, b } = pair(1)
    b.tcp.listen(80, 0, () => {})
    const { connection } = watch(a.tcp.connect({ to: ADDRESS_B, port: 80 }))
    expect(a.tcp.established()).to.deep.equal([])
    world.run(10 * SECOND)
    expect(a.tcp.established()).to.deep.equal([connection])
    expect(b.tcp.established().map(({ remotePort }) => remotePort)).to.deep.equal([connection.localPort])
    expect(connection.silenceNs).to.equal(0)
    lan.options = { filter: () => false }
    connection.send(Uint8Array.of(1))
    world.run(13 * SECOND)
    expect(connection.silenceNs).to.equal(3 * SECOND)
    lan.options = {}
    world.run(60 * SECOND)
    expect(connection.silenceNs).to.equal(0)
  })
})
