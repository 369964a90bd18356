import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  checkArgument,
  checkQuestion,
  checkResult,
  ENTRIES,
  type GuestEvent,
  type SetupArgument,
  type SetupResult,
} from '../../../../execution-env/contract/api/index.ts'

const EVENTS: readonly GuestEvent[] = [
  { event: 'timer', subscription: 1 },
  { event: 'message', subscription: 2, topic: 'a/b', from: { kind: 'plugin', name: 'x' }, body: [1, null] },
  { event: 'query', subscription: 3, argument: null },
  {
    event: 'answer',
    subscription: 4,
    answer: { table: 'flows', atNs: 1, rows: [{ id: 1 }], truncated: false },
  },
  {
    event: 'route',
    subscription: 5,
    route: { kind: 'via', nextHop: '10.0.0.1', port: 'eth0', cost: 2 } as never,
  },
  { event: 'route', subscription: 5, route: null },
  {
    event: 'service',
    subscription: 6,
    answer: { ok: true, status: 200, contentType: 'text/plain', body: 'a' },
  },
  { event: 'service', subscription: 6, answer: { ok: false, code: 'timeout', reason: 'no answer' } },
  { event: 'forget-actions' },
]

const SETUP: SetupArgument = {
  id: 'slr',
  config: { servers: [] },
  capabilities: { flows: { to: ['198.18.0.0/15'] } },
  ports: ['eth0'],
}

const RESULT: SetupResult = { exportsState: true, importsState: true, stateVersions: [1, 2] }

describe('entries of the plugin API', () => {
  it('has a form for every event', () => {
    for (const each of EVENTS) expect(checkArgument.deliver(each), each.event).to.deep.equal([])
    expect(checkArgument.deliver({ event: 'timer', subscription: 0 })).to.have.length(1)
    expect(checkArgument.deliver({ event: 'timer', subscription: 1, more: 1 })).to.have.length(1)
    expect(checkArgument.deliver({ event: 'alarm' })).to.have.length(1)
  })

  it('has a form for setup in both directions', () => {
    expect(checkArgument.setup(SETUP)).to.deep.equal([])
    expect(checkArgument.setup({ ...SETUP, capabilities: { flows: { everything: true } } })).to.have.length(1)
    expect(checkResult.setup(RESULT)).to.deep.equal([])
    expect(checkResult.setup({ ...RESULT, stateVersions: [-1] })).to.have.length(1)
    expect(checkResult.setup({ exportsState: true })).to.have.length(1)
  })

  it('wants a version of every state', () => {
    expect(checkResult.exportState({ version: 1, anything: [1] })).to.deep.equal([])
    for (const wrong of [null, [], {}, { version: -1 }, { version: 'one' }, { version: 1.5 }])
      expect(checkResult.exportState(wrong), JSON.stringify(wrong)).to.have.length(1)
    expect(checkArgument.importState({ version: 1 })).to.deep.equal([])
  })

  it('has a form for every question', () => {
    expect(checkQuestion.query({ table: 'flows', where: { id: 1 } })).to.deep.equal([])
    expect(checkQuestion.query({ table: 'flows', limit: 1e9 })).to.have.length(1)
    expect(checkQuestion.route({ address: '1.2.3.4' })).to.deep.equal([])
    expect(checkQuestion.route({ address: '1.2.3' })).to.have.length(1)
    expect(checkQuestion.flows({ after: 0 })).to.deep.equal([])
    expect(checkQuestion.flows({ after: -1 })).to.have.length(1)
  })

  it('refuses null where an object is expected, in every entry', () => {
    for (const entry of ENTRIES)
      if (entry !== 'exportState') expect(checkArgument[entry](null), entry).to.have.length(1)
  })
})
