/** `npx pronto plugin test examples/round-robin` */
import { assert, describe, it, testRouter } from 'pronto-router/sdk/testing'

const config = {
  virtualHost: '198.18.0.0/15',
  servers: [{ address: '10.0.2.2', weight: 2 }, { address: '10.0.2.3' }],
}
const first = { to: '198.18.0.80', toPort: 80, fromPort: 4000 }

describe('round robin', () => {
  it('takes the servers in turn, in proportion to their weights', async () => {
    const router = await testRouter('.', { config })
    const servers = Array.from({ length: 6 }, () => router.send({ to: '198.18.0.80' }).tunnel)
    assert.deepEqual(servers.sort(), [...Array(4).fill('10.0.2.2'), ...Array(2).fill('10.0.2.3')])
  })

  it('asks once for a flow, which then stays where it began', async () => {
    const router = await testRouter('.', { config })
    const { tunnel } = router.send(first)
    for (let count = 0; count < 5; count++)
      assert.equal(router.send({ ...first, flags: ['ack'] }).tunnel, tunnel)
    assert.equal(router.report().decisions, 1)
  })

  it('leaves other traffic alone', async () => {
    const router = await testRouter('.', { config })
    assert.equal(router.send({ to: '10.0.2.9' }).forward, '10.0.2.9')
    assert.equal(router.report().decisions, 0)
  })

  it('drops new flows where no server is left, and keeps those that run', async () => {
    const router = await testRouter('.', { config })
    const { tunnel } = router.send(first)
    for (const { address } of config.servers) router.call('server/state', { address, state: 'maintenance' })
    assert.equal(router.send({ to: '198.18.0.80' }).drop, 'no-server')
    assert.equal(router.send({ ...first, flags: ['ack'] }).tunnel, tunnel)
  })

  it('refuses a message that is none of its own', async () => {
    const router = await testRouter('.', { config })
    assert.throws(
      () => router.call('server/state', { address: '10.0.2.2', state: 'tired' }),
      /^TestRefusal: invalid/,
    )
    assert.deepEqual(router.call('server/state', { address: '10.9.9.9', state: 'active' }), {
      error: 'no server 10.9.9.9',
    })
  })

  it('forgets a flow that is silent for a minute', async () => {
    const router = await testRouter('.', { config })
    router.send(first)
    router.advance('2m')
    assert.deepEqual(router.flows(), [])
  })

  it('keeps what it knows over an upgrade', async () => {
    const router = await testRouter('.', { config })
    router.send(first)
    router.call('server/state', { address: '10.0.2.3', state: 'terminating' })
    const before = router.state()
    await router.upgrade('.')
    assert.deepEqual(router.state(), before)
    assert.equal(router.send({ to: '198.18.0.80' }).tunnel, '10.0.2.2')
  })
})
