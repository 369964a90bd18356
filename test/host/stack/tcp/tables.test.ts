import { expect } from 'chai'
import { describe, it } from 'mocha'
import { Random } from '../../../../engine/random.ts'
import { EndsTable, type TableEntry } from '../../../../host/stack/tcp/ends-table.ts'
import { FIRST_EPHEMERAL_PORT, TcpSecrets } from '../../../../host/stack/tcp/secrets.ts'

interface Entry extends TableEntry<Entry> {
  nextInBucket: Entry | null
}

describe('EndsTable', () => {
  it('keeps many entries apart, colliding ones among them, and forgets them one by one', () => {
    const table = new EndsTable<Entry>([1, 2, 3, 4])
    // Among so many, a few share all 32 bits of their hash.
    const entries = Array.from({ length: 200_000 }, (_, i): Entry => {
      const [localPort, remotePort] = [80 + (i % 3), i & 0xffff]
      return { local: 0x0a000001, localPort, remote: 0x0b000000 + (i >>> 4), remotePort, nextInBucket: null }
    })
    for (const entry of entries) table.add(entry)
    expect(table.size).to.equal(200_000)
    expect(entries.filter((entry) => entry.nextInBucket !== null).length).to.be.greaterThan(0)
    const find = ({ local, localPort, remote, remotePort }: Entry): Entry | null =>
      table.find(local, localPort, remote, remotePort)
    expect(entries.every((entry) => find(entry) === entry)).to.equal(true)
    for (let i = 0; i < entries.length; i += 2) table.remove(entries[i])
    expect(entries.every((entry, i) => find(entry) === (i % 2 === 0 ? null : entry))).to.equal(true)
    expect(table.remove(entries[0])).to.equal(false)
    expect([...table.entries()].length).to.equal(100_000)
    for (let i = 1; i < entries.length; i += 2) table.remove(entries[i])
    expect(table.size).to.equal(0)
  })
})

describe('TcpSecrets', () => {
  const secrets = (seed: number): TcpSecrets => {
    const random = Random.fromSeed(seed)
    return new TcpSecrets(() => random.uint32())
  }
  const ends = { local: 1, localPort: 2, remote: 3, remotePort: 4 }

  it('advances the sequence number of the same ends every 4 microseconds (RFC 6528)', () => {
    const one = secrets(1)
    const first = one.initialSequence(ends, 0)
    expect((one.initialSequence(ends, 4_000_000) - first) >>> 0).to.equal(1000)
    expect((one.initialSequence(ends, 0x1_0000_0000 * 4000) - first) >>> 0).to.equal(0)
  })

  it('gives other ends and other hosts unrelated numbers', () => {
    const one = secrets(1)
    const numbers = Array.from({ length: 1000 }, (_, i) => one.initialSequence({ ...ends, remotePort: i }, 0))
    numbers.push(secrets(2).initialSequence(ends, 0))
    expect(new Set(numbers).size).to.equal(numbers.length)
    const high = numbers.filter((number) => number >= 0x8000_0000).length
    expect(high).to.be.within(400, 600)
  })

  it('chooses every free ephemeral port once before repeating, and none that is taken', () => {
    const one = secrets(1)
    const taken = new Set<number>([20_000])
    for (let i = 0; i < 65_536 - FIRST_EPHEMERAL_PORT - 1; i++) {
      const port = one.choosePort(1, 3, 80, (each) => taken.has(each))
      expect(taken.has(port)).to.equal(false)
      expect(port).to.be.within(FIRST_EPHEMERAL_PORT, 65_535)
      taken.add(port)
    }
    expect(one.choosePort(1, 3, 80, (each) => taken.has(each))).to.equal(-1)
  })

  it('has one timestamp clock towards a host, whatever the ports', () => {
    const one = secrets(1)
    expect(one.timestampOffset(1, 3)).to.equal(one.timestampOffset(1, 3))
    expect(one.timestampOffset(1, 3)).to.not.equal(one.timestampOffset(1, 4))
  })
})
