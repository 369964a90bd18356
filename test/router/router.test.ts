import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { DocumentError } from '../../document/index.ts'
import { createKey, createRoot } from '../../execution-env/certificates/index.ts'
import { REAL_DISK } from '../../router/state/disk.ts'
import { changed, SAMPLE, stateOf } from './config/kit.ts'
import { bundleOf } from './double-host.ts'
import { RouterKit, refusalOf, SETTINGS, startedKit } from './router-kit.ts'

const ONE = bundleOf('spread', '1.0.0')
const TWO = bundleOf('spread', '2.0.0')
const BAD = bundleOf('spread', '3.0.0', 'refuse')
const WITH_TRUST = `${SAMPLE}trust: trust\n`

/** A kit whose folder holds bundles and a trust folder. */
function kitWithBundles(plugins: string): RouterKit {
  const kit = new RouterKit(`${SAMPLE}${plugins}`)
  for (const [file, bytes] of Object.entries({ 'one.pronto': ONE, 'two.pronto': TWO, 'bad.pronto': BAD }))
    writeFileSync(join(kit.folder, file), bytes)
  return kit
}

function versionsOf(kit: RouterKit): string[] {
  return kit.router.list().map((each) => `${each.id} ${each.version} ${each.state}`)
}

/** A disk on which nothing can be put in place any more. */
const FULL_DISK = {
  ...REAL_DISK,
  rename: () => {
    throw Object.assign(new Error('no space left'), { syscall: 'rename', code: 'ENOSPC' })
  },
}

describe('Router', () => {
  describe('when it is restarted after a crash', () => {
    it('comes back with the same plugins, versions and settings', async () => {
      const kit = await startedKit()
      const settings = { ...SETTINGS, config: { servers: ['10.0.2.2'] }, priority: 4 }
      await kit.router.load(ONE, 'a', settings, 'alice')
      await kit.router.load(ONE, undefined, SETTINGS, 'alice')
      await kit.router.upgrade('a', TWO, undefined, 'move', 'bob')
      await kit.router.unload('spread', 'purge')
      await kit.restart()
      expect(kit.host.calls).to.deep.equal(['restore a 2.0.0'])
      expect(kit.host.instances.get('a')?.running.settings).to.deep.equal(settings)
      expect(kit.router.list()).to.have.length(1)
      expect(kit.router.list()[0]).to.include({ id: 'a', version: '2.0.0', previous: '1.0.0', by: 'bob' })
    })

    it('reports a plugin that cannot start and starts the others', async () => {
      const kit = await startedKit()
      await kit.router.load(bundleOf('first', '1.0.0', 'refuse-restore'), undefined, SETTINGS, 'x')
      await kit.router.load(ONE, undefined, SETTINGS, 'x')
      await kit.restart()
      expect(versionsOf(kit)).to.deep.equal(['first 1.0.0 refused', 'spread 1.0.0 running'])
      expect(kit.router.list()[0]!.lastFailure).to.equal('refused: setup of first threw')
      expect(kit.router.warnings).to.deep.equal(['plugin first: setup of first threw'])
    })

    it('lets a plugin that cannot start be upgraded, or taken away', async () => {
      const kit = await startedKit()
      await kit.router.load(bundleOf('first', '1.0.0', 'refuse-restore'), undefined, SETTINGS, 'x')
      await kit.router.load(bundleOf('second', '1.0.0', 'refuse-restore'), undefined, SETTINGS, 'x')
      await kit.restart()
      await kit.router.upgrade('first', bundleOf('first', '1.1.0'), undefined, 'move', 'x')
      await kit.router.unload('second', 'drain')
      expect(versionsOf(kit)).to.deep.equal(['first 1.1.0 running'])
    })

    it('is not held up by a plugin that takes its time', async () => {
      const kit = await startedKit()
      await kit.router.load(ONE, 'quick', SETTINGS, 'x')
      kit.host.release()
      await kit.router.load(bundleOf('slow', '1.0.0', 'slow'), undefined, SETTINGS, 'x')
      const restarted = kit.restart()
      while (!kit.host.instances.has('quick')) await new Promise((settle) => setImmediate(settle))
      expect(kit.host.instances.has('slow')).to.equal(false)
      kit.host.release()
      await restarted
      expect(kit.host.instances.has('slow')).to.equal(true)
    })

    it('comes up with the last configuration when the file cannot be read any more', async () => {
      const kit = await startedKit()
      const before = stateOf(kit.engine)
      kit.text = changed('routes:', 'routs:')
      await kit.router.close()
      await kit.restart()
      expect(stateOf(kit.engine)).to.deep.equal(before)
      expect(kit.router.warnings[0]).to.contain('routs: unknown key; did you mean routes?')
    })

    it('takes a file that has changed for the one that was in force, until it is asked for', async () => {
      const kit = await startedKit()
      const before = stateOf(kit.engine)
      kit.text = changed('ttl: 9', 'ttl: 10')
      await kit.restart()
      expect(stateOf(kit.engine)).to.deep.equal(before)
      expect(kit.router.warnings).to.deep.equal([
        'router.yaml has changed since the router died (pronto reload); the configuration that was in force last is used',
      ])
      const dryRun = await kit.router.reload(true)
      expect(dryRun.changes).to.include('open-tunnel s2')
      expect(kit.router.warnings).to.have.length(1)
      expect((await kit.router.reload(false)).changes).to.include('open-tunnel s2')
      expect(kit.router.warnings, 'after the reload').to.deep.equal([])
    })

    it('does so after the end of a router whose engine broke, too', async () => {
      const kit = await startedKit()
      const before = stateOf(kit.engine)
      kit.text = changed('ttl: 9', 'ttl: 10')
      await kit.router.close(new Error('broken'))
      await kit.restart()
      expect(stateOf(kit.engine)).to.deep.equal(before)
      expect(kit.router.warnings[0]).to.contain('has changed since the router died')
    })

    it('takes the new file when the router had been stopped in order', async () => {
      const kit = await startedKit()
      kit.text = changed('ttl: 9', 'ttl: 10')
      await kit.router.close()
      await kit.restart()
      expect(kit.router.warnings).to.deep.equal([])
      expect(stateOf(kit.engine)).to.deep.equal(stateOf((await startedKit(kit.text)).engine))
    })

    it('does not come up with a file that never held', async () => {
      const kit = new RouterKit(changed('routes:', 'roots:'))
      expect(await refusalOf(kit.router.start())).to.be.instanceOf(DocumentError)
    })
  })

  describe('load', () => {
    it('refuses an id that is taken, also by a plugin that cannot start', async () => {
      const kit = await startedKit()
      await kit.router.load(bundleOf('first', '1.0.0', 'refuse-restore'), undefined, SETTINGS, 'x')
      const again = () => refusalOf(kit.router.load(bundleOf('first', '2.0.0'), undefined, SETTINGS, 'x'))
      expect(await again()).to.include({ code: 'exists' })
      await kit.restart()
      expect(await again()).to.include({ code: 'exists' })
    })

    it('takes back what it cannot remember', async () => {
      const kit = await startedKit()
      kit.disk = FULL_DISK
      expect(await refusalOf(kit.router.load(ONE, undefined, SETTINGS, 'x'))).to.include({
        code: 'unreadable',
      })
      expect(kit.host.calls).to.deep.equal(['load spread 1.0.0', 'unload spread purge'])
      expect(kit.router.list()).to.deep.equal([])
    })
  })

  describe('upgrade and rollback', () => {
    it('goes back, and forth again', async () => {
      const kit = await startedKit()
      await kit.router.load(ONE, undefined, SETTINGS, 'x')
      await kit.router.upgrade('spread', TWO, { more: 1 }, 'discard', 'x')
      expect(await kit.router.rollback('spread', 'y')).to.include({
        version: '1.0.0',
        previous: '2.0.0',
        by: 'y',
      })
      expect(await kit.router.rollback('spread', 'y')).to.include({ version: '2.0.0', previous: '1.0.0' })
      expect(kit.host.calls.slice(1)).to.deep.equal([
        'upgrade spread 2.0.0 discard',
        'rollback spread',
        'rollback spread',
      ])
      expect(kit.host.instances.get('spread')?.running.settings.config).to.deep.equal({ more: 1 })
    })

    it('goes back after a restart too, with the settings of then', async () => {
      const kit = await startedKit()
      await kit.router.load(ONE, undefined, { ...SETTINGS, config: { old: true } }, 'x')
      await kit.router.upgrade('spread', TWO, { old: false }, 'move', 'x')
      await kit.restart()
      expect(await kit.router.rollback('spread', 'x')).to.include({ version: '1.0.0' })
      expect(kit.host.calls).to.deep.equal(['restore spread 2.0.0', 'upgrade spread 1.0.0 move'])
      expect(kit.host.instances.get('spread')?.running.settings.config).to.deep.equal({ old: true })
    })

    it('leaves what served when the other version is refused, or cannot be remembered', async () => {
      const kit = await startedKit()
      await kit.router.load(ONE, undefined, SETTINGS, 'x')
      expect(await refusalOf(kit.router.upgrade('spread', BAD, undefined, 'move', 'x'))).to.include({
        code: 'refused',
      })
      kit.disk = FULL_DISK
      await refusalOf(kit.router.upgrade('spread', TWO, undefined, 'move', 'x'))
      kit.disk = REAL_DISK
      expect(versionsOf(kit)).to.deep.equal(['spread 1.0.0 running'])
      expect(kit.router.list()[0]!.previous).to.equal(undefined)
      await kit.restart()
      expect(versionsOf(kit)).to.deep.equal(['spread 1.0.0 running'])
    })

    it('says that there is nothing to go back to, or no such plugin', async () => {
      const kit = await startedKit()
      await kit.router.load(ONE, undefined, SETTINGS, 'x')
      expect(await refusalOf(kit.router.rollback('spread', 'x'))).to.include({ code: 'unknown' })
      expect(await refusalOf(kit.router.rollback('none', 'x'))).to.include({ code: 'unknown' })
      expect(await refusalOf(kit.router.upgrade('none', ONE, undefined, 'move', 'x'))).to.include({
        code: 'unknown',
      })
      expect(await refusalOf(kit.router.unload('none', 'drain'))).to.include({ code: 'unknown' })
    })

    it('lets no operator put another version of trusted code in place', async () => {
      const kit = await startedKit()
      await kit.router.load(ONE, undefined, { ...SETTINGS, trusted: true }, 'configuration')
      expect(await refusalOf(kit.router.upgrade('spread', TWO, undefined, 'move', 'x'))).to.include({
        code: 'forbidden',
      })
      expect(await refusalOf(kit.router.tryUpgrade('spread', TWO, undefined))).to.include({
        code: 'forbidden',
      })
    })
  })

  describe('reload', () => {
    it('applies the difference as one transaction and survives a restart', async () => {
      const kit = await startedKit()
      kit.text = changed('via: 10.0.2.9', 'via: 10.0.2.8')
      const report = await kit.router.reload(false)
      expect(report.changes).to.include.members(['remove-route 10.9.0.0/16', 'add-route 10.9.0.0/16'])
      const fresh = await startedKit(kit.text)
      expect(stateOf(kit.engine)).to.deep.equal(stateOf(fresh.engine))
      expect(await kit.router.reload(false)).to.deep.equal({ changes: [], plugins: [], restart: [] })
      await kit.restart()
      expect(stateOf(kit.engine)).to.deep.equal(stateOf(fresh.engine))
    })

    it('changes nothing when it is only tried', async () => {
      const kit = kitWithBundles('')
      await kit.router.start()
      const before = stateOf(kit.engine)
      kit.text = `${changed('ttl: 9', 'ttl: 10')}trust: trust\nplugins: [ { bundle: one.pronto } ]\n`
      // No trust folder: the first refusal is about that.
      expect(await refusalOf(kit.router.reload(true))).to.include({ code: 'unreadable' })
      expect(stateOf(kit.engine)).to.deep.equal(before)
    })

    it('refuses a file with mistakes and says where', async () => {
      const kit = await startedKit()
      kit.text = changed('tunnel: s2', 'tunnel: s3')
      const refusal = await refusalOf(kit.router.reload(false))
      expect(refusal.message).to.contain(
        'policy.filters[1].action.then.tunnel: no tunnel s3; did you mean s1?',
      )
    })

    it('cannot be asked for without a file', async () => {
      const kit = await startedKit(undefined)
      const bare = new RouterKit(SAMPLE, kit.folder)
      bare.text = undefined
      await bare.restart()
      expect(await refusalOf(bare.router.reload(false))).to.include({ code: 'unsupported' })
    })
  })

  describe('when changes come at the same time', () => {
    it('carries them out one after the other, and bounds those who wait', async () => {
      const kit = await startedKit()
      const slow = kit.router.load(bundleOf('slow', '1.0.0', 'slow'), undefined, SETTINGS, 'x')
      const waiting = Array.from({ length: 31 }, (_, i) => kit.router.load(ONE, `p${i}`, SETTINGS, 'x'))
      expect(await refusalOf(kit.router.load(ONE, 'late', SETTINGS, 'x'))).to.include({ code: 'busy' })
      expect(kit.host.calls).to.deep.equal([])
      kit.host.release()
      await Promise.all([slow, ...waiting])
      expect(kit.host.calls[0]).to.equal('load slow 1.0.0')
      expect(kit.host.calls).to.have.length(32)
    })

    it('lets nothing begin once it closes, and ends what has begun', async () => {
      const kit = await startedKit()
      const slow = kit.router.load(bundleOf('slow', '1.0.0', 'slow'), undefined, SETTINGS, 'x')
      const closed = kit.router.close()
      expect(await refusalOf(kit.router.unload('slow', 'drain'))).to.include({ code: 'closing' })
      kit.host.release()
      await closed
      expect(await slow).to.include({ id: 'slow' })
      expect(kit.audited().map((each) => each['what'])).to.deep.equal(['start', 'stop'])
    })
  })

  describe('when plugins stand in the configuration', () => {
    const declared = (lines: string) => `${WITH_TRUST.slice(SAMPLE.length)}plugins:\n${lines}`
    const file = (name: string, more = '') => `  - { bundle: ${name}.pronto, id: a${more} }\n`

    async function started(lines: string): Promise<RouterKit> {
      const kit = kitWithBundles(declared(lines))
      writeTrust(kit)
      await kit.router.start()
      return kit
    }

    it('loads, upgrades and ends them as the file says', async () => {
      const kit = await started(file('one'))
      expect(versionsOf(kit)).to.deep.equal(['a 1.0.0 running'])
      kit.text = `${SAMPLE}${declared(file('two', ', priority: 2'))}`
      expect((await kit.router.reload(true)).dryRuns).to.have.length(1)
      expect(versionsOf(kit)).to.deep.equal(['a 1.0.0 running'])
      expect((await kit.router.reload(false)).plugins).to.deep.equal([
        { do: 'upgrade', id: 'a', version: '2.0.0' },
      ])
      expect(versionsOf(kit)).to.deep.equal(['a 2.0.0 running'])
      kit.text = SAMPLE
      await kit.router.reload(false)
      expect(versionsOf(kit)).to.deep.equal([])
    })

    it('lets an operator have the last word until the file changes', async () => {
      const kit = await started(file('one'))
      await kit.router.upgrade('a', TWO, undefined, 'move', 'x')
      await kit.restart()
      expect(versionsOf(kit)).to.deep.equal(['a 2.0.0 running'])
      await kit.router.unload('a', 'drain')
      await kit.restart()
      expect(versionsOf(kit)).to.deep.equal([])
      kit.text = `${SAMPLE}${declared(file('one', ', priority: 1'))}`
      await kit.router.reload(false)
      expect(versionsOf(kit)).to.deep.equal(['a 1.0.0 running'])
    })

    it('notices that a bundle of the same name has other bytes', async () => {
      const kit = await started(file('one'))
      writeFileSync(join(kit.folder, 'one.pronto'), TWO)
      expect((await kit.router.reload(false)).plugins).to.deep.equal([
        { do: 'upgrade', id: 'a', version: '2.0.0' },
      ])
    })

    it('undoes everything when one of them is refused', async () => {
      const kit = await started(file('one'))
      const before = stateOf(kit.engine)
      kit.text = `${changed('ttl: 9', 'ttl: 10')}${declared(`${file('two')}  - { bundle: bad.pronto, id: b }\n`)}`
      const refusal = await refusalOf(kit.router.reload(false))
      expect(refusal).to.include({ code: 'refused', message: 'plugin b: setup of spread threw' })
      expect(stateOf(kit.engine)).to.deep.equal(before)
      expect(versionsOf(kit)).to.deep.equal(['a 1.0.0 running'])
      await kit.restart()
      expect(versionsOf(kit)).to.deep.equal(['a 1.0.0 running'])
    })

    it('undoes what it did when the refusal comes late', async () => {
      const kit = await started(`${file('one')}  - { bundle: one.pronto, id: c }\n`)
      const before = stateOf(kit.engine)
      // With an unload among the steps nothing is tried out beforehand.
      kit.text = `${changed('ttl: 9', 'ttl: 10')}${declared(`${file('two')}  - { bundle: bad.pronto, id: b }\n`)}`
      expect(await refusalOf(kit.router.reload(false))).to.include({ code: 'refused' })
      expect(stateOf(kit.engine)).to.deep.equal(before)
      expect(versionsOf(kit).sort()).to.deep.equal(['a 1.0.0 running', 'c 1.0.0 running'])
    })

    it('comes up without one that cannot be read, and keeps what runs', async () => {
      const kit = await started(file('none'))
      expect(kit.router.warnings[0]).to.contain('none.pronto: cannot be read (ENOENT)')
      const other = await started(file('one'))
      writeFileSync(join(other.folder, 'one.pronto'), 'no bundle')
      await other.restart()
      expect(versionsOf(other)).to.deep.equal(['a 1.0.0 running'])
      expect(other.router.warnings).to.have.length(1)
    })
  })
})

function writeTrust(kit: RouterKit): void {
  const key = createKey({ algorithm: 'ed25519', seed: new Uint8Array(32) })
  const root = createRoot({ name: 'root', serial: '01', notBeforeMs: 0, notAfterMs: 9e12, key })
  writeFileSync(join(kit.folder, 'trust'), root.certificate.toPem())
}
