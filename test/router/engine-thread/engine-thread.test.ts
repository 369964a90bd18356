import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { findLink, inNamespace, listFilters, Netlink } from '../../../engine/ports/linux/index.ts'
import type { BundleVerifier } from '../../../execution-env/index.ts'
import { parseRouterConfig } from '../../../router/config/index.ts'
import { EngineThread } from '../../../router/engine-thread/engine-thread.ts'
import { requireRoot, TestNamespace } from '../../support/linux.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const verifier: BundleVerifier = {
  verify: () => {
    throw new Error('no bundle is judged here')
  },
}

/** A program that breaks at the first call. */
function brokenProgram(): string {
  const path = join(temporaryFolder('pronto-et-'), 'broken.mjs')
  const text = "import { parentPort } from 'node:worker_threads'\n"
  writeFileSync(path, `${text}parentPort.on('message', () => { throw new Error('broken') })\n`)
  return path
}

/** What a call came to. */
const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    (error: Error) => error.message,
  )

describe('EngineThread', () => {
  describe('when the thread breaks', () => {
    it('refuses the calls that wait and all that come, says why, and can be closed', async () => {
      const thread = new EngineThread(verifier, brokenProgram())
      const waiting = outcome(thread.engine.query({ table: 'ports' }))
      expect(await outcome(thread.fault)).to.equal('broken')
      expect(await waiting).to.equal('broken')
      expect(await outcome(thread.engine.endCapture(1))).to.equal('broken')
      expect(await outcome(thread.plugins.rollback('p'))).to.equal('broken')
      expect(thread.broken?.message).to.equal('broken')
      await thread.close(0)
    })

    it('has given its devices back', async function () {
      requireRoot(this)
      const space = new TestNamespace()
      space.run('ip link add name d0 type veth peer name d1')
      const netlink = inNamespace(space.path, () => new Netlink())
      const filters = () => listFilters(netlink, findLink(netlink, 'd0').index)
      // A thread begins where the one is that makes it.
      const thread = inNamespace(space.path, () => new EngineThread(verifier))
      try {
        const text = JSON.stringify({ name: 'r1', addresses: { d0: '10.0.0.1/24' } })
        await thread.engine.begin(parseRouterConfig(text, 'r1.yaml', '/'))
        expect(filters()).to.have.length(1)
        thread.signal(undefined as never)
        expect(await outcome(thread.fault)).to.contain('undefined')
        await thread.close(0)
        expect(filters()).to.deep.equal([])
      } finally {
        await thread.close(0)
        netlink.close()
        space.remove()
      }
    })
  })

  describe('when it was closed', () => {
    it('refuses calls', async () => {
      const thread = new EngineThread(verifier)
      await thread.close(0)
      expect(await outcome(thread.engine.query({ table: 'ports' }))).to.equal('the router is going down')
      expect(thread.broken).to.equal(undefined)
    })
  })
})
