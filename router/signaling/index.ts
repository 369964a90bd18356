/** The door of signaling with hosts, the router's side. */
export type { SignalingCounters } from './counters.ts'
export type { SignalingDatagram } from './datagram.ts'
export type { HostNotice, SignalingOptions } from './server.ts'
export { SignalingServer } from './server.ts'
export type { GoneReason, Tidings } from './tidings.ts'
