import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { MISSING_GLOBALS } from '../../sdk/missing-globals.ts'
import { runInIsolate } from './kit.ts'

describe('the missing globals', () => {
  const present = runInIsolate('', '() => Object.getOwnPropertyNames(globalThis)') as string[]
  const ofTheLanguage = runInNewContext('Object.getOwnPropertyNames(globalThis)') as string[]

  it('are all missing in an isolate', () => {
    expect(Object.keys(MISSING_GLOBALS).filter((name) => present.includes(name))).to.deep.equal([])
  })

  it('are all of the language’s that an isolate does not have; eval is refused elsewhere', () => {
    const lacking = ofTheLanguage.filter((name) => !present.includes(name) && !(name in MISSING_GLOBALS))
    expect(lacking).to.deep.equal(['eval'])
  })
})
