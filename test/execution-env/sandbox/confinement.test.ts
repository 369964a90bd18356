import { expect } from 'chai'
import { describe, it } from 'mocha'
import { confine } from '../../../execution-env/sandbox/confinement.ts'
import { requireRoot } from '../../support/linux.ts'

describe('confine', () => {
  it('puts each process under the user that is its own (R-PR-02)', function () {
    requireRoot(this)
    for (const uid of [2_000_000_001, 2_000_000_002]) {
      const { prefix, inForce } = confine({ uid, gid: uid })
      expect(inForce).to.include('own user')
      expect(prefix).to.include(`--reuid=${uid}`).and.to.include(`--regid=${uid}`)
    }
  })
})
