import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import type { ControlClient } from '../../router/control-client/client.ts'
import { refusalOf } from './router-kit.ts'
import { closeAll } from './server-kit.ts'
import { policy, SIGNER, stranger, WholeRouter } from './whole-router.ts'

afterEach(closeAll)

const ONE = policy('1.0.0', '10.0.2.2')
const TWO = policy('2.0.0', '10.0.2.3')

async function load(client: ControlClient, bundle: Uint8Array, more: object = {}): Promise<unknown> {
  return client.call('load', { upload: await client.upload(bundle), ...more })
}

describe('a whole router (R-PR-01, R-PR-02)', () => {
  it('loads, upgrades with state, rolls back and unloads a signed policy while packets flow', async () => {
    const router = await new WholeRouter().start()
    const { client } = router
    expect(await router.flow(1)).to.equal('nowhere')
    expect(await load(client, ONE, { config: { hello: 'you' } })).to.deep.include({
      id: 'policy',
      version: '1.0.0',
      state: 'running',
      granted: [
        'flows: to 198.18.0.0/15; actions forward, tunnel',
        'tunnels: open 10.0.0.0/8',
        'messages: on *',
        'query: answer *',
      ],
    })
    expect([await router.flow(2), await router.flow(3)]).to.deep.equal(['10.0.2.2', '10.0.2.2'])
    expect(await client.call('call', { id: 'policy', name: 'count', argument: [1] })).to.deep.equal({
      count: 2,
      body: [1],
      hello: 'you',
    })
    expect(await client.call('query', { name: 'policy/count' })).to.equal(2)
    expect(await client.call('upgrade', { upload: await client.upload(TWO), id: 'policy' })).to.include({
      version: '2.0.0',
      previous: '1.0.0',
    })
    expect([await router.flow(4), await router.flow(3)]).to.deep.equal(['10.0.2.3', '10.0.2.2'])
    expect(await client.call('query', { name: 'policy/count' })).to.equal(3)
    expect(await client.call('rollback', { id: 'policy' })).to.include({ version: '1.0.0' })
    expect(await router.flow(5)).to.equal('10.0.2.2')
    await client.call('unload', { id: 'policy', flows: 'purge' })
    expect(await router.flow(6)).to.equal('nowhere')
    expect(await client.call('list')).to.deep.equal([])
  })

  it('explains what a plugin decides, before and after', async () => {
    const router = await new WholeRouter().start()
    const { client } = router
    await load(client, ONE)
    const flow = { from: '10.0.1.2', to: '198.18.0.80', protocol: 'tcp', fromPort: 7, toPort: 80 }
    const before = (await client.call('explain', flow)) as { decidedBy: string; owner: string }
    expect(before).to.deep.include({
      decidedBy: 'filter',
      owner: 'policy',
      plugin: { id: 'policy', name: 'policy', version: '1.0.0', state: 'running' },
    })
    expect(JSON.stringify(before)).to.contain('without an answer: drop upcall-expired')
    await router.flow(7)
    const after = await client.call('explain', flow)
    expect(after).to.include({ decidedBy: 'flow', owner: 'policy' })
    expect(JSON.stringify(after)).to.match(/pinned by policy: tunnel policy\/\S*10\.0\.2\.2/)
  })

  it('tells what a load would grant and change, and changes nothing', async () => {
    const router = await new WholeRouter().start()
    const dryRun = (await load(router.client, ONE, { dryRun: true })) as {
      granted: string[]
      changes: { do: string }[]
    }
    expect(dryRun.granted).to.have.length(4)
    expect(dryRun.changes.map((each) => each.do)).to.include.members(['open-tunnel', 'install-filter'])
    expect(await router.client.call('list')).to.deep.equal([])
    expect(await router.flow(1)).to.equal('nowhere')
  })

  it('gives no more than the operator allows', async () => {
    const router = await new WholeRouter().start()
    const refusal = await refusalOf(
      load(router.client, ONE, { capabilities: { tunnels: { open: ['10.9.0.0/16'] } } }),
    )
    expect(refusal).to.include({ code: 'refused' })
    expect(refusal.message).to.contain('flows.claim needs')
    expect(await router.client.call('list')).to.deep.equal([])
  })

  it('refuses what it is not to believe, with the reason', async () => {
    const router = await new WholeRouter().start()
    const { client } = router
    const altered = Uint8Array.from(ONE)
    altered[1_500] = altered[1_500]! ^ 1
    expect(await refusalOf(load(client, altered))).to.include({ code: 'refused' })
    expect(await refusalOf(load(client, policy('1.0.0', '10.0.2.2', stranger())))).to.include({
      code: 'refused',
      causeCode: 'untrusted',
    })
    const wrongConfig = await refusalOf(load(client, ONE, { config: { hallo: 'x' } }))
    expect(wrongConfig).to.include({ code: 'invalid' })
    expect(wrongConfig.message).to.contain('hallo: unknown key')
    router.revoke(SIGNER.certificate.serial)
    await client.call('reload')
    expect(await refusalOf(load(client, ONE))).to.include({ code: 'refused', causeCode: 'revoked' })
    const refused = readFileSync(join(router.folder, 'audit.log'), 'utf8').split('\n').slice(0, -1)
    expect(
      refused.map((line) => JSON.parse(line).code).filter((code) => code !== undefined),
    ).to.include.members(['untrusted', 'revoked'])
  })

  it('warns at a reload of plugins whose signer is believed no more, and lets them run', async () => {
    const router = await new WholeRouter().start()
    const { client } = router
    await load(client, ONE)
    expect(await client.call('reload')).to.not.have.property('warnings')
    router.revoke(SIGNER.certificate.serial)
    const { warnings } = (await client.call('reload')) as { warnings: string[] }
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.match(/^plugin policy runs on, but would not start again: .*revoked/)
    expect(await client.call('health')).to.deep.include({ well: false, warnings })
    expect(await router.flow(1)).to.equal('10.0.2.2')
  })

  describe('when it is killed and started again', () => {
    it('comes back with the same plugins in the same versions', async () => {
      const router = await new WholeRouter().start()
      await load(router.client, ONE, { config: { hello: 'again' } })
      await router.client.call('upgrade', { upload: await router.client.upload(TWO), id: 'policy' })
      await router.stop()
      await router.start()
      expect(router.warnings).to.deep.equal([])
      expect(await router.flow(1)).to.equal('10.0.2.3')
      expect(await router.client.call('call', { id: 'policy', name: 'count' })).to.deep.include({
        hello: 'again',
      })
      expect(await router.client.call('rollback', { id: 'policy' })).to.include({ version: '1.0.0' })
      expect(await router.flow(2)).to.equal('10.0.2.2')
    })

    it('goes back to a version that was accepted before, though its signer has run out, but not if revoked', async () => {
      const router = await new WholeRouter().start()
      await load(router.client, ONE)
      await router.client.call('upgrade', { upload: await router.client.upload(TWO), id: 'policy' })
      await router.stop()
      router.nowMs = SIGNER.certificate.notAfterMs + 1
      await router.start()
      expect(await router.client.call('rollback', { id: 'policy' })).to.include({
        version: '1.0.0',
        state: 'running',
        previous: '2.0.0',
      })
      expect(await router.flow(1)).to.equal('10.0.2.2')
      const again = await router.client.upload(TWO)
      expect(await refusalOf(router.client.call('upgrade', { upload: again, id: 'policy' }))).to.include({
        causeCode: 'expired',
      })
      await router.stop()
      router.revoke(SIGNER.certificate.serial)
      await router.start()
      expect(await refusalOf(router.client.call('rollback', { id: 'policy' }))).to.include({
        causeCode: 'revoked',
      })
      expect(await router.flow(2)).to.equal('nowhere')
    })

    it('accepts what has only run out, and refuses what was taken back', async () => {
      const router = await new WholeRouter().start()
      await load(router.client, ONE)
      await router.stop()
      router.nowMs = SIGNER.certificate.notAfterMs + 1
      await router.start()
      expect(await router.flow(1)).to.equal('10.0.2.2')
      await router.stop()
      router.revoke(SIGNER.certificate.serial)
      await router.start()
      expect(router.warnings[0]).to.match(/^plugin policy: .*revoked/)
      expect(await router.client.call('list')).to.have.nested.property('[0].state', 'refused')
      expect(await router.flow(2)).to.equal('nowhere')
    })
  })
})
