/** What happens to a sandbox process, as plain data for whoever manages the instances in it. */

/** Why a process is of no use any more. */
export type CrashReason =
  | 'timeout' // its watchdog: a call did not come back
  | 'memory' // its watchdog: too much memory
  | 'deadline' // the router's own deadline
  | 'protocol' // it sent what it should not send
  | 'start' // it could not be started, or not in time
  | 'killed' // the router was asked to kill it
  | 'died' // anything else

export type SandboxEvent =
  /** There is a process: instances can be loaded (again). */
  | { readonly kind: 'serving'; readonly starts: number }
  | {
      readonly kind: 'crashed'
      readonly reason: CrashReason
      /** The instance that was running, if any was. */
      readonly culprit: string | undefined
      /** Instances that have to be loaded again, once the process serves again. */
      readonly lost: readonly string[]
      /** The process's last words on standard error. Untrusted, printable, bounded. */
      readonly detail: string
    }
  /** The instance has brought the process down too often and is refused from now on. */
  | { readonly kind: 'quarantined'; readonly instance: string }
