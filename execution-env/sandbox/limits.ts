/** What one instance may use, and what holds for a sandbox process as a whole. */

export interface InstanceLimits {
  /** Heap of the instance; at least 8 MB. */
  readonly memoryBytes: number
  /** Wall-clock time of loading, of one call and of one batch. Below 50 ms a loaded machine ends the innocent. */
  readonly loadMs: number
  readonly callMs: number
  readonly batchMs: number
  /** Records of a batch in one direction. */
  readonly batchBytes: number
  /** Requests that one call or batch may make, and their size as text. */
  readonly requests: number
  readonly requestBytes: number
  /** Size of a result (an exported state is one) as text. */
  readonly resultBytes: number
  /** Log lines of one call or batch, and characters of a line. */
  readonly logLines: number
  readonly logLineLength: number
  /** Host functions asked in one call or batch. */
  readonly asks: number
}

export const INSTANCE_LIMITS: InstanceLimits = {
  memoryBytes: 32_000_000,
  loadMs: 1_000,
  callMs: 1_000,
  batchMs: 100,
  batchBytes: 65_536,
  requests: 1_024,
  requestBytes: 1_000_000,
  resultBytes: 4_000_000,
  logLines: 64,
  logLineLength: 1_000,
  asks: 256,
}

export interface ProcessLimits {
  /** Resident memory of the child process above which it is killed. */
  readonly memoryBytes: number
  /** Time over a call's own limit after which the child's watchdog kills the process. */
  readonly graceMs: number
  /** Time without an answer after which the router kills the process, over the call's limit and the grace. */
  readonly deadlineMs: number
  /** Time that the process may take to start. */
  readonly bootMs: number
  /** Requests waiting or under way. */
  readonly outstanding: number
  readonly instances: number
}

export const PROCESS_LIMITS: ProcessLimits = {
  memoryBytes: 768_000_000,
  graceMs: 400,
  deadlineMs: 1_000,
  bootMs: 10_000,
  outstanding: 1_024,
  instances: 256,
}

/** Payload of the largest frame: code with its framing, an exported state, a full batch. */
export const FRAME_BYTES_MAX = 24 << 20
