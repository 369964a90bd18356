/** The door of the sandboxes. */
export { Batch, type BatchShape, type Fault } from './batch.ts'
export { type Confinement, confine, type SystemUser } from './confinement.ts'
export type { Done, Effects, LogLevel, LogLine, Moment, Reply } from './effects.ts'
export { LOG_LEVELS } from './effects.ts'
export { entryPath } from './entry-path.ts'
export { type InProcessOptions, InProcessSandbox } from './in-process.ts'
export type { BatchEntry, Entries, Host, Runtime } from './kernel.ts'
export { INSTANCE_LIMITS, type InstanceLimits, PROCESS_LIMITS, type ProcessLimits } from './limits.ts'
export { ProcessSandbox, type ProcessSandboxOptions } from './process-sandbox.ts'
export { Backoff, RESTART_POLICY, type RestartPolicy } from './restart-policy.ts'
export type * from './sandbox.ts'
export {
  isSandboxErrorCode,
  SandboxError,
  type SandboxErrorCode,
  type SandboxFailure,
} from './sandbox-error.ts'
export type { CrashReason, SandboxEvent } from './sandbox-event.ts'
export { formatPosition, type SourcePosition, SourcePositions } from './source-positions.ts'
export { CODE_LENGTH_MAX, type CodeProblem, findProblems, type VettedCode, vet } from './vetting.ts'
