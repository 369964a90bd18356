import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { HostSite } from '../../../plugins/slr/host-site.ts'
import { parsePrefix } from '../../../plugins/slr/prefix.ts'
import { isAvailable, loadOf, SERVER_STATES, type ServerState } from '../../../plugins/slr/server.ts'
import { exportSite, importSite } from '../../../plugins/slr/site-state.ts'

const SERVICE = '198.18.0.0/15'
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '172.16.0.1']
const MOST = 4
const SILENCE_NS = 10e9

const newSite = () =>
  new HostSite({
    virtualHosts: [parsePrefix(SERVICE)],
    servers: [{ address: '10.0.0.1', weight: 1, backup: false }],
    from: [parsePrefix('10.0.0.0/8')],
    most: MOST,
    silenceNs: SILENCE_NS,
  })

type Step =
  | { readonly do: 'hello' | 'bye' | 'silent' | 'replaced'; readonly address: string }
  | { readonly do: 'report' | 'order'; readonly address: string; readonly state: ServerState }
  | { readonly do: 'wait'; readonly seconds: number }

const address = fc.constantFrom(...ADDRESSES)
const state = fc.constantFrom(...SERVER_STATES)
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constantFrom('hello', 'bye', 'silent', 'replaced'), address }),
    fc.record({ do: fc.constantFrom('report', 'order'), address, state }),
    fc.record({ do: fc.constant('wait'), seconds: fc.integer({ min: 1, max: 12 }) }),
  ) as fc.Arbitrary<Step>,
  { maxLength: 40 },
)

/** What is known of a server, said once more in the simplest way. */
interface Model {
  heardNs: number | undefined
  isSilent: boolean
  reported: ServerState
  ordered: ServerState
}

class Twin {
  readonly site = newSite()
  readonly orders = new Map<string, ServerState>()
  readonly servers = new Map<string, Model>([['10.0.0.1', this.#fresh('10.0.0.1')]])
  now = 0

  take(step: Step): void {
    if (step.do === 'wait') {
      this.now += step.seconds * 1e9
      this.site.expire(this.now)
      for (const [address, { heardNs, isSilent }] of this.servers)
        if (isSilent || (heardNs !== undefined && this.now - heardNs > SILENCE_NS)) this.#leave(address, true)
      return
    }
    const { address } = step
    const model = this.servers.get(address)
    switch (step.do) {
      case 'hello':
        this.site.hello({ host: 'h', address, virtualHosts: [SERVICE] }, this.now)
        this.#hear(address)
        return
      case 'report': {
        const services = [{ prefix: SERVICE, load: 0.5 }]
        this.site.report({ host: 'h', address, state: step.state, services, connections: 1 }, this.now)
        const heard = this.#hear(address)
        if (heard !== undefined) heard.reported = step.state
        return
      }
      case 'order':
        this.site.order(address, step.state)
        this.orders.set(address, step.state)
        if (model !== undefined) model.ordered = step.state
        return
      case 'replaced':
        this.site.gone(address, 'replaced')
        if (model !== undefined && address === '10.0.0.1') this.#leave(address, true)
        else if (model !== undefined) model.isSilent = true
        return
      default:
        this.site.gone(address, step.do)
        if (model !== undefined) this.#leave(address, step.do === 'silent')
    }
  }

  #fresh(address: string): Model {
    const ordered = this.orders.get(address) ?? 'active'
    return { heardNs: undefined, isSilent: false, reported: 'active', ordered }
  }

  #hear(address: string): Model | undefined {
    let model = this.servers.get(address)
    if (model === undefined) {
      if (!address.startsWith('10.') || this.servers.size >= MOST) return undefined
      this.servers.set(address, (model = this.#fresh(address)))
    }
    model.heardNs = this.now
    model.isSilent = false
    return model
  }

  #leave(address: string, isSilent: boolean): void {
    if (address !== '10.0.0.1') {
      this.servers.delete(address)
      return
    }
    const model = this.servers.get(address)!
    model.heardNs = undefined
    model.isSilent = isSilent
    model.reported = 'active'
  }

  get expected(): (readonly [string, boolean])[] {
    return [...this.servers].map(([address, model]) => {
      const worst = Math.max(...[model.reported, model.ordered].map((each) => SERVER_STATES.indexOf(each)))
      return [address, !model.isSilent && worst === 0] as const
    })
  }

  get actual(): (readonly [string, boolean])[] {
    return [...this.site.servers].map((server) => [server.address, isAvailable(server)] as const)
  }
}

describe('HostSite (R-SLR-02, R-SLR-17)', () => {
  describe('when anything is heard in any order', () => {
    it('agrees with a model, within its bounds, and changes its version with whoever may get flows', () => {
      fc.assert(
        fc.property(steps, (list) => {
          const twin = new Twin()
          for (const step of list) {
            const [before, version] = [twin.actual, twin.site.version]
            twin.take(step)
            expect(twin.actual).to.have.deep.members(twin.expected)
            expect(twin.site.size).to.be.at.most(MOST)
            if (JSON.stringify(before) !== JSON.stringify(twin.actual))
              expect(twin.site.version, JSON.stringify(step)).to.be.above(version)
          }
        }),
        { numRuns: 300 },
      )
    })

    it('is the same site again after its state was exported and imported', () => {
      fc.assert(
        fc.property(steps, (list) => {
          const twin = new Twin()
          for (const step of list) twin.take(step)
          const state = JSON.parse(JSON.stringify(exportSite(twin.site, twin.now)))
          const other = newSite()
          importSite(other, state, twin.now + 7e9)
          expect(JSON.parse(JSON.stringify(exportSite(other, twin.now + 7e9)))).to.deep.equal(state)
          const staying = twin.actual.filter(([address]) => other.find(address) !== undefined)
          expect([...other.servers].map((each) => [each.address, isAvailable(each)])).to.deep.equal(staying)
        }),
        { numRuns: 200 },
      )
    })
  })

  describe('when loads are reported now and then', () => {
    it('adds what was sent since the report, in proportion to the weight', () => {
      const site = newSite()
      const report = () =>
        site.report(
          {
            ...{ host: 'h', address: '10.0.0.2', state: 'active', connections: 3 },
            services: [{ prefix: SERVICE, load: 0.25 }],
          },
          0,
        )
      report()
      const server = site.find('10.0.0.2')!
      const [service] = server.services
      expect(loadOf(server, service!, 0.01)).to.equal(0.25)
      service!.begun = 10
      expect(loadOf(server, service!, 0.01)).to.equal(0.35)
      expect(loadOf({ ...server, weight: 2 }, service!, 0.01)).to.equal(0.3)
      report()
      expect(loadOf(server, service!, 0.01)).to.equal(0.25)
    })

    it('judges a server that never reports by the flows that it has', () => {
      const server = [...newSite().servers][0]!
      server.open = 7
      expect(loadOf(server, server.services[0]!, 0.01)).to.be.closeTo(0.07, 1e-12)
    })

    it('keeps the load of a subnet over another hello, and forgets subnets that are not named any more', () => {
      const site = newSite()
      const services = [
        { prefix: '198.18.0.0/16', load: 0.3 },
        { prefix: '198.19.0.0/16', load: 0.6 },
        { prefix: '203.0.113.0/24', load: 0.9 },
      ]
      site.report({ host: 'h', address: '10.0.0.2', state: 'active', services, connections: 0 }, 0)
      const loads = () => site.find('10.0.0.2')!.services.map(({ prefix, load }) => [prefix.text, load])
      expect(loads(), 'none but virtual hosts of this router').to.deep.equal([
        ['198.18.0.0/16', 0.3],
        ['198.19.0.0/16', 0.6],
      ])
      site.hello({ host: 'h', address: '10.0.0.2', virtualHosts: ['198.18.0.80', '198.19.0.0/16'] }, 1)
      expect(loads()).to.deep.equal([
        ['198.18.0.80', 0],
        ['198.19.0.0/16', 0.6],
      ])
    })
  })
})
