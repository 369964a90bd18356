/** The door of signaling with hosts, the router's side. */
export type { SignalingCounters } from './counters.ts'
export type { HostNotice, SignalingDatagram, SignalingOptions } from './server.ts'
export { SignalingServer } from './server.ts'
export type { GoneReason, Tidings } from './tidings.ts'
