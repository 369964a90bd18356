import { expect } from 'chai'
import { describe, it } from 'mocha'
import { healthOf } from '../../../router/control-server/health.ts'

type Given = Parameters<typeof healthOf>

function healthWith(state: string): ReturnType<typeof healthOf> {
  const router = {
    name: 'r1',
    version: '1.0.0',
    list: () => [{ id: 'a', state, lastFailure: '' }],
    warnings: [],
    audit: { lost: 0 },
  }
  const peer = { via: 'local', name: 'read', roles: new Set(['read']) }
  return healthOf(router as unknown as Given[0], peer as unknown as Given[1], { sessions: 1 } as Given[2])
}

describe('health', () => {
  it('is well with a plugin that runs, or was unloaded and whose flows drain', () => {
    for (const state of ['running', 'stopping'])
      expect(healthWith(state), state).to.deep.include({ well: true, plugins: 1, unwell: [] })
  })

  it('is not well with one in any other state', () => {
    for (const state of ['refused', 'failed', 'quarantined']) {
      const unwell = [{ id: 'a', state, lastFailure: '' }]
      expect(healthWith(state), state).to.deep.include({ well: false, unwell })
    }
  })
})
