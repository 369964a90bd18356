import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { beforeEach, describe, it } from 'mocha'
import type { Change } from '../../../../host/agent/linux/change.ts'
import { HostError } from '../../../../host/agent/linux/index.ts'
import { Ledger } from '../../../../host/agent/linux/ledger.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const UP: Change = { kind: 'link-up', device: 'lo' }
const EXIT: Change = { kind: 'exit', device: 'eth0' }

describe('Ledger', () => {
  let folder: string
  let file: string
  const open = (machine = 'here'): Ledger => new Ledger(folder, machine)

  beforeEach(() => {
    folder = temporaryFolder('pronto-ledger-')
    file = join(folder, 'ledger.json')
  })

  it('knows after a kill what was written down before', () => {
    const ledger = open()
    expect(ledger.open()).to.equal(true)
    ledger.add(UP)
    ledger.add(EXIT)
    const next = open()
    expect(next.open()).to.equal(true)
    expect(next.changes).to.deep.equal([UP, EXIT])
    next.remove(next.changes[0]!)
    const third = open()
    third.open()
    expect(third.changes).to.deep.equal([EXIT])
  })

  it('leaves no file when nothing is left', () => {
    const ledger = open()
    ledger.add(UP)
    expect(existsSync(file)).to.equal(true)
    ledger.remove(UP)
    expect(existsSync(file)).to.equal(false)
  })

  it('forgets what is of another boot or namespace', () => {
    open('elsewhere').add(UP)
    const ledger = open()
    expect(ledger.open()).to.equal(false)
    expect(ledger.changes).to.deep.equal([])
    expect(existsSync(file)).to.equal(false)
  })

  it('refuses a damaged file and leaves it alone', () => {
    for (const text of ['', '{', 'null', '[]', '{"version":2,"changes":[]}', '{"version":1,"changes":{}}']) {
      writeFileSync(file, text)
      expect(() => open().open(), text).to.throw(HostError, file)
      expect(readFileSync(file, 'utf8')).to.equal(text)
    }
  })
})
