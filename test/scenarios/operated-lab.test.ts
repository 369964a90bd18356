import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import type { AuthorityDirectory } from '../../execution-env/certificates/index.ts'
import { backends, keepLabUp, loadLabFile, type Report } from '../../lab/index.ts'
import type { ControlClient } from '../../router/control-client/index.ts'
import { authorityIn, sessionWith, signedVersion } from '../support/operators.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const examples = resolve(import.meta.dirname, '../../examples')

describe('a lab that is kept up (R-PR-02)', () => {
  const runtime = process.env['PRONTO_RUNTIME']
  const stop = new AbortController()
  const folder = temporaryFolder('pronto-run-')
  let authority: AuthorityDirectory
  let ended: Promise<Report>
  let client: ControlClient

  before(async function () {
    this.timeout(30_000)
    process.env['PRONTO_RUNTIME'] = folder
    authority = authorityIn(join(folder, 'ca'))
    ended = keepLabUp(loadLabFile(join(examples, 'showcase.yaml')), await backends.open('sim'), {
      signal: stop.signal,
      trust: join(folder, 'ca'),
    })
    client = await Promise.race([
      sessionWith(join(folder, 'showcase', 'r1')),
      ended.then(() => expect.fail()),
    ])
  })

  after(async () => {
    client?.close()
    stop.abort()
    await ended
    if (runtime === undefined) delete process.env['PRONTO_RUNTIME']
    else process.env['PRONTO_RUNTIME'] = runtime
  })

  type Listed = { id: string; version: string; state: string }
  const versions = async () => (await client.call('list')) as unknown as Listed[]

  it('lists the plugins of its file', async () => {
    expect(await versions()).to.have.length(1)
    expect((await versions())[0]).to.include({ id: 'round-robin', version: '1.0.0', state: 'running' })
  })

  it('takes a version signed by an authority that the user trusts, and goes back', async () => {
    const upload = await client.upload(await signedVersion(authority, '2.0.0'))
    await client.call('upgrade', { id: 'round-robin', upload })
    expect((await versions())[0]).to.include({ version: '2.0.0', state: 'running' })
    await client.call('rollback', { id: 'round-robin' })
    expect((await versions())[0]).to.include({ version: '1.0.0', state: 'running' })
  }).timeout(20_000)

  it('refuses a version signed by anyone else, and keeps serving', async () => {
    const strangers = authorityIn(join(folder, 'strangers'), 'strangers')
    const upload = await client.upload(await signedVersion(strangers, '3.0.0'))
    const refused = await client.call('upgrade', { id: 'round-robin', upload }).then(
      () => 'taken',
      (error: Error) => error.message,
    )
    expect(refused).to.match(/issuer CN=strangers/)
    expect((await versions())[0]).to.include({ version: '1.0.0', state: 'running' })
  }).timeout(20_000)

  it('ends in order while a command waits, and leaves nothing but its record', async () => {
    const upload = await client.upload(await signedVersion(authority, '4.0.0'))
    const pending = client.call('upgrade', { id: 'round-robin', upload }).then(
      () => 'done',
      (error: Error) => error.message,
    )
    stop.abort()
    await ended
    expect(await pending).to.match(/done|down|closed|ended/)
    expect(readdirSync(folder)).to.not.include('showcase')
  }).timeout(20_000)
})
