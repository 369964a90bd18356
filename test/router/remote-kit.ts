/** A control server that is reached over TLS on loopback, and certificates of all kinds to knock at its door with. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Credential,
  type Grant,
  type Revocation,
  TrustStore,
  type Usage,
  writePrivateKey,
} from '../../execution-env/certificates/index.ts'
import type { ControlClient } from '../../router/control-client/client.ts'
import { connectRouter } from '../../router/control-client/connect.ts'
import { DAY, edKey, leaf, list, NOW, root } from '../execution-env/certificates/kit.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { RouterKit } from './router-kit.ts'
import { onClose, type ServerKit, serve } from './server-kit.ts'

/** OpenSSL goes by the machine's own clock: valid for it at any time, whatever ours says. */
export const ALWAYS = { notBeforeMs: 0, notAfterMs: Date.UTC(2200, 0, 1) }

export const ROOT = root({ ...ALWAYS, key: edKey('root') })
export const OTHER_ROOT = root({ ...ALWAYS, key: edKey('other root'), name: 'Other root' })

/** A certificate of a type, with its key. */
export function credential(
  type: Usage,
  name: string,
  more: { serial?: string; grant?: Grant; issuer?: Credential; notAfterMs?: number } = {},
): Credential {
  const { serial = '20', grant = {}, issuer = ROOT, notAfterMs = ALWAYS.notAfterMs } = more
  return leaf(issuer, { type, name, serial, grant, key: edKey(name), ...ALWAYS, notAfterMs })
}

export function operator(name: string, ...roles: NonNullable<Grant['roles']>[number][]): Credential {
  return credential('operator', name, { grant: { roles }, serial: serialOf(name) })
}

function serialOf(name: string): string {
  return `21${Buffer.from(name).toString('hex')}`.slice(0, 20)
}

export class RemoteKit {
  readonly serving: ServerKit
  readonly trust: string
  nowMs = NOW

  private constructor(serving: ServerKit, trust: string, clock: { nowMs: number }) {
    this.serving = serving
    this.trust = trust
    Object.defineProperty(this, 'nowMs', {
      get: () => clock.nowMs,
      set: (value: number) => {
        clock.nowMs = value
      },
    })
  }

  static async open(): Promise<RemoteKit> {
    const folder = temporaryFolder('pronto-remote-')
    const trust = join(folder, 'trust')
    mkdirSync(trust)
    writeFileSync(join(trust, 'ca.crt'), ROOT.certificate.toPem())
    writeFileSync(join(trust, 'crl.pem'), list(ROOT).toPem())
    const own = credential('router', 'r1')
    const [certificate, key] = [join(folder, 'r1.crt'), join(folder, 'r1.key')]
    writeFileSync(certificate, own.certificate.toPem())
    writeFileSync(key, writePrivateKey(own.key))
    const kit = new RouterKit()
    kit.text = `${kit.text}trust: ${trust}\n`
    const clock = { nowMs: NOW }
    const serving = await serve(
      { remote: { host: '127.0.0.1', port: 0, certificate, key }, calendar: () => clock.nowMs },
      kit,
    )
    return new RemoteKit(serving, trust, clock)
  }

  get port(): number {
    return this.serving.server.remotePort!
  }

  /** Takes certificates back, and lets the router read the list. */
  async revoke(...serials: string[]): Promise<void> {
    const revocation: Revocation = { atMs: NOW - DAY, reason: 'keyCompromise' }
    const revoked = Object.fromEntries(serials.map((each) => [each, revocation]))
    writeFileSync(join(this.trust, 'crl.pem'), list(ROOT, revoked, { number: 2 }).toPem())
    await this.serving.kit.router.reload(false)
  }

  async client(own: Credential, more: { name?: string; trust?: TrustStore } = {}): Promise<ControlClient> {
    const { name = 'r1', trust = new TrustStore([ROOT.certificate], [list(ROOT)]) } = more
    const client = await connectRouter({
      address: { kind: 'remote', host: '127.0.0.1', port: this.port, name },
      role: 'read',
      identity: { trust, credential: own },
      clock: () => NOW,
    })
    onClose(() => client.close())
    return client
  }
}
