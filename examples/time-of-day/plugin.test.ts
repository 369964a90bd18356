/** `npx pronto plugin test examples/time-of-day` */
import { assert, describe, it, testRouter } from 'pronto-router/sdk/testing'

const DAY = '10.0.2.2'
const NIGHT = '10.0.2.3'
const config = {
  virtualHost: '198.18.0.80',
  windows: [
    { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00', servers: [DAY] },
    { servers: [NIGHT] },
  ],
}
const web = { to: '198.18.0.80' }

describe('time of day', () => {
  it('sends new flows to the servers of the hour', async () => {
    const router = await testRouter('.', { config, clock: '2026-01-01T17:59:00Z' }) // a Thursday
    assert.equal(router.send(web).tunnel, DAY)
    router.advance('1m')
    assert.equal(router.send(web).tunnel, NIGHT)
    router.advance('14h')
    assert.equal(router.send(web).tunnel, DAY)
    router.advance('24h')
    assert.equal(router.send(web).tunnel, NIGHT, 'at the weekend')
  })

  it('leaves flows that run alone when the hour is over', async () => {
    const router = await testRouter('.', { config, clock: '2026-01-01T17:59:50Z' })
    const flow = { ...web, fromPort: 4000 }
    assert.equal(router.send(flow).tunnel, DAY)
    router.advance('20s')
    assert.equal(router.send({ ...flow, flags: ['ack'] }).tunnel, DAY)
  })

  it('tells when the servers change, by the clock of the place', async () => {
    const options = { config: { ...config, utcOffset: '+02:00' }, clock: '2026-01-01T12:00:00Z' }
    const router = await testRouter('.', options)
    assert.equal(router.logs()[0]?.text, 'the servers change in 4.00 hours')
  })
})
