import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  AuthorityDirectory,
  loadCredential,
  loadTrustStore,
} from '../../../execution-env/certificates/index.ts'
import { EPOCH_MS, SECOND, SignalingRig } from '../../support/signaling.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const DAY_MS = 86_400_000
const VALIDITY = { notBeforeMs: EPOCH_MS - DAY_MS, notAfterMs: EPOCH_MS + 300 * DAY_MS }

describe('signaling with the certificates of a folder (R-SLR-17)', () => {
  it('takes in a host of the authority until it is revoked', () => {
    const folder = temporaryFolder('pronto-signaling-')
    const path = join(folder, 'ca')
    const authority = AuthorityDirectory.create(path, { name: 'site', ...VALIDITY })
    const grant = { virtualHosts: ['198.18.0.0/15'] }
    const { certificateFile, keyFile, credential } = authority.issue({
      name: 's1',
      type: 'host',
      grant,
      ...VALIDITY,
    })
    const rig = new SignalingRig()
    rig.trust = loadTrustStore(path)
    rig.host(loadCredential(certificateFile, keyFile), '10.0.2.2').agent.start(0)
    expect(rig.heard()).to.deep.equal(['host/hello s1', 'host/state s1 active'])
    authority.revoke(credential.certificate.serial, 'keyCompromise', EPOCH_MS)
    rig.trust = loadTrustStore(path)
    rig.advance(2 * SECOND)
    expect(rig.heard().at(-1)).to.equal('host/gone s1 silent')
    expect(rig.phases.at(-1)).to.equal('seeking certificate')
  })
})
