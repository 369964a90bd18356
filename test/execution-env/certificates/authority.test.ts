import { X509Certificate } from 'node:crypto'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  createRoot,
  issueAuthority,
  issueCertificate,
} from '../../../execution-env/certificates/authority.ts'
import { Certificate, readCertificates } from '../../../execution-env/certificates/certificate.ts'
import { CertificateError } from '../../../execution-env/certificates/errors.ts'
import {
  createKey,
  deriveSeed,
  writePrivateKey,
  writePublicKey,
} from '../../../execution-env/certificates/keys.ts'
import { USAGES } from '../../../execution-env/certificates/object-identifiers.ts'
import { readRevocationLists } from '../../../execution-env/certificates/revocation-list.ts'
import { authority, BROAD, DAY, edKey, leaf, list, NOW, root, rsaKey, VALID } from './kit.ts'

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof CertificateError) return error.code
    throw error
  }
  return 'nothing'
}

describe('keys', () => {
  it('are an Ed25519 seed, as in RFC 8032 section 7.1', () => {
    const vectors = [
      [
        '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
        'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      ],
      [
        '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
        '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      ],
    ] as const
    for (const [seed, expected] of vectors) {
      const key = createKey({ algorithm: 'ed25519', seed: Uint8Array.from(Buffer.from(seed, 'hex')) })
      expect(Buffer.from(writePublicKey(key)).toString('hex').slice(-64)).to.equal(expected)
    }
  })

  it('are derived from a secret by name', () => {
    expect(deriveSeed('secret', 'r1')).to.have.length(32)
    expect(deriveSeed('secret', 'r1')).to.deep.equal(deriveSeed('secret', 'r1'))
    expect(deriveSeed('secret', 'r2')).to.not.deep.equal(deriveSeed('secret', 'r1'))
    expect(deriveSeed('other', 'r1')).to.not.deep.equal(deriveSeed('secret', 'r1'))
    expect(codeOf(() => createKey({ algorithm: 'ed25519', seed: new Uint8Array(31) }))).to.equal('invalid')
  })

  it('differ when they are random', () => {
    const [one, other] = [createKey({ algorithm: 'ed25519' }), createKey({ algorithm: 'ed25519' })]
    expect(writePrivateKey(one)).to.not.equal(writePrivateKey(other))
  })
})

describe('authority (R-SLR-17)', () => {
  it('writes the same bytes for the same request, with Ed25519 and RSA keys alike', () => {
    for (const key of [edKey('root'), rsaKey('root')]) {
      const make = () => {
        const top = root({ key })
        const middle = authority(top, { key: edKey('middle') })
        return [top, middle, leaf(middle), leaf(top, { type: 'host' })].map(
          (each) => each.certificate.fingerprint,
        )
      }
      expect(make()).to.deep.equal(make())
      const lists = () => list(root({ key }), { '10': { atMs: NOW, reason: 'superseded' } }).toPem()
      expect(lists()).to.equal(lists())
    }
  })

  it('writes certificates that node:crypto reads as we do', () => {
    const top = root()
    for (const type of USAGES) {
      const { certificate } = leaf(top, { type, name: 's1.example', serial: '0a80' })
      const other = new X509Certificate(certificate.toPem())
      expect(other.subject).to.equal('CN=s1.example')
      expect(other.issuer).to.equal('CN=Test root')
      expect(other.serialNumber.toLowerCase()).to.equal(certificate.serial)
      expect(other.validFromDate.getTime()).to.equal(certificate.notBeforeMs)
      expect(other.validToDate.getTime()).to.equal(certificate.notAfterMs)
      expect(other.ca).to.equal(false)
      expect(other.keyUsage).to.deep.equal(certificate.extensions.purposes)
      expect(other.fingerprint256.replaceAll(':', '').toLowerCase()).to.equal(certificate.fingerprint)
      expect(other.checkIssued(new X509Certificate(top.certificate.der))).to.equal(true)
      expect(other.verify(top.certificate.publicKey)).to.equal(true)
      expect(other.subjectAltName).to.equal(type === 'signer' ? undefined : 'DNS:s1.example')
    }
  })

  it('reads back what it wrote', () => {
    const top = root({ pathLength: 2, grant: BROAD })
    expect(top.certificate.extensions).to.deep.include({ isAuthority: true, pathLength: 2 })
    const { certificate } = leaf(top, { grant: { virtualHosts: ['198.18.1.0/24', '198.18.0.0/24'] } })
    expect(certificate.grant).to.deep.equal({ virtualHosts: ['198.18.0.0/23'] })
    expect(certificate.extensions.keyUsages).to.deep.equal(new Set(['digitalSignature']))
    expect(
      readCertificates(`words\n${certificate.toPem()}${top.certificate.toPem()}`).map((each) => each.subject),
    ).to.deep.equal(['CN=alice', 'CN=Test root'])
    expect(readCertificates(certificate.der)[0]!.fingerprint).to.equal(certificate.fingerprint)
  })

  it('fits the certificate of a host into one datagram', () => {
    const top = root({ key: edKey('root') })
    const { certificate } = leaf(top, {
      type: 'host',
      name: 's1',
      grant: { virtualHosts: ['198.18.0.0/15'] },
    })
    expect(certificate.der.length).to.be.lessThan(600)
  })

  it('grants no more than it was granted', () => {
    const bound = root({ grant: { virtualHosts: ['198.18.0.0/16'] } })
    const ask = (virtualHosts: readonly string[]) => () =>
      leaf(bound, { type: 'host', grant: { virtualHosts } })
    expect(codeOf(ask(['198.18.3.0/24']))).to.equal('nothing')
    expect(codeOf(ask(['198.18.0.0/15']))).to.equal('beyond-grant')
    expect(codeOf(() => leaf(bound, { grant: { roles: ['read'] } }))).to.equal('beyond-grant')
    const below = authority(root(), { grant: {} })
    expect(codeOf(() => leaf(below, { grant: { roles: ['read'] } }))).to.equal('beyond-grant')
    expect(codeOf(() => leaf(below, { grant: {} }))).to.equal('nothing')
  })

  it('issues no longer chains than it may', () => {
    const top = root({ pathLength: 1 })
    expect(codeOf(() => authority(top))).to.equal('path-length')
    expect(codeOf(() => authority(top, { pathLength: 1 }))).to.equal('path-length')
    const middle = authority(top, { pathLength: 0 })
    expect(codeOf(() => authority(middle, { pathLength: 0 }))).to.equal('path-length')
    expect(codeOf(() => leaf(middle))).to.equal('nothing')
  })

  it('refuses requests that are not of the form', () => {
    const top = root()
    const common = { name: 'a', serial: '10', key: edKey('a'), ...VALID }
    for (const wrong of [
      { name: '' },
      { name: 'a\nb' },
      { name: '\u001b[2J' },
      { name: 'x'.repeat(65) },
      { serial: '' },
      { serial: '0' },
      { serial: '00' },
      { serial: 'AB' },
      { serial: '11'.repeat(21) },
      { notBeforeMs: NOW, notAfterMs: NOW },
      { notBeforeMs: -1 },
      { notAfterMs: Number.NaN },
      { notAfterMs: Date.UTC(10_000, 0) },
    ]) {
      const request = { ...common, ...wrong }
      expect(
        codeOf(() => issueCertificate(top, { ...request, type: 'signer' })),
        JSON.stringify(wrong),
      ).to.equal('invalid')
      expect(
        codeOf(() => createRoot(request)),
        JSON.stringify(wrong),
      ).to.equal('invalid')
    }
    expect(codeOf(() => issueCertificate(top, { ...common, type: 'host', key: rsaKey('a') }))).to.equal(
      'unsupported',
    )
    expect(codeOf(() => issueAuthority(leaf(top), { ...common }))).to.equal('not-authority')
  })

  it('takes no keys that are too weak or of another kind', () => {
    const weak = '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n'
    expect(codeOf(() => new Certificate(Buffer.from(weak)))).to.equal('malformed')
    const short = createKey({ algorithm: 'rsa', bits: 1024 as 2048 })
    expect(codeOf(() => root({ key: short }))).to.equal('unsupported')
  })
})

describe('revocation list', () => {
  it('reads back what it wrote', () => {
    const top = root()
    const revoked = {
      '10': { atMs: NOW - DAY, reason: 'keyCompromise' },
      ff00: { atMs: NOW, reason: 'unspecified' },
    } as const
    const [read] = readRevocationLists(list(top, revoked, { number: 300 }).toPem())
    expect(read).to.include({
      number: 300,
      thisUpdateMs: NOW - DAY,
      nextUpdateMs: NOW + 29 * DAY,
      issuer: 'CN=Test root',
    })
    expect(Object.fromEntries(read!.revoked)).to.deep.equal(revoked)
    expect(read!.names(top.certificate) && read!.isSignedBy(top.certificate)).to.equal(true)
    expect(read!.isSignedBy(root({ key: rsaKey('other') }).certificate)).to.equal(false)
    expect(readRevocationLists(read!.der)[0]!.number).to.equal(300)
  })

  it('holds thousands', () => {
    const revoked = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, index) => [
        (0x1000 + index).toString(16),
        { atMs: NOW, reason: 'superseded' as const },
      ]),
    )
    expect(list(root(), revoked).revoked.size).to.equal(5_000)
  })
})
