/**
 * Records of batches: what crosses as 32-bit words because it is frequent. The one idea: offsets stand here once,
 * for the router that writes them and for the guest, into whose text they go as a constant.
 *
 * A `decide` record tells a flow's first packet and is answered by a decision; an `ended` record tells a flow that is
 * over and is answered by nothing.
 */

/** Words of a `decide` record before the payload. */
export const FLOW_WORDS = 9

/** Offsets in a `decide` record. */
export const FLOW_RECORD = {
  claim: 0,
  source: 1,
  destination: 2,
  /** Source port << 16 | destination port. */
  ports: 3,
  protocol: 4,
  /** Index of the port, or negative. */
  inPort: 5,
  /** FLOW_SYN and the like. */
  flags: 6,
  /** Bytes of the frame in the low half; bytes of payload that follow in the high half. */
  length: 7,
  /** Number of the tunnel by which it came, or 0. */
  arrival: 8,
  payload: FLOW_WORDS,
} as const

export const FLOW_SYN = 1
export const FLOW_MULTICAST = 2
export const FLOW_FRAGMENT = 4

/** Offsets in a decision. All words 0: nothing was decided. */
export const DECISION_RECORD = {
  /** Number of a defined action, or 0 for the claim's `otherwise`. */
  action: 0,
  /** Milliseconds; 0 for the default. */
  idle: 1,
  /** Milliseconds for which the flow stays parked, after which `action` happens; 0: decided now. */
  park: 2,
} as const
export const DECISION_WORDS = 3

/** Offsets in an `ended` record. */
export const END_RECORD = {
  subscription: 0,
  source: 1,
  destination: 2,
  ports: 3,
  /** Protocol in the low byte; index of the reason in FLOW_END_REASONS above it. */
  protocol: 4,
  /** Number of the tunnel to which it was sent, or 0. */
  tunnel: 5,
  /** Two words each, low before high. */
  packets: 6,
  bytes: 8,
} as const
export const END_WORDS = 10

/** Most records of a batch. */
export const BATCH_RECORDS = 256

/** Durations that a decision can tell: about 24 days. */
export const DURATION_MS_MAX = 2 ** 31 - 1
