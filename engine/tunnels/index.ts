/** The door of the tunnels room. */
export * from './address-set.ts'
export { NEEDS_FRAGMENTS } from './ip-in-ip.ts'
export type { TunnelRequest } from './tunnel.ts'
export { PARALLEL_LIMIT, TUNNEL_LIMIT } from './tunnel-registry.ts'
export { createTunnelReport, type TunnelReport } from './tunnel-report.ts'
export { LEAST_MTU_BYTES, type Reach, type TunnelResolver } from './tunnel-request.ts'
export * from './tunnel-table.ts'
