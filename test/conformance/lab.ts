/**
 * What every backend of the lab must make of the same lab file: whoever answers, however many requests come through,
 * and how many bytes they carry does not depend on whether time, hosts and links are real.
 */
import { expect } from 'chai'
import { before, type Context, describe, it } from 'mocha'
import type { ClientReport, LabFile, Report } from '../../lab/index.ts'
import { labOf } from '../support/labs.ts'

/** Head of http messages is the server's own affair: bytes are compared where the lab decides all of them. */
const outcome = ({ attempted, completed, failed, corrupted, servers }: ClientReport) => ({
  attempted,
  completed,
  failed,
  corrupted,
  servers,
})

const bytes = ({ bytesIn, bytesOut }: ClientReport) => [bytesIn, bytesOut]

const all = (count: number, server: string) => ({
  attempted: count,
  completed: count,
  failed: 0,
  corrupted: 0,
  servers: { [server]: count },
})

const none = (count: number) => ({ attempted: count, completed: 0, failed: count, corrupted: 0, servers: {} })

/** A client behind a router, and two servers that have the same virtual addresses. */
const site = (clients: string, policy: string, more = '') => `
name: conform
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1, clients: ${clients} }
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24, eth1: 10.0.2.1/24, eth2: 10.0.3.1/24 }, policy: ${policy} }
  s1: { kind: host, addresses: { eth0: 10.0.2.2/24 }, gateway: 10.0.2.1, virtualHosts: [ 198.18.0.0/15 ], services: &all
        [ { protocol: http, port: 80, bytes: 10k }, { protocol: tcp, port: 7000 }, { protocol: udp, port: 53 } ] }
  s2: { kind: host, addresses: { eth0: 10.0.3.2/24 }, gateway: 10.0.3.1, virtualHosts: [ 198.18.0.0/15 ], services: *all }
links:
  - { name: up, endpoints: [ "c1:eth0", "r1:eth0" ], delay: 2ms }
  - { endpoints: [ "r1:eth1", "s1:eth0" ] }
  - { endpoints: [ "r1:eth2", "s2:eth0" ] }
${more}
`

/** @param run brings a lab to life on the backend @param prepare skips with a reason where it cannot be had */
export function describeLabBackend(
  name: string,
  run: (lab: LabFile) => Promise<Report>,
  prepare: (context: Context) => Promise<void>,
): void {
  describe(`Backend ${name}`, function () {
    this.timeout(90_000)
    before(async function () {
      await prepare(this)
    })

    describe('when packets are routed', () => {
      it('carries requests of every protocol to the host that is asked, byte for byte', async () => {
        const clients = `[ { protocol: http, to: "10.0.2.2:80", count: 10 },
          { protocol: http, to: "10.0.3.2:80", count: 30, concurrency: 3, keepAlive: true },
          { protocol: http, to: "10.0.3.2:80", count: 3, bytes: 50k },
          { protocol: tcp, to: "10.0.2.2:7000", count: 5, bytes: 200k },
          { protocol: udp, to: "10.0.3.2:53", rate: 50/s, count: 20, bytes: 300 },
          { protocol: ping, to: 10.0.2.2, rate: 20/s, count: 5, bytes: 200 } ]`
        const { clients: reports, conservation, routers } = await run(labOf(site(clients, '{}')))
        const [pages, kept, uploads, streams, datagrams, pings] = reports['c1']!
        expect(outcome(pages!)).to.deep.equal(all(10, 's1'))
        expect(outcome(kept!)).to.deep.equal(all(30, 's2'))
        expect(outcome(uploads!)).to.deep.equal(all(3, 's2'))
        expect(uploads!.bytesOut).to.be.within(150_000, 152_000)
        expect(outcome(streams!)).to.deep.equal(all(5, 's1'))
        expect(bytes(streams!)).to.deep.equal([1_000_000, 1_000_000])
        expect(outcome(datagrams!)).to.deep.equal(all(20, 's2'))
        expect(bytes(datagrams!)).to.deep.equal([6000, 6000])
        expect(outcome(pings!)).to.deep.equal(all(5, '10.0.2.2'))
        expect(bytes(pings!)).to.deep.equal([1000, 1000])
        expect(conservation).to.equal(true)
        expect(routers['r1']!.packets.dropped).to.deep.equal({})
      })

      it('fails what nobody answers', async () => {
        const clients = `[ { protocol: http, to: "10.0.2.2:81", count: 2 }, { protocol: tcp, to: "10.0.2.2:9", count: 2 },
          { protocol: udp, to: "10.0.2.2:9", count: 2, timeout: 300ms }, { protocol: ping, to: 10.0.2.9, count: 2, timeout: 300ms } ]`
        const report = await run(labOf(site(clients, '{}')))
        expect(report.clients['c1']!.map(outcome)).to.deep.equal([none(2), none(2), none(2), none(2)])
        expect(report.conservation).to.equal(true)
      })
    })

    describe('when a policy leads packets of virtual hosts into tunnels', () => {
      it('lets the chosen host answer, large packets both ways at the standard MTU included', async () => {
        const policy = `{ tunnels: { s1: 10.0.2.2, s2: 10.0.3.2 }, filters: [
          { to: 198.18.0.1, action: { tunnel: s1 } }, { to: 198.19.0.0/16, action: { tunnel: s2 } }, { to: 198.18.0.2, action: drop } ] }`
        const clients = `[ { protocol: http, to: "198.18.0.1:80", count: 8 }, { protocol: http, to: "198.19.3.4:80", count: 8 },
          { protocol: tcp, to: "198.19.9.9:7000", count: 2, bytes: 2M }, { protocol: http, to: "198.18.0.1:80", count: 2, bytes: 1M },
          { protocol: udp, to: "198.19.9.9:53", count: 5, bytes: 500 }, { protocol: ping, to: 198.18.0.1, rate: 20/s, count: 3 },
          { protocol: http, to: "198.18.0.2:80", count: 1, timeout: 700ms } ]`
        const report = await run(labOf(site(clients, policy)))
        const [one, two, streams, uploads, datagrams, pings, dropped] = report.clients['c1']!
        expect(outcome(one!)).to.deep.equal(all(8, 's1'))
        expect(outcome(two!)).to.deep.equal(all(8, 's2'))
        expect(outcome(streams!)).to.deep.equal(all(2, 's2'))
        expect(bytes(streams!)).to.deep.equal([4_000_000, 4_000_000])
        expect(outcome(uploads!)).to.deep.equal(all(2, 's1'))
        expect(outcome(datagrams!)).to.deep.equal(all(5, 's2'))
        expect(outcome(pings!)).to.deep.equal(all(3, '198.18.0.1'))
        expect(outcome(dropped!)).to.deep.equal(none(1))
        expect(report.routers['r1']!.packets.dropped['policy']).to.be.greaterThan(0)
        expect(report.routers['r1']!.tunnels).to.equal(2)
        expect(report.conservation).to.equal(true)
      })
    })

    describe('when links are cut and hosts fail', () => {
      it('loses what is asked meanwhile, and answers again afterwards', async () => {
        const clients = `[ { protocol: http, to: "10.0.2.2:80", count: 3, timeout: 40s },
          { protocol: ping, to: 10.0.2.2, rate: 10/s, start: 2200ms, count: 5, timeout: 400ms },
          { protocol: ping, to: 10.0.2.2, rate: 10/s, start: 4200ms, count: 5, timeout: 400ms },
          { protocol: http, to: "10.0.2.2:80", count: 3, start: 12s, timeout: 40s } ]`
        const events =
          'events: [ { at: 2s, cut: up }, { at: 3400ms, heal: up }, { at: 4s, fail: s1 }, { at: 5500ms, recover: s1 } ]'
        const report = await run(labOf(site(clients, '{}', events)))
        const [before, cut, failed, after] = report.clients['c1']!
        expect(outcome(before!)).to.deep.equal(all(3, 's1'))
        expect(outcome(cut!), 'while the link is cut').to.deep.equal(none(5))
        expect(outcome(failed!), 'while the host is down').to.deep.equal(none(5))
        expect(outcome(after!)).to.deep.equal(all(3, 's1'))
        expect(report.conservation).to.equal(true)
      })
    })
  })
}
