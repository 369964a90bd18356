/** The door of the host agent: the sessions of a host with its routers, without input and output. */
export type { HostState } from '../../engine/signaling/message.ts'
export { SIGNALING_PORT } from '../../engine/signaling/message.ts'
export { HostAgent, type HostAgentOptions, MAX_ROUTERS, type SessionView } from './agent.ts'
export type { LoadReport, LoadSource } from './load.ts'
export type { SessionCounters, SessionPhase } from './session.ts'
