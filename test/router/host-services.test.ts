import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { type Credential, writePrivateKey } from '../../execution-env/certificates/index.ts'
import type { ServiceAnswer } from '../../execution-env/contract/api/index.ts'
import type { ServiceRequest } from '../../execution-env/index.ts'
import { serviceFailure } from '../../execution-env/index.ts'
import type { EngineThread } from '../../router/engine-thread/engine-thread.ts'
import type { ServiceCall } from '../../router/engine-thread/messages.ts'
import { ServiceWindow } from '../../router/engine-thread/service-window.ts'
import { HostServices } from '../../router/host-services.ts'
import type { HostSignaling } from '../../router/host-signaling.ts'
import { RouterKeys } from '../../router/router-keys.ts'
import { Trust } from '../../router/trust.ts'
import { DAY, edKey, leaf, list, root, rsaKey } from '../execution-env/certificates/kit.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const VALID = { notBeforeMs: Date.now() - DAY, notAfterMs: Date.now() + DAY }
const ROOT = root({ key: edKey('root'), ...VALID })
const host = (name: string, serial: string): Credential =>
  leaf(ROOT, { type: 'host', name, serial, key: edKey(name), ...VALID })

/** A trust folder in which s1 and the revoked s2 are published. */
function trustFolder(): string {
  const folder = temporaryFolder('ps-')
  mkdirSync(join(folder, 'certificates'))
  const revoked = { 21: { atMs: Date.now() - 1_000, reason: 'keyCompromise' } } as const
  const times = { thisUpdateMs: Date.now() - DAY, nextUpdateMs: Date.now() + DAY }
  writeFileSync(join(folder, 'ca.crt'), ROOT.certificate.toPem())
  writeFileSync(join(folder, 'crl.pem'), list(ROOT, revoked, times).toPem())
  for (const each of [host('s1', '20'), host('s2', '21')])
    writeFileSync(
      join(folder, 'certificates', `${each.certificate.commonName}.crt`),
      each.certificate.toPem(),
    )
  return folder
}

/** The services with both of their ends, and a host s3 that has a session. */
function services() {
  const trust = new Trust()
  trust.load(trustFolder())
  const keys = new RouterKeys()
  const hosts: Readonly<Record<string, Credential>> = { s3: host('s3', '22') }
  const signaling = {
    certificatesOf: (name: string) => hosts[name] && [hosts[name].certificate],
  } as unknown as HostSignaling
  const thread: Pick<EngineThread, 'onService' | 'served'> = { onService: undefined, served() {} }
  const window = new ServiceWindow((call) => thread.onService?.(structuredClone(call)))
  thread.served = (served) => window.served(structuredClone(served))
  const working = new HostServices(thread as unknown as EngineThread, trust, keys, signaling)
  const ask = (request: ServiceRequest) => new Promise<ServiceAnswer>((settle) => window.ask(request, settle))
  return { ask, trust, keys, close: () => working.close() }
}

const lookup = (name: string): ServiceRequest => ({ kind: 'lookup', name })

describe('the proxies of a real router (R-PR-02)', () => {
  it('know whom the trust folder publishes and who has a session, if they are believed', async () => {
    const { ask, trust, close } = services()
    expect(await ask(lookup('s1'))).to.include({ ok: true, name: 's1', serial: '20' })
    expect(await ask(lookup('s2'))).to.include({ ok: false, code: 'refused' })
    expect(await ask(lookup('s3'))).to.include({ ok: true, name: 's3', serial: '22' })
    expect(await ask(lookup('s4'))).to.include({ ok: false, code: 'unknown' })
    const back = trust.load(undefined)
    expect(await ask(lookup('s1'))).to.include({ ok: false, code: 'unknown' })
    expect(await ask(lookup('s3'))).to.include({ ok: false, code: 'refused' })
    back()
    expect(await ask(lookup('s1'))).to.include({ ok: true })
    close()
  })

  it('sign with keys of the configuration and verify by name', async () => {
    const { ask, keys, close } = services()
    const file = join(temporaryFolder('pk-'), 'moves.key')
    writeFileSync(file, writePrivateKey(edKey('moves')), { mode: 0o600 })
    const back = keys.load({ moves: file })
    const signed = await ask({ kind: 'sign', key: 'moves', text: 'to 10.0.2.3' })
    expect(signed).to.include({ ok: true })
    const { signature } = signed as { signature: string }
    const verify = {
      kind: 'verify',
      key: 'moves',
      publicKey: undefined,
      text: 'to 10.0.2.3',
      signature,
    } as const
    expect(await ask(verify)).to.deep.equal({ ok: true, valid: true })
    expect(await ask({ ...verify, key: 's1' })).to.deep.equal({ ok: true, valid: false })
    back()
    expect(await ask({ kind: 'sign', key: 'moves', text: '' })).to.include({ ok: false, code: 'unknown' })
    close()
  })

  it('take no keys but Ed25519, all or none', () => {
    const folder = temporaryFolder('pk-')
    writeFileSync(join(folder, 'a'), writePrivateKey(edKey('a')))
    writeFileSync(join(folder, 'b'), writePrivateKey(rsaKey('signer')))
    const keys = new RouterKeys()
    for (const file of ['b', 'c'])
      expect(() => keys.load({ a: join(folder, 'a'), x: join(folder, file) })).to.throw(join(folder, file))
    expect(keys.get('a')).to.equal(undefined)
  })

  it('fetch from a server of the machine', async () => {
    const { ask, close } = services()
    const server = createServer((_, response) => void response.end('here'))
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const request = { kind: 'fetch', url, origins: [url], redirects: 0, maxBytes: 10 } as const
    expect(await ask(request)).to.include({ ok: true, body: 'here' })
    server.close()
    close()
  })
})

describe('ServiceWindow (R-PR-02)', () => {
  it('hands over so many at a time, and takes each answer once', () => {
    const calls: ServiceCall[] = []
    const answers: ServiceAnswer[] = []
    const window = new ServiceWindow((call) => calls.push(call))
    for (let i = 0; i < 70; i++) window.ask(lookup('s1'), (answer) => answers.push(answer))
    expect(calls).to.have.length(64)
    expect(answers.map((each) => !each.ok && each.code)).to.deep.equal(Array(6).fill('limit'))
    const served = { number: calls[0]!.number, answer: serviceFailure('unknown', '') }
    window.served(served)
    window.served(served)
    expect(answers).to.have.length(7)
    window.ask(lookup('s1'), () => {})
    expect(calls).to.have.length(65)
  })
})
