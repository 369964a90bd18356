/** `npx pronto plugin test examples/consistent-hash` */
import { assert, describe, it, type TestRouter, testRouter } from 'pronto-router/sdk/testing'

const servers = ['10.0.2.2', '10.0.2.3', '10.0.2.4', '10.0.2.5'].map((address) => ({ address }))
const config = { virtualHost: '198.18.0.0/15', seed: 7, servers }
const PORTS = Array.from({ length: 400 }, (_, index) => 1024 + index)

/** The server of each of many flows. */
const spread = (router: TestRouter): (string | undefined)[] =>
  PORTS.map((fromPort) => router.send({ to: '198.18.0.80', fromPort }).tunnel)

describe('consistent hashing', () => {
  it('chooses the same servers on a router that has never seen the flows', async () => {
    const [one, other] = [await testRouter('.', { config }), await testRouter('.', { config, seed: 2 })]
    assert.deepEqual(spread(one), spread(other))
  })

  it('moves hardly any flow but those of a server that goes', async () => {
    const before = spread(await testRouter('.', { config }))
    const router = await testRouter('.', { config })
    router.call('server/state', { address: '10.0.2.3', state: 'maintenance' })
    const moved = spread(router).filter((server, index) => server !== before[index])
    const gone = before.filter((server) => server === '10.0.2.3')
    assert.ok(gone.length > 50, `${gone.length} flows of the server that goes`)
    assert.ok(moved.length <= gone.length + 12, `${moved.length - gone.length} others moved`)
  })

  it('leaves pinned flows where they are', async () => {
    const router = await testRouter('.', { config })
    const before = spread(router)
    router.call('server/state', { address: '10.0.2.3', state: 'terminating' })
    assert.deepEqual(spread(router), before)
  })
})
