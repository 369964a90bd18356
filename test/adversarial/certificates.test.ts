import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { CertificateError } from '../../execution-env/certificates/errors.ts'
import { TrustStore } from '../../execution-env/certificates/trust-store.ts'
import { verifyCertificate } from '../../execution-env/certificates/verifier.ts'
import { NOW } from '../execution-env/certificates/kit.ts'
import { inFolder, requireOpenssl, runOpenssl } from '../execution-env/certificates/openssl.ts'
import { keepPacketsFlowing } from '../support/keep-packets-flowing.ts'
import { type CertificateCase, certificateCases } from './certificate-cases.ts'

function ourAnswer(each: CertificateCase): string {
  const store = new TrustStore(each.roots, each.lists)
  try {
    verifyCertificate(each.presented, store, { usage: each.usage ?? 'signer', atMs: each.atMs ?? NOW })
    return 'accepted'
  } catch (error) {
    if (error instanceof CertificateError) return error.code
    throw error
  }
}

/** `accepted`, or the number of openssl's first error. */
function opensslAnswer(each: CertificateCase, folder: string): 'accepted' | number {
  const write = (name: string, items: readonly { toPem(): string }[]): string => {
    const file = join(folder, name)
    writeFileSync(file, items.map((item) => item.toPem()).join(''))
    return file
  }
  const [certificate, ...others] = each.presented
  const optional = (flag: string, name: string, items: readonly { toPem(): string }[]) =>
    items.length === 0 ? [] : [flag, write(name, items)]
  const { ok, output } = runOpenssl(
    [
      'verify',
      '-attime',
      String((each.atMs ?? NOW) / 1000),
      '-crl_check',
      '-crl_check_all',
      '-no-CApath',
      '-no-CAstore',
      '-CAfile',
      write('roots.pem', each.roots),
      ...optional('-CRLfile', 'lists.pem', each.lists),
      ...optional('-untrusted', 'others.pem', others),
      write('certificate.pem', [certificate!]),
    ],
    folder,
  )
  if (ok) return 'accepted'
  const number = /error (\d+) at/.exec(output)?.[1]
  if (number === undefined) throw new Error(`openssl: ${output}`)
  return Number(number)
}

describe('hostile certificates (R-PR-02)', () => {
  keepPacketsFlowing()
  const cases = certificateCases()

  for (const each of cases)
    it(`${each.expected === 'accepted' ? 'accepts' : 'refuses'}: ${each.name}`, () => {
      expect(ourAnswer(each)).to.equal(each.expected)
    })

  it('agrees with openssl verify -crl_check wherever both have an opinion', function () {
    requireOpenssl(this)
    const opinions = cases.filter((each) => each.openssl !== 'none')
    expect(opinions.length).to.be.greaterThan(30)
    inFolder((folder) => {
      for (const each of opinions) {
        expect(opensslAnswer(each, folder), each.name).to.equal(each.openssl)
        expect(each.openssl === 'accepted', each.name).to.equal(each.expected === 'accepted')
      }
    })
  })
})
