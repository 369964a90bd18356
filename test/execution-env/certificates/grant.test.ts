import { expect } from 'chai'
import { describe, it } from 'mocha'
import { CertificateError } from '../../../execution-env/certificates/errors.ts'
import {
  describeGrant,
  excessOfGrant,
  formatGrant,
  type Grant,
  parseGrant,
} from '../../../execution-env/certificates/grant.ts'
import { formatViolation } from '../../../execution-env/contract/index.ts'

const GRANT: Grant = {
  capabilities: { flows: { to: ['198.18.0.0/15'], actions: ['tunnel'] } },
  roles: ['read', 'operate'],
  virtualHosts: ['198.18.0.0/16'],
  groups: ['239.192.0.0/14'],
}

describe('grant (R-SLR-17)', () => {
  it('has one text, which reads back', () => {
    expect(parseGrant(formatGrant(GRANT))).to.deep.equal({ ...GRANT, roles: ['operate', 'read'] })
    expect(formatGrant({ roles: ['read', 'operate'] })).to.equal('{"roles":["operate","read"]}')
    expect(formatGrant({ capabilities: { flows: {} }, virtualHosts: [] })).to.equal('{}')
  })

  it('is refused when it is not of the form, with every problem', () => {
    const wrong = JSON.stringify({
      roles: ['root'],
      virtualHosts: ['10.0.0.1/8'],
      groups: ['10.0.0.0/8'],
      capabilities: { flow: {} },
      more: 1,
    })
    try {
      parseGrant(wrong)
      throw new Error('accepted')
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error
      expect(error.code).to.equal('malformed')
      for (const place of ['roles[0]', 'virtualHosts[0]', 'groups[0]', 'capabilities.flow', 'more'])
        expect(error.message).to.contain(`${place}: `)
    }
    for (const text of [
      '',
      '[]',
      'null',
      '{"roles":["read"],"roles":[]}',
      `{"virtualHosts":[${'"1.1.1.1",'.repeat(5_000)}"1.1.1.1"]}`,
    ])
      expect(() => parseGrant(text), text.slice(0, 40)).to.throw(CertificateError)
  })

  it('tells what goes beyond another', () => {
    expect(excessOfGrant(GRANT, GRANT)).to.deep.equal([])
    expect(excessOfGrant({}, {})).to.deep.equal([])
    const beyond = excessOfGrant(GRANT, { ...GRANT, roles: ['read'], groups: [], capabilities: {} })
    expect(beyond.map(formatViolation)).to.deep.equal([
      'capabilities.flows.to: 198.18.0.0/15 is asked for, nothing is granted',
      'capabilities.flows.actions: tunnel is asked for, nothing is granted',
      'roles: operate is beyond the grant of read',
      'groups: 239.192.0.0/14 is asked for, nothing is granted',
    ])
  })

  it('describes itself', () => {
    expect(describeGrant(GRANT)).to.deep.equal([
      'flows: to 198.18.0.0/15; actions tunnel',
      'roles operate, read; virtualHosts 198.18.0.0/16; groups 239.192.0.0/14',
    ])
    expect(describeGrant({})).to.deep.equal([])
  })
})
