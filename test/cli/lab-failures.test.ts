import { expect } from 'chai'
import { describe, it } from 'mocha'
import { CommandError } from '../../cli/command.ts'
import { tellingLabFailures } from '../../cli/commands/lab-failures.ts'
import { EngineError } from '../../engine/index.ts'
import { CertificateError } from '../../execution-env/certificates/index.ts'
import { LabPluginError } from '../../lab/index.ts'
import { ControlError } from '../../router/control-client/index.ts'

async function told(error: Error): Promise<unknown> {
  return await tellingLabFailures(() => Promise.reject(error)).then(
    () => undefined,
    (failure: unknown) => failure,
  )
}

describe('failures of a lab that comes to life', () => {
  const cases: readonly (readonly [string, Error, string])[] = [
    ['a policy that the engine refuses', new EngineError('invalid', 'no such address', 'via'), 'invalid'],
    ['a plugin that cannot be loaded', new LabPluginError('r1: cannot load p: no'), 'failed'],
    ['a trust folder that is none', new CertificateError('unreadable', 'no such folder', 'x'), 'unreadable'],
    ['a socket that is taken', new ControlError('exists', 'a router is at work there'), 'exists'],
  ]
  for (const [name, error, code] of cases)
    it(`tells of ${name} in words`, async () => {
      const failure = await told(error)
      expect(failure).to.be.instanceOf(CommandError)
      expect(failure).to.include({ code, message: error.message })
    })

  it('leaves faults of its own as they are', async () => {
    const fault = new TypeError('x is undefined')
    expect(await told(fault)).to.equal(fault)
  })
})
