import { expect } from 'chai'
import { describe, it } from 'mocha'
import { Engine } from '../../../engine/index.ts'
import { SignalingWindow } from '../../../router/engine-thread/signaling-window.ts'

describe('SignalingWindow', () => {
  const query = (engine: Engine, table: string) => engine.query.get({ table }, 0).rows

  it('shows a picture of signaling to whoever queries the engine, in the time of its thread', () => {
    const engine = new Engine({ seed: 1 })
    const window = new SignalingWindow(engine, 4_711, () => {})
    expect(query(engine, 'hosts')).to.deep.equal([])
    expect(query(engine, 'signaling')).to.deep.equal([{ name: 'lost', value: 0 }])
    const hosts = [{ host: 'h1', heardAtNs: 5e6 }]
    window.show({ hosts, counters: [{ name: 'welcomes', value: 1 }], originMs: 1_000 }, 998)
    expect(query(engine, 'hosts')).to.deep.equal([{ host: 'h1', heardAtNs: 7e6 }])
    expect(query(engine, 'signaling')).to.deep.equal([
      { name: 'welcomes', value: 1 },
      { name: 'lost', value: 0 },
    ])
  })
})
