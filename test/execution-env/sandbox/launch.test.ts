import { readdirSync } from 'node:fs'
import { expect } from 'chai'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { Launched } from '../../../execution-env/sandbox/launch.ts'
import { PROCESS_LIMITS } from '../../../execution-env/sandbox/limits.ts'
import { requireLinux } from '../../support/linux.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

describe('Launched', () => {
  const earlier = process.env['TMPDIR']
  let folder: string

  beforeEach(() => {
    folder = temporaryFolder('pronto-launch-')
    process.env['TMPDIR'] = folder
  })

  afterEach(() => {
    if (earlier === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = earlier
  })

  it('leaves nothing behind where no process can be started', function () {
    requireLinux(this)
    // No program has such a name: it is refused when all else is open already.
    const start = () => new Launched({ blocking: true, limits: PROCESS_LIMITS, program: 'no\0program' })
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    expect(start).to.throw('null bytes')
    const before = descriptors()
    for (let each = 0; each < 3; each++) expect(start).to.throw('null bytes')
    expect(descriptors()).to.equal(before)
    expect(readdirSync(folder)).to.deep.equal([])
  })
})
