import { connect as connectSocket, createServer } from 'node:net'
import { connect as connectTls, type SecureVersion, type TLSSocket } from 'node:tls'
import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import { WebSocket } from 'ws'
import { type Credential, issueCertificate, TrustStore } from '../../execution-env/certificates/index.ts'
import { CONTROL_PATH, CONTROL_PROTOCOL } from '../../router/control/protocol.ts'
import { authority, DAY, edKey, list, NOW } from '../execution-env/certificates/kit.ts'
import { bundleOf } from '../router/double-host.ts'
import { ALWAYS, credential, OTHER_ROOT, operator, RemoteKit, ROOT } from '../router/remote-kit.ts'
import { refusalOf } from '../router/router-kit.ts'
import { closeAll, onClose, RawClient, until } from '../router/server-kit.ts'
import { keepPacketsFlowing } from '../support/keep-packets-flowing.ts'

/** Far from the machine's own time, by which OpenSSL judges. */
const SOON = Date.UTC(2150, 0, 1)
const ALICE = operator('alice', 'read', 'operate', 'install')

function tls(
  { port }: { readonly port: number },
  own: Credential | undefined,
  maxVersion: SecureVersion = 'TLSv1.3',
): TLSSocket {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    maxVersion,
    minVersion: 'TLSv1.2',
    ...(own === undefined
      ? {}
      : {
          cert: [own.certificate, ...own.chain].map((each) => each.toPem()).join(''),
          key: own.key.export({ type: 'pkcs8', format: 'pem' }),
        }),
    ca: ROOT.certificate.toPem(),
    checkServerIdentity: () => undefined,
  })
  socket.on('error', () => {})
  onClose(() => socket.destroy())
  return socket
}

/** What comes back over a TLS connection that sends a whole upgrade, until it ends. */
function upgradeAnswer(socket: TLSSocket, headers: readonly string[] = []): Promise<string> {
  socket.write(
    [
      `GET ${CONTROL_PATH} HTTP/1.1`,
      'Host: r1',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      `Sec-WebSocket-Protocol: ${CONTROL_PROTOCOL}`,
      ...headers,
      '',
      '',
    ].join('\r\n'),
  )
  return new Promise((settle) => {
    let text = ''
    socket.on('data', (part) => {
      text += part.toString('latin1')
      if (text.includes('\r\n\r\n')) settle(text.split('\r\n')[0]!)
    })
    socket.on('close', () => settle(text.split('\r\n')[0]!))
  })
}

/** The router still serves those who may. */
async function expectServing(kit: RemoteKit): Promise<void> {
  const client = await kit.client(ALICE)
  expect(await client.call('health')).to.deep.include({
    you: { via: 'remote', name: 'alice', roles: ['install', 'operate', 'read'] },
  })
  client.close()
}

describe('remote control, attacked', () => {
  keepPacketsFlowing()
  afterEach(closeAll)

  it('gives an operator the roles of the certificate, each by itself', async () => {
    const kit = await RemoteKit.open()
    await expectServing(kit)
    const reader = await kit.client(operator('reader', 'read'))
    expect(await reader.call('list')).to.deep.equal([])
    expect(await refusalOf(reader.call('unload', { id: 'a' }))).to.include({ code: 'forbidden' })
    const installer = await kit.client(operator('installer', 'install'))
    expect(await refusalOf(installer.call('list'))).to.include({ code: 'forbidden' })
    const upload = await installer.upload(bundleOf('spread', '1.0.0'))
    expect(await installer.call('load', { upload })).to.include({ by: 'remote:installer' })
    const nobody = await kit.client(operator('nobody'))
    expect(await refusalOf(nobody.call('health'))).to.include({ code: 'forbidden' })
    expect(kit.serving.kit.audited().find((each) => each['what'] === 'load')).to.deep.include({
      actor: {
        via: 'remote',
        name: 'installer',
        serial: operator('installer', 'install').certificate.serial,
        address: '127.0.0.1',
      },
    })
  })

  describe('when somebody without the right certificate knocks', () => {
    const strangers: Readonly<Record<string, () => Credential | undefined>> = {
      'none at all': () => undefined,
      'one of another root': () =>
        credential('operator', 'mallory', { issuer: OTHER_ROOT, grant: ALICE.certificate.grant }),
      'one that signed itself': () => OTHER_ROOT,
      "a look-alike of our root's": () => {
        const alike = { ...ROOT, key: edKey('a stranger') }
        const key = edKey('mallory')
        const request = { name: 'alice', serial: '33', type: 'operator' as const, key, ...ALWAYS }
        return {
          certificate: issueCertificate(alike, { ...request, grant: ALICE.certificate.grant }),
          key,
          chain: [],
        }
      },
    }
    for (const [what, make] of Object.entries(strangers))
      it(`turns away ${what}, before a word of HTTP`, async () => {
        const kit = await RemoteKit.open()
        expect(await upgradeAnswer(tls(kit, make()))).to.equal('')
        await until(() => kit.serving.server.counters.notAuthenticated === 1)
        expect(kit.serving.server.counters.opened).to.equal(0)
        await expectServing(kit)
      })

    const unfit: Readonly<Record<string, readonly [string, () => Credential]>> = {
      'the certificate of a router': ['wrong-usage', () => credential('router', 'r2', { serial: '41' })],
      'an operator whose time is over': [
        'expired',
        () => credential('operator', 'late', { serial: '42', grant: { roles: ['read'] }, notAfterMs: SOON }),
      ],
    }
    for (const [what, [code, make]] of Object.entries(unfit))
      it(`turns away ${what}, and notes it`, async () => {
        const kit = await RemoteKit.open()
        if (code === 'expired') kit.nowMs = SOON + DAY
        expect(await upgradeAnswer(tls(kit, make()))).to.equal('HTTP/1.1 403 Forbidden')
        expect(await refusalOf(kit.client(make()))).to.include({ code: 'forbidden' })
        const told = kit.serving.kit.audited().filter((each) => each['what'] === 'connect')
        // The second refusal is like the first one and left out.
        expect(told).to.have.length(1)
        expect(told[0]).to.deep.include({ outcome: 'refused', code })
        kit.nowMs = NOW
        await expectServing(kit)
      })

    it('turns away hosts and signers', async () => {
      const kit = await RemoteKit.open()
      for (const type of ['host', 'signer'] as const) {
        const answer = await upgradeAnswer(tls(kit, credential(type, `a ${type}`, { serial: '43' })))
        expect(answer, type).to.be.oneOf(['', 'HTTP/1.1 403 Forbidden'])
      }
      expect(kit.serving.server.counters.opened).to.equal(0)
    })

    it('does not let a grant grow below its issuer', async () => {
      const kit = await RemoteKit.open()
      const issuer = authority(ROOT, { ...ALWAYS, key: edKey('authority'), grant: { roles: ['read'] } })
      // An issuer that signs what it may not: our own library would not.
      const bound = {
        ...issuer,
        certificate: authority(ROOT, { ...ALWAYS, key: edKey('authority') }).certificate,
      }
      const key = edKey('eve')
      const certificate = issueCertificate(bound, {
        type: 'operator',
        name: 'eve',
        serial: '51',
        key,
        grant: { roles: ['install'] },
        ...ALWAYS,
      })
      const eve: Credential = { certificate, key, chain: [issuer.certificate] }
      expect(await upgradeAnswer(tls(kit, eve))).to.equal('HTTP/1.1 403 Forbidden')
    })

    it('speaks nothing older than TLS 1.3, and nothing unencrypted', async () => {
      const kit = await RemoteKit.open()
      expect(await upgradeAnswer(tls(kit, ALICE, 'TLSv1.2'))).to.equal('')
      const plain = connectSocket(kit.port, '127.0.0.1')
      onClose(() => plain.destroy())
      plain.write(`GET ${CONTROL_PATH} HTTP/1.1\r\nHost: r1\r\n\r\n`)
      const answer = await new Promise<string>((settle) => {
        let text = ''
        plain.on('data', (part) => {
          text += part.toString('latin1')
        })
        plain.on('error', () => {})
        plain.on('close', () => settle(text))
      })
      expect(answer).to.not.contain('HTTP/1.1')
      await expectServing(kit)
    })
  })

  describe('when a certificate is taken back', () => {
    it('ends its sessions at the next reload, and only those', async () => {
      const kit = await RemoteKit.open()
      const [alice, bob] = [await kit.client(ALICE), await kit.client(operator('bob', 'read'))]
      await kit.revoke(ALICE.certificate.serial)
      expect(await alice.ended).to.equal('the certificate is not valid any more')
      expect(await bob.call('list')).to.deep.equal([])
      expect(await refusalOf(kit.client(ALICE))).to.include({ code: 'forbidden' })
      expect(kit.serving.server.counters.expired).to.equal(1)
    })
  })

  describe('when a certificate runs out during a session', () => {
    it('carries out no further request', async () => {
      const kit = await RemoteKit.open()
      const client = await kit.client(ALICE)
      expect(await client.call('list')).to.deep.equal([])
      kit.nowMs = ALWAYS.notAfterMs + DAY
      expect(await refusalOf(client.call('list'))).to.include({ code: 'unreachable' })
    })
  })

  describe('when what was said before is said again', () => {
    it('does not take a recorded TLS stream', async () => {
      const kit = await RemoteKit.open()
      const recorded: Buffer[] = []
      // An eavesdropper between operator and router records what the operator sends.
      const middle = createServer((near) => {
        const far = connectSocket(kit.port, '127.0.0.1')
        near.on('data', (part: Buffer) => {
          recorded.push(part)
          far.write(part)
        })
        far.on('data', (part) => near.write(part))
        for (const each of [near, far]) each.on('error', () => {})
        near.on('close', () => far.destroy())
        far.on('close', () => near.destroy())
      })
      await new Promise<void>((settle) => middle.listen(0, '127.0.0.1', () => settle()))
      onClose(() => middle.close())
      const { port } = middle.address() as { port: number }
      const socket = new WebSocket(`wss://127.0.0.1${CONTROL_PATH}`, CONTROL_PROTOCOL, {
        createConnection: () => tls({ port }, ALICE),
      })
      const raw = new RawClient(socket)
      await raw.opened
      await raw.ask({ jsonrpc: '2.0', id: 1, method: 'reload' })
      const requests = kit.serving.server.counters.requests
      const replay = connectSocket(kit.port, '127.0.0.1')
      onClose(() => replay.destroy())
      replay.on('error', () => {}).resume()
      const closed = new Promise((settle) => replay.on('close', settle))
      for (const part of recorded) replay.write(part)
      await closed
      expect(kit.serving.server.counters.requests).to.equal(requests)
      await expectServing(kit)
    })

    it('resumes no session: every connection is judged anew', async () => {
      const kit = await RemoteKit.open()
      const socket = tls(kit, ALICE)
      let ticket: Buffer | undefined
      socket.on('session', (session) => {
        ticket = session
      })
      await upgradeAnswer(socket)
      if (ticket === undefined) return
      const again = connectTls({
        host: '127.0.0.1',
        port: kit.port,
        session: ticket,
        ca: ROOT.certificate.toPem(),
        checkServerIdentity: () => undefined,
      })
      again.on('error', () => {})
      onClose(() => again.destroy())
      // Without the certificate, the ticket alone opens nothing.
      expect(await upgradeAnswer(again)).to.equal('')
    })
  })

  describe('when a browser comes along', () => {
    it('is turned away by its origin, whatever certificate it has', async () => {
      const kit = await RemoteKit.open()
      for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1'])
        expect(await upgradeAnswer(tls(kit, ALICE), [`Origin: ${origin}`])).to.equal('HTTP/1.1 403 Forbidden')
      await expectServing(kit)
    })
  })

  describe('when connections are opened and left', () => {
    it('ends them, and answers others meanwhile', async () => {
      const kit = await RemoteKit.open()
      const idle = Array.from({ length: 20 }, () => connectSocket(kit.port, '127.0.0.1'))
      for (const each of idle) onClose(() => each.destroy())
      await Promise.all(idle.map((each) => new Promise((settle) => each.on('connect', settle))))
      await expectServing(kit)
    })

    it('takes no more than so many from one address', async () => {
      const kit = await RemoteKit.open()
      const many = Array.from({ length: 40 }, () =>
        connectSocket(kit.port, '127.0.0.1').on('error', () => {}),
      )
      for (const each of many) onClose(() => each.destroy())
      let closed = 0
      for (const each of many) each.on('close', () => closed++)
      await until(() => closed >= 8)
      // Local operators are not kept out by a crowd at the other door.
      expect(await (await kit.serving.client()).call('list')).to.deep.equal([])
    })
  })
})

describe('the client, attacked', () => {
  afterEach(closeAll)

  it('does not speak to a router of another name, another root, or one that is no router', async () => {
    const kit = await RemoteKit.open()
    expect((await refusalOf(kit.client(ALICE, { name: 'r2' }))).message).to.equal(
      'the router there is r1, not r2; if that is right, add #r1',
    )
    const stranger = new TrustStore([OTHER_ROOT.certificate], [list(OTHER_ROOT)])
    expect(await refusalOf(kit.client(ALICE, { trust: stranger }))).to.include({ code: 'refused' })
    const revoked = list(ROOT, { '20': { atMs: NOW - DAY, reason: 'keyCompromise' } })
    const wary = new TrustStore([ROOT.certificate], [revoked])
    expect(await refusalOf(kit.client(ALICE, { trust: wary }))).to.include({
      code: 'refused',
      causeCode: 'revoked',
    })
    expect(kit.serving.server.counters.opened).to.equal(0)
  })
})
