/** The confinement of sandbox processes where the router runs as an ordinary user, as docs/security.md tells it. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { requireReadable } from '../../support/linux.ts'
import { requireLab, requireTool } from '../../support/oracle.ts'

const PROGRAM = fileURLToPath(new URL('./ordinary-program.ts', import.meta.url))
const NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups', '--']
const IN_FORCE = [
  'no network',
  'no IPC',
  'no new privileges',
  'dies with the router',
  'no capabilities',
  'process limits',
  'no files, programs or network for JavaScript',
]

interface Told {
  readonly sum: number
  readonly confinement: { readonly inForce: readonly string[]; readonly missing: readonly string[] }
  readonly status: string
  readonly allowed: readonly string[]
}

/** Whether an ordinary user may make a user namespace here. */
function hasUserNamespaces(): boolean {
  return spawnSync('setpriv', [...NOBODY, 'unshare', '--user', 'true'], { stdio: 'ignore' }).status === 0
}

describe('a sandbox process of an ordinary user (R-PR-02)', () => {
  it('is confined as that of root is, and has no way out either', function () {
    if (process.platform !== 'linux' || process.getuid?.() !== 0)
      requireLab(this, 'only root can become an ordinary user')
    requireTool(this, 'setpriv')
    requireReadable(this)
    if (!hasUserNamespaces()) requireLab(this, 'an ordinary user may make no user namespace here')
    this.timeout(60_000)
    const run = spawnSync('setpriv', [...NOBODY, process.execPath, PROGRAM], { encoding: 'utf8', env: {} })
    expect(run.stderr).to.equal('')
    const { sum, confinement, status, allowed } = JSON.parse(run.stdout) as Told
    expect(sum).to.equal(2)
    expect(confinement).to.deep.equal({ inForce: IN_FORCE, missing: [] })
    expect(status).to.match(/NoNewPrivs:\s+1/)
    expect(status).to.match(/Uid:\s+65534\s+65534/)
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(status, set).to.match(new RegExp(`${set}:\\s+0{16}\n`))
    expect(allowed, 'what a process that was taken over may do').to.deep.equal([])
  })
})
