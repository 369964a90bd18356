import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { ServiceAnswer } from '../../../execution-env/contract/api/index.ts'
import type { PluginServices, ServiceRequest } from '../../../execution-env/proxies/plugin-services.ts'
import { ALL, Rig } from '../rig.ts'

const MS = 1e6
const SECOND = 1e9

/** Services that answer when the test says so. */
class Held implements PluginServices {
  readonly requests: ServiceRequest[] = []
  readonly #dones: ((answer: ServiceAnswer) => void)[] = []

  ask(request: ServiceRequest, done: (answer: ServiceAnswer) => void): void {
    this.requests.push(request)
    this.#dones.push(done)
  }

  answer(place: number, answer: ServiceAnswer): void {
    this.#dones[place]!(answer)
  }
}

const page = (body: string): ServiceAnswer => ({ ok: true, status: 200, contentType: 'text/plain', body })
const GET = `router.http.get('https://a.example/prices', (response) => router.log.info(response))`

function rigWith(services: PluginServices, setup: string, more: object = {}): Rig {
  const rig = new Rig({ services })
  const outcome = rig.load({ setup, ...more })
  expect(outcome, JSON.stringify(outcome)).to.include({ ok: true })
  return rig
}

describe('Dispatcher', () => {
  describe('when a plugin asks the proxies (R-PR-02)', () => {
    it('passes the request on with what was granted, and brings the answer once', () => {
      const held = new Held()
      const rig = rigWith(held, GET)
      expect(held.requests).to.deep.equal([
        {
          kind: 'fetch',
          url: 'https://a.example/prices',
          origins: ALL.http!.get!.toSorted(),
          redirects: 0,
          maxBytes: 65_536,
        },
      ])
      rig.advance(100 * MS)
      expect(rig.log()).to.deep.equal([])
      held.answer(0, page('7'))
      held.answer(0, page('8'))
      rig.advance(100 * MS)
      expect(rig.log()).to.deep.equal(['{"ok":true,"status":200,"contentType":"text/plain","body":"7"}'])
      expect(rig.report().counters).to.include({ requests: 1, requestsRefused: 0 })
    })

    it('has a verb for each service', () => {
      const held = new Held()
      rigWith(
        held,
        `const done = () => {}
        router.http.get('http://10.0.2.9:8080/', done, { redirects: 3 })
        router.certificates.lookup('servers/s1', done)
        router.keys.sign('own', 'a', done)
        router.keys.verify('servers/s1', 'a', 'b', done)
        router.keys.verify({ publicKey: 'AAAA' }, 'a', 'b', done)`,
      )
      expect(held.requests.map(({ kind, ...rest }) => [kind, rest])).to.deep.include.members([
        ['lookup', { name: 'servers/s1' }],
        ['sign', { key: 'own', text: 'a' }],
        ['verify', { key: 'servers/s1', publicKey: undefined, text: 'a', signature: 'b' }],
        ['verify', { key: undefined, publicKey: 'AAAA', text: 'a', signature: 'b' }],
      ])
      expect(held.requests[0]).to.include({ kind: 'fetch', redirects: 3 })
    })

    it('says that there is no such service where there is none', () => {
      const rig = new Rig()
      rig.load({
        setup: `router.certificates.lookup('servers/s1', (answer) => router.log.info(answer.code))`,
      })
      rig.advance(10 * MS)
      expect(rig.log()).to.deep.equal(['unsupported'])
    })

    for (const [what, code] of [
      ['an origin that is not granted', `router.http.get('https://b.example/', () => 0)`],
      ['no address', `router.http.get(7, () => 0)`],
      ['another name', `router.certificates.lookup('alice', () => 0)`],
      ['another key', `router.keys.sign('router', 'a', () => 0)`],
      ['no callback', `router.http.get('https://a.example/')`],
      ['no key', `router.keys.verify(undefined, 'a', 'b', () => 0)`],
    ] as const)
      it(`asks for nothing with ${what}`, () => {
        const held = new Held()
        const outcome = new Rig({ services: held }).load({ setup: `${GET}; ${code}` })
        expect(outcome).to.include({ ok: false })
        expect(held.requests).to.deep.equal([])
      })

    it('brings nothing to a version that did not ask for it', () => {
      const held = new Held()
      const rig = rigWith(held, GET)
      rig.upgrade('policy', { version: '2.0.0', setup: `router.timers.after('1ms', () => 0)` })
      held.answer(0, page('late'))
      rig.advance(SECOND)
      expect(rig.log()).to.deep.equal([])
      expect(rig.report()).to.include({ state: 'running', version: '2.0.0' })
    })
  })

  describe('when a plugin asks too much (R-PR-02)', () => {
    const TALKER = `const again = () => router.http.get('https://a.example/', (response) => {
      router.log.debug(response.code ?? response.status); again() })`

    it('works for so many at a time, and refuses the others a second later', () => {
      const held = new Held()
      const setup = `for (let i = 0; i < 20; i++)
        router.http.get('https://a.example/', (r) => router.log.info(r.code ?? r.body))`
      const rig = rigWith(held, setup, { limits: { requestsAtOnce: 3, requestsPerSecond: 100 } })
      expect(held.requests).to.have.length(3)
      rig.advance(0.9 * SECOND)
      expect(rig.log()).to.deep.equal([])
      rig.advance(0.2 * SECOND)
      expect(rig.log()).to.deep.equal(Array(17).fill('limit'))
      held.answer(2, page('third'))
      rig.advance(10 * MS)
      expect(rig.log().at(-1)).to.equal('third')
    })

    it('refuses a whole call that leaves more than 64 open', () => {
      const held = new Held()
      const setup = `for (let i = 0; i < 65; i++) router.http.get('https://a.example/', () => 0)`
      expect(new Rig({ services: held }).load({ setup })).to.include({ ok: false })
      expect(held.requests).to.deep.equal([])
    })

    for (const [what, services] of [
      ['is answered at once', { ask: (_, done) => done(page('')) } as PluginServices],
      ['finds no service', undefined],
    ] as const)
      it(`bounds what one that ${what} and asks again at once is called`, () => {
        const rig = new Rig({ ...(services && { services }) })
        rig.load({
          setup: `${TALKER}; for (let i = 0; i < 60; i++) again()`,
          limits: { requestsPerSecond: 10, logLinesPerSecond: 1_000 },
        })
        rig.advance(10 * SECOND)
        const { requests, requestsRefused } = rig.report().counters!
        expect(requests - requestsRefused).to.be.within(90, 121)
        expect(requests).to.be.below(900)
      })

    it('keeps an answer for a plugin whose mailbox is full', () => {
      const held = new Held()
      const rig = rigWith(held, `${GET}; router.messages.on('*', () => 0)`)
      for (let i = 0; i < 2_000; i++)
        rig.dispatcher.deliver('policy', 'x', i, { kind: 'operator', name: 'me' }, undefined, rig.now)
      held.answer(0, page('7'))
      rig.advance(2 * SECOND)
      expect(rig.log().filter((each) => each.includes('"7"'))).to.have.length(1)
    })
  })
})
