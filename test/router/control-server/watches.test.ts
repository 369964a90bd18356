import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { Watches } from '../../../router/control-server/watches.ts'

describe('Watches', () => {
  function bench() {
    const sent: string[] = []
    const watches = new Watches({ isReady: () => true, send: (text) => sent.push(text), skipped: () => {} })
    const ended: string[] = []
    return { watches, sent, ended }
  }

  describe('when the session ends', () => {
    it('ends each watch once, and sends nothing more', async () => {
      const { watches, sent, ended } = bench()
      watches.add(
        async () => ({ rows: [] }),
        60_000,
        () => ended.push('first'),
      )
      await turn()
      await turn()
      expect(sent).to.have.length(1)
      watches.close()
      watches.close()
      expect(ended).to.deep.equal(['first'])
      expect(watches.size).to.equal(0)
    })

    it('ends at once what was still being begun', async () => {
      const { watches, sent, ended } = bench()
      watches.close()
      watches.add(
        async () => ({ rows: [] }),
        60_000,
        () => ended.push('late'),
      )
      await turn()
      await turn()
      expect(ended).to.deep.equal(['late'])
      expect(watches.size).to.equal(0)
      expect(sent).to.deep.equal([])
    })
  })
})
