/** What a simulation measured, as the report shows it. */
import type { Measurements } from '../report.ts'
import type { Simulation } from './simulation.ts'

const NS_PER_SECOND = 1e9

/** @param wallSeconds how long it took; the only figure that depends on the machine */
export function measure(simulation: Simulation, wallSeconds: number): Measurements {
  const { lab, timeline, counter } = simulation
  const clients = simulation.hosts
    .filter((host) => host.clientReports.length > 0)
    .map((host) => [host.name, host.clientReports] as const)
  return {
    lab: lab.name,
    backend: 'sim',
    seed: lab.seed,
    virtualSeconds: timeline.now / NS_PER_SECOND,
    clients: Object.fromEntries(clients),
    routers: Object.fromEntries(simulation.routers.map((router) => [router.name, router.report()])),
    wall: { seconds: wallSeconds, packetHops: counter.hops, packetHopsPerSecond: counter.hops / wallSeconds },
  }
}
