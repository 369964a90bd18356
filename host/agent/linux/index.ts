/** The door of the agent on Linux: its configuration, its process, and how to speak to one that runs. */
export { AgentProcess, type AgentProcessOptions, type HostEvent } from './agent-process.ts'
export type { ExitKind, HostConfig, LoadSpec } from './config.ts'
export { hostSchema } from './config-schema.ts'
export { askAgent, type ControlRequest } from './control.ts'
export { HostError, type HostErrorCode } from './errors.ts'
export { EXIT_OUTCOMES, type ExitOutcome } from './exit-program.ts'
export { loadHostConfig, parseHostConfig } from './load-config.ts'
export type { HostStatus } from './status.ts'
