import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { BundleVerifier } from '../../../execution-env/index.ts'
import { EngineThread } from '../../../router/engine-thread/engine-thread.ts'
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
      await thread.close(0)
    })
  })

  describe('when it was closed', () => {
    it('refuses calls', async () => {
      const thread = new EngineThread(verifier)
      await thread.close(0)
      expect(await outcome(thread.engine.query({ table: 'ports' }))).to.equal('the router is going down')
    })
  })
})
