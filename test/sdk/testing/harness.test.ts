import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { definePlugin, type Tunnel } from '../../../sdk/index.ts'
import { PluginError } from '../../../sdk/plugin-error.ts'
import { PluginFault, TestRefusal, type TestRouterOptions, testRouter } from '../../../sdk/testing/index.ts'
import { EXAMPLES, inFolder, pluginOf, ROOT, writeFiles } from '../kit.ts'

const ROUND_ROBIN = join(ROOT, 'examples', 'round-robin')
const CONFIG = { virtualHost: '198.18.0.0/15', servers: [{ address: '10.0.2.2' }, { address: '10.0.2.3' }] }
const SERVICE = '198.18.0.80'

/** A plugin that decides by the last byte of the destination, one way for each. */
const everyWay = (ports: Record<number, (tunnels: Tunnel[]) => unknown> = {}) =>
  definePlugin({
    setup(router) {
      const tunnels = [
        router.tunnels.open({ to: '10.0.2.2' }),
        router.tunnels.open({ to: '10.0.2.3', kind: 'mac-rewrite' }),
      ]
      const decisions: Record<number, (tunnels: Tunnel[]) => unknown> = {
        1: () => ({ tunnel: tunnels[0] }),
        2: () => ({ tunnel: tunnels[1] }),
        3: () => ({ forward: { via: '10.0.2.9' } }),
        4: () => ({ drop: 'no-server' }),
        5: () => ({ park: '50ms', otherwise: { forward: true } }),
        6: () => ({ replicate: [{ tunnel: tunnels[0] }, { forward: true }] }),
        7: () => ({ rewrite: { to: '10.0.2.7', toPort: 8080 } }),
        8: () => {
          throw new Error('not I')
        },
        ...ports,
      }
      router.flows.claim(
        { to: '198.18.0.0/24' },
        (flow) => decisions[flow.destination & 255]?.(tunnels) as undefined,
      )
    },
  })

describe('testRouter', () => {
  describe('when packets are sent', () => {
    it('tells what became of each', async () => {
      const router = await testRouter(everyWay())
      const fate = (last: number) => {
        const { packet: _, ...rest } = router.send({ to: `198.18.0.${last}` })
        return rest
      }
      expect(fate(1)).to.deep.equal({ tunnel: '10.0.2.2', port: 'eth1' })
      expect(fate(2)).to.deep.equal({ tunnel: '10.0.2.3', port: 'eth1' })
      expect(fate(3)).to.deep.equal({ forward: '10.0.2.9', port: 'eth1' })
      expect(fate(4)).to.deep.equal({ drop: 'no-server' })
      expect(fate(5)).to.deep.equal({ parked: true })
      expect(fate(6).copies?.map(({ tunnel, forward }) => tunnel ?? forward)).to.deep.equal([
        ...['10.0.2.2', '10.0.2.254'],
      ])
      expect(router.send({ to: '198.18.0.7' })).to.deep.include({ forward: '10.0.2.7' })
      expect(router.send({ to: '198.18.0.7' }).packet).to.deep.include({ to: '10.0.2.7', toPort: 8080 })
      expect(router.send({ to: '10.0.1.1', protocol: 'icmp' })).to.deep.equal({ delivered: true })
      expect(router.send({ to: '10.0.2.2', ttl: 1 })).to.deep.equal({ drop: 'ttl-expired' })
    })

    it('tells later what became of those that waited', async () => {
      const router = await testRouter(everyWay())
      expect(router.send({ to: '198.18.0.5' }).parked).to.equal(true)
      expect(router.advance('49ms')).to.deep.equal([])
      const [later] = router.advance('1ms')
      expect(later).to.deep.include({ forward: '10.0.2.254', port: 'eth1' })
    })

    it('sends on whose flow is pinned meanwhile, and shows the payload', async () => {
      const router = await testRouter({
        setup(each) {
          each.flows.claim(
            { to: SERVICE, protocol: 'udp' },
            ({ from, to, protocol, fromPort, toPort, payload }) => {
              each.log.info(String.fromCharCode(...payload))
              each.timers.after('10ms', () =>
                each.flows.pin({ from, to, protocol, fromPort, toPort }, { forward: { via: '10.0.2.5' } }),
              )
              return { park: '1s' }
            },
          )
        },
      })
      router.send({ to: SERVICE, protocol: 'udp', payload: 'hello' })
      expect(router.advance('10ms')[0]).to.deep.include({ forward: '10.0.2.5' })
      expect(router.logs().map((each) => each.text)).to.deep.equal(['hello'])
    })

    it('begins a flow with each, unless its ports are given', async () => {
      const router = await testRouter(ROUND_ROBIN, { config: CONFIG })
      for (let count = 0; count < 3; count++) router.send({ to: SERVICE })
      for (let count = 0; count < 3; count++) router.send({ to: SERVICE, fromPort: 1 })
      expect(router.flows()).to.have.length(4)
      expect(router.flows()[0]).to.deep.include({ fromPort: 1, packets: 3, owner: 'round-robin' })
      expect(router.flows()[0]!.action).to.match(/^tunnel 10\.0\.2\.[23]$/)
    })

    it('tells the line of a handler that throws, or goes on as a router does', async () => {
      const files = pluginOf(`import { definePlugin } from 'pronto-router/sdk'
export default definePlugin({
  setup(router) {
    router.flows.claim({ to: '198.18.0.80' }, () => { throw new Error('not I') })
  },
})`)
      const capabilities = { flows: { to: ['198.18.0.0/15'], actions: ['drop'] } }
      const manifest = { ...JSON.parse(files['pronto.json']!), capabilities }
      await inFolder(async (folder) => {
        writeFiles(folder, { ...files, 'pronto.json': JSON.stringify(manifest) })
        const strict = await testRouter(folder)
        expect(() => strict.send({ to: SERVICE })).to.throw(PluginFault, 'Error: not I (at plugin.ts:4:61)')
        const router = await testRouter(folder, { faults: 'log' })
        expect(router.send({ to: SERVICE })).to.deep.equal({ drop: 'upcall-expired' })
        expect(router.logs()[0]).to.include({ by: 'router', level: 'error' })
        expect(router.report().faults).to.equal(1)
      })
    })

    it('refuses what is no packet', async () => {
      const router = await testRouter(everyWay())
      expect(() => router.send({ to: 'there' })).to.throw(TypeError, 'to: expected an address')
      expect(() => router.send({ to: SERVICE, inPort: 'eth7' })).to.throw(TypeError, 'expected one of eth0')
      expect(() => router.send({ to: SERVICE, payload: 'x'.repeat(2000) })).to.throw(TypeError, '2000 bytes')
      expect(() => router.advance('soon' as '1s')).to.throw(TypeError, 'expected a duration')
    })
  })

  describe('when a plugin is spoken to', () => {
    const talker = definePlugin({
      setup(router) {
        router.messages.on('host/*', (body, from, topic) => ({ body, from: from.kind, topic }))
        router.query.answer('sum', (argument) => (argument as number[]).reduce((a, b) => a + b, 0))
        router.timers.every('1s', () => router.log.info(`${router.now() / 1e9} ${router.clock()}`))
      },
    })

    it('gives its answers and tells it the time', async () => {
      const router = await testRouter(talker, { clock: '2026-06-01T00:00:00Z' })
      expect(router.call('host/state', { load: 1 })).to.deep.equal({
        ...{ body: { load: 1 }, from: 'operator', topic: 'host/state' },
      })
      expect(router.query('sum', [1, 2, 3])).to.equal(6)
      expect(() => router.message('nobody', 1)).to.throw(TestRefusal, 'does not listen to nobody')
      router.advance('2s')
      const june = Date.UTC(2026, 5)
      expect(router.logs().map((each) => each.text)).to.deep.equal([`1 ${june + 1000}`, `2 ${june + 2000}`])
    })

    it('tells what other plugins got from it', async () => {
      const sender = definePlugin({
        setup(router) {
          router.messages.send('up', { begun: true })
          router.messages.on('tell', (body) => router.messages.send('news', body, 'b'))
        },
      })
      const router = await testRouter(sender, { others: ['a', 'b'] })
      router.message('tell', 7, { kind: 'plugin', name: 'a' })
      expect(router.received()).to.deep.equal([
        { plugin: 'a', topic: 'up', body: { begun: true } },
        { plugin: 'b', topic: 'up', body: { begun: true } },
        { plugin: 'b', topic: 'news', body: 7 },
      ])
    })

    it('is the same for the same seed', async () => {
      const dice = definePlugin({ setup: (router) => router.log.info(router.random(), router.random()) })
      const draw = async (seed: number) => (await testRouter(dice, { seed })).logs()[0]!.text
      expect(await draw(1)).to.equal(await draw(1))
      expect(await draw(1)).to.not.equal(await draw(2))
    })
  })

  describe('when a plugin is refused', () => {
    const refused = async (options: TestRouterOptions, expected: string) => {
      try {
        await testRouter(ROUND_ROBIN, options)
      } catch (error) {
        expect(String(error)).to.include(expected)
        return
      }
      throw new Error('it was loaded')
    }

    it('says why, as a router would', async () => {
      await refused({}, 'config: virtualHost: missing key')
      await refused({ config: { ...CONFIG, more: 1 } }, 'config: more')
      await refused({ config: CONFIG, capabilities: {} }, 'tunnels.open needs the capability')
      const elsewhere = { ...CONFIG, servers: [{ address: '172.16.0.1' }] }
      await refused({ config: elsewhere }, 'beyond the granted tunnels.open')
      await refused({ config: CONFIG, ports: { eth0: '10.0.1.1' } }, 'ports.eth0')
    })

    it('says what cannot be built, at its line', async () => {
      await inFolder(async (folder) => {
        writeFiles(folder, pluginOf('export default { setup() { Date.now() } }'))
        const error = await testRouter(folder).catch((each: unknown) => each)
        expect(error).to.be.instanceOf(PluginError)
        expect(String(error)).to.include('plugin.ts:1:28: Date cannot be used')
      })
    })
  })

  describe('when a version takes over', () => {
    it('moves the state, goes back, or goes on with the one before', async () => {
      const version = (step: number, reads = [1]) =>
        definePlugin({
          setup(router) {
            let count = 0
            router.messages.on('next', () => (count += step))
            return {
              stateVersions: reads,
              exportState: () => ({ version: 1, count }),
              importState: (old) => {
                count = old['count'] as number
              },
            }
          },
        })
      const router = await testRouter(version(1))
      router.call('next')
      await router.upgrade(version(10))
      expect(router.call('next')).to.equal(11)
      expect(router.state()).to.deep.equal({ version: 1, count: 11 })
      const error = await router.upgrade(version(100, [2])).catch((each: unknown) => each)
      expect(error).to.be.instanceOf(TestRefusal).with.property('code', 'state')
      expect(router.call('next')).to.equal(21)
      router.rollback()
      expect(router.call('next')).to.equal(22)
      await router.upgrade(version(100), { state: 'discard' })
      expect(router.call('next')).to.equal(100)
    })

    it('leaves its flows alone when it ends', async () => {
      const router = await testRouter(ROUND_ROBIN, { config: CONFIG })
      const { tunnel } = router.send({ to: SERVICE, fromPort: 1 })
      router.unload()
      expect(router.send({ to: SERVICE, fromPort: 1, flags: ['ack'] }).tunnel).to.equal(tunnel)
      expect(router.send({ to: SERVICE, fromPort: 2 }).forward).to.equal('10.0.2.254')
      router.close()
      expect(() => router.send({ to: SERVICE })).to.throw(TestRefusal, 'closed')
    })
  })

  for (const name of EXAMPLES)
    it(`runs examples/${name}`, async () => {
      const config =
        name === 'time-of-day' ? { virtualHost: SERVICE, windows: [{ servers: ['10.0.2.2'] }] } : CONFIG
      const router = await testRouter(join(ROOT, 'examples', name), { config })
      expect(router.send({ to: SERVICE }).tunnel).to.match(/^10\.0\.2\.[23]$/)
    })
})
