import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { attachSignature, readBundle } from '../../execution-env/bundle/bundle.ts'
import { signBundle } from '../../execution-env/bundle/sign.ts'
import { verifyBundle } from '../../execution-env/bundle/verify.ts'
import type { Credential } from '../../execution-env/certificates/authority.ts'
import { readDer, writeDer } from '../../execution-env/certificates/der.ts'
import { signDetached } from '../../execution-env/certificates/signed-data.ts'
import { TrustStore } from '../../execution-env/certificates/trust-store.ts'
import type { Capabilities } from '../../execution-env/contract/capabilities.ts'
import { bundleOf, codeOf } from '../execution-env/bundle/kit.ts'
import {
  authority,
  BROAD,
  DAY,
  edKey,
  leaf,
  list,
  NOW,
  root,
  rsaKey,
} from '../execution-env/certificates/kit.ts'
import { keepPacketsFlowing } from '../support/keep-packets-flowing.ts'

const ASKED: Capabilities = { flows: { to: ['198.18.0.0/16'], actions: ['tunnel'] } }
const BLOCK = 512

interface Member {
  readonly name: string
  readonly content?: Uint8Array | string
  readonly type?: string
  readonly link?: string
  /** Further bytes of the header: [offset, text]. */
  readonly patch?: readonly (readonly [number, string])[]
}

/** An archive as any tar program might write it. */
function archive(members: readonly Member[], end = 2 * BLOCK): Uint8Array {
  const parts = members.flatMap(({ name, content = '', type = '0', link = '', patch = [] }) => {
    const bytes = Buffer.from(content)
    const header = Buffer.alloc(BLOCK)
    header.write(name, 0, 'latin1')
    header.write('0000644\0' + '0000000\0' + '0000000\0', 100)
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0`, 124)
    header.write(type, 156)
    header.write(link, 157)
    header.write('ustar\x0000', 257, 'latin1')
    header.write('0000000\0' + '0000000\0', 329)
    for (const [offset, text] of patch) header.write(text, offset, 'latin1')
    header.fill(' ', 148, 156)
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    )
    return [header, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]
  })
  return Uint8Array.from(Buffer.concat([...parts, Buffer.alloc(end)]))
}

const MANIFEST = JSON.stringify(
  { apiVersion: 1, capabilities: {}, entry: 'plugin.ts', name: 'a', version: '1.0.0' },
  undefined,
  2,
).concat('\n')
const FIRST: Member = { name: 'pronto.json', content: MANIFEST }
const CODE: Member = { name: 'plugin.js', content: 'code' }
const MAP: Member = { name: 'plugin.js.map', content: '{}' }
const SIGNATURE: Member = { name: 'signature.p7s', content: 'signature' }

describe('hostile bundles (R-PR-02)', () => {
  const traffic = keepPacketsFlowing()

  /** Offers a bundle to the router whose packets flow; answers why it is refused. Nothing of it may be there then. */
  const offer = (bytes: Uint8Array, trusted: TrustStore): string => {
    const { rig } = traffic()
    const before = JSON.stringify(rig.manager.list().map((each) => each.id))
    traffic().trust = trusted
    try {
      return codeOf(() => rig.manager.load(bytes, {}, rig.now, () => {}))
    } finally {
      traffic().trust = undefined
      expect(JSON.stringify(rig.manager.list().map((each) => each.id))).to.equal(before)
    }
  }

  describe('when the archive is not exactly a bundle', () => {
    it('starts from one that is', () => {
      expect(codeOf(() => readBundle(archive([FIRST, CODE, MAP])))).to.equal('accepted')
      expect(codeOf(() => readBundle(archive([FIRST, CODE, MAP, SIGNATURE])))).to.equal('accepted')
    })

    const patched = (offset: number, text: string): Uint8Array =>
      archive([FIRST, { ...CODE, patch: [[offset, text]] }, MAP])
    const named = (name: string): Uint8Array => archive([FIRST, CODE, MAP, { name, content: 'x' }])
    const cases: readonly [string, Uint8Array, string][] = [
      ['nothing', new Uint8Array(), 'truncated'],
      ['only an end', new Uint8Array(2 * BLOCK), 'missing-entry'],
      ['no map', archive([FIRST, CODE]), 'missing-entry'],
      ['no manifest', archive([CODE, MAP]), 'missing-entry'],
      ['code before the manifest', archive([CODE, FIRST, MAP]), 'order'],
      ['a signature in between', archive([FIRST, SIGNATURE, CODE, MAP]), 'order'],
      ['a manifest given twice', archive([FIRST, FIRST, CODE, MAP]), 'duplicate'],
      ['code given twice', archive([FIRST, CODE, CODE, MAP]), 'duplicate'],
      ['a second signature', archive([FIRST, CODE, MAP, SIGNATURE, SIGNATURE]), 'duplicate'],
      ['another file at the end', archive([FIRST, CODE, MAP, SIGNATURE, { name: 'x' }]), 'unexpected-entry'],
      ['another file before all', archive([{ name: 'README' }, FIRST, CODE, MAP]), 'unexpected-entry'],
      ['a path upwards', named('../../etc/cron.d/x'), 'unexpected-entry'],
      ['an absolute path', named('/etc/passwd'), 'unexpected-entry'],
      ['a path to itself', named('./plugin.js'), 'unexpected-entry'],
      ['an empty name', named(''), 'unexpected-entry'],
      ['a name in other letters', named('PLUGIN.JS'), 'unexpected-entry'],
      ['a name with a control character', named('plugin.js\u001b[2J'), 'unexpected-entry'],
      ['a name after a zero', patched(11, 'x'), 'not-canonical'],
      ['a prefix', patched(345, 'etc'), 'unexpected-entry'],
      ['a symbolic link', archive([FIRST, { ...CODE, type: '2', link: '/etc/passwd' }, MAP]), 'not-a-file'],
      ['a hard link', archive([FIRST, { ...CODE, type: '1', link: 'pronto.json' }, MAP]), 'not-a-file'],
      ['a folder', archive([FIRST, { name: 'plugin.js', type: '5' }, MAP]), 'not-a-file'],
      ['a device', archive([FIRST, { name: 'plugin.js', type: '3' }, MAP]), 'not-a-file'],
      [
        'a pax header',
        archive([FIRST, { name: 'pax', type: 'x', content: '20 path=plugin.js\n' }, CODE, MAP]),
        'not-a-file',
      ],
      [
        'a long name of GNU',
        archive([FIRST, { name: '././@LongLink', type: 'L', content: 'x' }, CODE, MAP]),
        'not-a-file',
      ],
      ['an old file type', archive([FIRST, { ...CODE, type: '\0' }, MAP]), 'not-a-file'],
      ['a link name without a link', patched(157, '/etc/passwd'), 'not-canonical'],
      ['another mode', patched(100, '0004755\0'), 'not-canonical'],
      ['an owner', patched(108, '0001750\0'), 'not-canonical'],
      ['a time', patched(136, '14000000000\0'), 'not-canonical'],
      ['a user name', patched(265, 'root'), 'not-canonical'],
      ['another magic', patched(257, 'ustar  \0'), 'not-canonical'],
      ['bytes in the padding of a header', patched(500, 'x'), 'not-canonical'],
      ['a size in base 256', patched(124, '\x80\0\0\0\0\0\0\0\0\0\0\x04'), 'not-canonical'],
      ['a size with a space', patched(124, '00000000004 '), 'not-canonical'],
      ['a size beyond the limit', patched(124, '77777777777\0'), 'limit'],
      ['a size beyond the end', patched(124, '00000010000\0'), 'truncated'],
      ['one block of end', archive([FIRST, CODE, MAP], BLOCK), 'truncated'],
      ['no end', archive([FIRST, CODE, MAP], 0), 'truncated'],
      ['a longer end', archive([FIRST, CODE, MAP], 20 * BLOCK), 'trailing'],
      [
        'a file behind the end',
        Uint8Array.from(Buffer.concat([archive([FIRST, CODE, MAP]), archive([CODE])])),
        'trailing',
      ],
      ['a byte behind the end', Uint8Array.from([...archive([FIRST, CODE, MAP]), 0]), 'trailing'],
      [
        'code that is not UTF-8',
        archive([FIRST, { ...CODE, content: Uint8Array.of(0xc3) }, MAP]),
        'encoding',
      ],
      [
        'a map that is not UTF-8',
        archive([FIRST, CODE, { ...MAP, content: Uint8Array.of(0xff) }]),
        'encoding',
      ],
      ['too much in all', new Uint8Array(20_000_000), 'limit'],
    ]
    for (const [what, bytes, code] of cases)
      it(`refuses ${what}`, () => {
        expect(codeOf(() => readBundle(bytes))).to.equal(code)
        expect(offer(bytes, new TrustStore([], []))).to.equal(code)
      })
  })

  describe('when the manifest is hostile', () => {
    const withManifest = (content: string): Uint8Array => archive([{ ...FIRST, content }, CODE, MAP])
    const cases: readonly [string, string, string][] = [
      ['of another form', MANIFEST.replace('\n', '\n '), 'not-canonical'],
      [
        'with its keys in another order',
        `${JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(MANIFEST) as object).reverse()), undefined, 2)}\n`,
        'not-canonical',
      ],
      ['that is huge', `{"name":"${'a'.repeat(70_000)}"}`, 'limit'],
      ['that is deeply nested', `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, 'manifest'],
      [
        'with endless keys',
        `{${Array.from({ length: 5_000 }, (_, index) => `"${index.toString(36)}":0`).join()}}`,
        'manifest',
      ],
      ['with a key given twice', MANIFEST.replace('"name"', '"entry": "b.ts",\n  "name"'), 'manifest'],
      [
        'that pollutes prototypes',
        MANIFEST.replace('"capabilities": {}', '"capabilities": {"__proto__": {"flows": {}}}'),
        'manifest',
      ],
      ['with unknown keys', MANIFEST.replace('"name"', '"scripts": {},\n  "name"'), 'manifest'],
      ['with a path as its name', MANIFEST.replace('"a"', '"../a"'), 'manifest'],
      ['with a path upwards as its entry', MANIFEST.replace('plugin.ts', '../../x.ts'), 'manifest'],
      ['that is empty', '', 'manifest'],
      ['that is no JSON', 'name: a', 'manifest'],
      ['with a byte order mark', `\ufeff${MANIFEST}`, 'manifest'],
    ]
    for (const [what, content, code] of cases)
      it(`refuses one ${what}`, () => {
        expect(codeOf(() => readBundle(withManifest(content)))).to.equal(code)
        expect(offer(withManifest(content), new TrustStore([], []))).to.equal(code)
      })
  })

  describe('when the signature is not what it should be', () => {
    const top = root()
    const store = new TrustStore([top.certificate], [list(top)])
    const { bytes, bundle } = bundleOf(ASKED)
    const judge = (signed: Uint8Array, trusted = store): string =>
      codeOf(() => verifyBundle(readBundle(signed), trusted, { atMs: NOW }))
    const signedBy = (signer: Credential): Uint8Array =>
      attachSignature(bundle, signDetached(bundle.payload, signer, NOW))

    it('starts from one that is', () => {
      expect(judge(signedBy(leaf(top)))).to.equal('accepted')
    })

    const signers: readonly [string, () => Credential, string][] = [
      ['expired', () => leaf(top, { notAfterMs: NOW - DAY }), 'expired'],
      ['not yet valid', () => leaf(top, { notBeforeMs: NOW + DAY }), 'not-yet-valid'],
      ['for a host', () => leaf(top, { type: 'host' }), 'wrong-usage'],
      ['for an operator', () => leaf(top, { type: 'operator' }), 'wrong-usage'],
      ['for a router', () => leaf(top, { type: 'router' }), 'wrong-usage'],
      ['of the root itself', () => top, 'wrong-usage'],
      ['of a look-alike root', () => leaf(root({ key: rsaKey('look-alike') })), 'untrusted'],
      [
        'of a root that nobody trusts',
        () => leaf(root({ name: 'Mine', key: rsaKey('look-alike') })),
        'untrusted',
      ],
      ['that grants nothing', () => leaf(top, { grant: {} }), 'beyond-grant'],
      [
        'that grants another virtual host',
        () =>
          leaf(top, { grant: { capabilities: { flows: { to: ['198.19.0.0/16'], actions: ['tunnel'] } } } }),
        'beyond-grant',
      ],
    ]
    for (const [what, signer, code] of signers)
      it(`refuses a certificate ${what}`, () => {
        expect(judge(signedBy(signer()))).to.equal(code)
        expect(offer(signedBy(signer()), store)).to.equal(code)
      })

    it('refuses a revoked certificate', () => {
      const revoked = list(top, { '10': { atMs: NOW - DAY, reason: 'keyCompromise' } })
      const wary = new TrustStore([top.certificate], [revoked])
      expect(judge(signedBy(leaf(top)), wary)).to.equal('revoked')
      expect(offer(signedBy(leaf(top)), wary)).to.equal('revoked')
    })

    it('refuses an authority in between that grants more than it was granted', () => {
      const narrow = { ...BROAD, capabilities: { flows: { to: ['198.19.0.0/16'] } } }
      const middle = authority(top, { grant: narrow })
      const generous = { ...middle, certificate: authority(top).certificate }
      const alice = { ...leaf(generous), chain: [middle.certificate] }
      const trusted = new TrustStore([top.certificate], [list(top), list(middle)])
      expect(judge(signedBy(alice), trusted)).to.equal('beyond-grant')
    })

    it('refuses no signature, an empty one and one of anything', () => {
      expect(judge(bytes)).to.equal('unsigned')
      for (const signature of [new Uint8Array(), Uint8Array.of(0x30, 0), Buffer.from('signature')])
        expect(judge(attachSignature(bundle, signature))).to.equal('malformed')
    })

    it('refuses the signature of another bundle', () => {
      const other = readBundle(signBundle(bundleOf().bytes, leaf(top), NOW))
      expect(judge(attachSignature(bundle, other.signature!))).to.equal('altered')
    })

    it('refuses a signature over the whole file, or over the manifest alone', () => {
      for (const content of [bytes, bundle.payload.subarray(0, 1_024)])
        expect(judge(attachSignature(bundle, signDetached(content, leaf(top), NOW)))).to.equal('altered')
    })

    it('refuses certificates that were added', () => {
      const alice = leaf(top)
      const bob = leaf(top, { name: 'bob', serial: '11' })
      expect(judge(signedBy({ ...alice, chain: [bob.certificate] }))).to.equal('malformed')
      expect(judge(signedBy({ ...alice, chain: [alice.certificate] }))).to.equal('malformed')
      expect(judge(signedBy({ ...alice, chain: [top.certificate] }))).to.equal('accepted')
    })

    it('refuses an attribute that nobody signed', () => {
      const tree = readDer(readBundle(signedBy(leaf(top))).signature!, 100_000)
      const parts = (element: typeof tree) => element.value as (typeof tree)[]
      const signedData = parts(parts(tree)[1]!)[0]!
      const signer = parts(parts(signedData).at(-1)!)[0]!
      parts(signer).push({ ...parts(signer)[3]!, type: 1 })
      expect(judge(attachSignature(bundle, writeDer(tree)))).to.equal('malformed')
    })
  })

  describe('when a signed bundle is altered', () => {
    const top = root({ name: 'Ed25519 root', key: edKey('root') })
    const store = new TrustStore([top.certificate], [list(top)])
    const signers = [leaf(top, { key: edKey('signer') }), leaf(top)]

    for (const signer of signers) {
      const kind = signer.key.asymmetricKeyType
      const signed = signBundle(bundleOf(ASKED).bytes, signer, NOW)
      const judge = (bytes: Uint8Array): string =>
        codeOf(() => verifyBundle(readBundle(bytes), store, { atMs: NOW }))
      const signatureAt = readBundle(signed).payload.length

      it(`refuses every changed byte, in every part (${kind})`, () => {
        expect(judge(signed)).to.equal('accepted')
        const changed = (at: number, mask: number): Uint8Array => {
          const bytes = Uint8Array.from(signed)
          bytes[at]! ^= mask
          return bytes
        }
        fc.assert(
          fc.property(fc.nat(signed.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
            expect(judge(changed(at, mask)), `byte ${at}`).to.not.equal('accepted')
          }),
          { numRuns: 300 },
        )
        for (let at = signatureAt; at < signed.length; at++)
          expect(judge(changed(at, 1 << (at % 8))), `byte ${at}`).to.not.equal('accepted')
      })

      it(`refuses every shorter form (${kind})`, () => {
        for (let length = 0; length < signed.length; length += 97)
          expect(judge(signed.slice(0, length)), `${length} bytes`).to.not.equal('accepted')
        for (let blocks = 1; blocks * BLOCK < signed.length; blocks++)
          expect(judge(signed.slice(0, -blocks * BLOCK)), `${blocks} blocks less`).to.not.equal('accepted')
      })
    }
  })
})
