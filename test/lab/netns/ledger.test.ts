import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { LabFailure } from '../../../lab/index.ts'
import { isOwned, Ledger, labFolder, readLedger } from '../../../lab/netns/ledger.ts'
import { requireLinux } from '../../support/linux.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

describe('Ledger', () => {
  let before: string | undefined

  beforeEach(function () {
    requireLinux(this)
    before = process.env['PRONTO_RUNTIME']
    process.env['PRONTO_RUNTIME'] = temporaryFolder('pronto-ledger-')
  })

  afterEach(() => {
    if (before === undefined) delete process.env['PRONTO_RUNTIME']
    else process.env['PRONTO_RUNTIME'] = before
  })

  describe('when a lab writes what it makes', () => {
    it('is read back by another process, thing by thing', () => {
      const ledger = Ledger.begin('web', 'a1b2c3')
      ledger.add({ kind: 'namespace', name: 'one' })
      ledger.add({ kind: 'namespace', name: 'one', inode: 7 })
      ledger.add({ kind: 'namespace', name: 'two' })
      ledger.add({ kind: 'folder', path: '/nowhere' })
      ledger.add({ kind: 'process', what: 'nginx of s1', pid: 12, start: '345' })
      const read = readLedger('web')!
      expect(read).to.deep.include({ lab: 'web', id: 'a1b2c3', folders: ['/nowhere'] })
      expect([...read.namespaces]).to.deep.equal([
        ['one', 7],
        ['two', undefined],
      ])
      expect(read.processes[0]).to.include({ what: 'nginx of s1', pid: 12, start: '345' })
      expect(isOwned(read)).to.equal(true)
      ledger.close()
      expect(readLedger('web')).to.equal(undefined)
    })

    it('leaves out a line that was cut short', () => {
      const ledger = Ledger.begin('web', 'a1b2c3')
      ledger.add({ kind: 'namespace', name: 'one' })
      appendFileSync(join(labFolder('web'), 'netns.ledger'), '{"kind":"namespace","na')
      expect([...readLedger('web')!.namespaces.keys()]).to.deep.equal(['one'])
      ledger.close()
    })
  })

  describe('when the lab is up', () => {
    it('refuses to begin another of its name, and leaves those of other names alone', () => {
      const one = Ledger.begin('web', 'a1b2c3')
      expect(() => Ledger.begin('web', 'd4e5f6')).to.throw(LabFailure, 'lab web is up already')
      const other = Ledger.begin('web2', 'd4e5f6')
      one.close()
      expect(readLedger('web2')?.id).to.equal('d4e5f6')
      other.close()
    })
  })

  describe('when its process is another one by now', () => {
    it('is not owned: neither by a process of that number that began later, nor from before the machine was started', () => {
      const ledger = Ledger.begin('web', 'a1b2c3')
      const read = readLedger('web')!
      expect(isOwned({ ...read, owner: { ...read.owner, start: '1' } })).to.equal(false)
      expect(isOwned({ ...read, boot: 'another' })).to.equal(false)
      ledger.close()
    })
  })
})
