import { expect } from 'chai'
import { describe, it } from 'mocha'
import { OperatorDesk } from '../../../lab/sim/operator-desk.ts'

const UNLOAD = { do: 'unload', id: 'a', flows: 'drain' } as const
const ROLLBACK = { do: 'rollback', id: 'a', by: 'me' } as const
const there = () => true

const fateOf = (turn: Promise<void>) =>
  turn.then(
    () => 'begun',
    (error: Error) => error.message,
  )

describe('OperatorDesk', () => {
  describe('when commands wait', () => {
    it('lets one after the other begin, each written down first, with its time', async () => {
      const written: string[] = []
      const desk = new OperatorDesk((atNs, router, command) =>
        written.push(`${atNs} ${router} ${command.do}`),
      )
      const fates = [desk.turn('r1', UNLOAD, there), desk.turn('r2', ROLLBACK, there)].map(fateOf)
      expect(desk.isEmpty).to.equal(false)
      desk.next(5)
      expect(await fates[0]).to.equal('begun')
      expect(written).to.deep.equal(['5 r1 unload'])
      desk.next(7)
      expect(await fates[1]).to.equal('begun')
      expect(written).to.deep.equal(['5 r1 unload', '7 r2 rollback'])
      expect(desk.isEmpty).to.equal(true)
      desk.next(9)
    })

    it('refuses what cannot be written down, and does not write down what nobody is there for', async () => {
      const desk = new OperatorDesk(() => {
        throw new Error('no room')
      })
      const fates = [desk.turn('r1', UNLOAD, there), desk.turn('r1', UNLOAD, () => false)].map(fateOf)
      desk.next(5)
      desk.next(5)
      expect(await Promise.all(fates)).to.deep.equal([
        'the command cannot be recorded: no room',
        'r1 is down',
      ])
    })
  })

  describe('when it is closed', () => {
    it('refuses whoever waits and whoever comes', async () => {
      const desk = new OperatorDesk(() => {})
      const waiting = fateOf(desk.turn('r1', UNLOAD, there))
      desk.close()
      expect(await waiting).to.equal('the lab is going down')
      expect(await fateOf(desk.turn('r1', UNLOAD, there))).to.equal('the lab is going down')
      expect(desk.isEmpty).to.equal(true)
    })
  })
})
