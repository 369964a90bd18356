/** A report as a backend would measure it, for tests. */
import type { ClientReport, Measurements, PacketCounts, Report, RouterReport } from '../../lab/index.ts'

export const client: ClientReport = {
  attempted: 10,
  completed: 9,
  failed: 1,
  bytesIn: 9000,
  bytesOut: 90,
  latencyMs: { p50: 4.2, p99: 9 },
  servers: { s1: 6, s2: 3 },
  corrupted: 0,
}

export const packets: PacketCounts = {
  in: 100,
  originated: 2,
  copies: 3,
  out: 90,
  delivered: 4,
  merged: 1,
  parked: 0,
  queued: 5,
  inProgram: 0,
  dropped: { policy: 3, 'no-route': 2 },
}

export const router: RouterReport = {
  packets,
  flows: 9,
  tunnels: 3,
  classes: {
    eth0: { web: { packets: 50, bytes: 75_000, dropped: 1, queued: 0, delayMs: { p50: 0.5, p99: 2 } } },
  },
  plugins: [{ id: 'slr', name: 'slr', version: '1.0.0', state: 'running', decisions: 9, restarts: 0 }],
}

export const measured: Measurements & Pick<Report, 'wall'> = {
  lab: 'sample',
  backend: 'sim',
  seed: 1,
  virtualSeconds: 20,
  clients: { c1: [client] },
  routers: { r1: router },
  wall: { seconds: 0.412 },
}
