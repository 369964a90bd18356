/** What the guest's text must know of records and limits, as one constant that goes into it. */
import {
  DECISION_RECORD,
  DECISION_WORDS,
  DURATION_MS_MAX,
  END_RECORD,
  END_WORDS,
  FLOW_END_REASONS,
  FLOW_FRAGMENT,
  FLOW_MULTICAST,
  FLOW_RECORD,
  FLOW_SYN,
  FLOW_WORDS,
  VERBS,
} from '../contract/api/index.ts'
import { ACTIONS_KEPT } from './actions.ts'

export const LAYOUT = {
  flow: FLOW_RECORD,
  flowWords: FLOW_WORDS,
  decision: DECISION_RECORD,
  decisionWords: DECISION_WORDS,
  end: END_RECORD,
  endWords: END_WORDS,
  endReasons: FLOW_END_REASONS,
  flags: { syn: FLOW_SYN, multicast: FLOW_MULTICAST, fragment: FLOW_FRAGMENT },
  actionsKept: ACTIONS_KEPT,
  durationMsMax: DURATION_MS_MAX,
  waitMsDefault: 300,
  dropIdleMs: 1_000,
  flowsVisited: 10_000,
  verbs: VERBS,
} as const

export type Layout = typeof LAYOUT
