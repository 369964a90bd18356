/**
 * A program: one version of a plugin, loaded in a sandbox. The one idea: it holds what is the version's own (numbers
 * that its guest gave, actions, subscriptions, batches); what outlives it is its tenant's.
 */
import type { Action, DecisionControl, ResourceShare } from '../../engine/index.ts'
import {
  BATCH_RECORDS,
  DECISION_WORDS,
  END_WORDS,
  FLOW_WORDS,
  type SetupResult,
} from '../contract/api/index.ts'
import type { Limits } from '../contract/index.ts'
import { Batch, type Sandbox } from '../sandbox/index.ts'
import { DefinedActions } from './defined-actions.ts'
import type { ProgramNumbers } from './draft.ts'
import type { Grants } from './grants.ts'
import { Rate } from './rate.ts'
import type { Subscription } from './subscription.ts'

/** Questions a second that a program may ask and wait for. */
export const ASKS_PER_SECOND = 500

/** What the operator says about how a program is served. */
export interface ProgramSettings {
  /** Of its claims among those of others. */
  readonly priority: number
  /** What happens to new flows where a claim does not say. */
  readonly fallback: Action
  readonly cpu: ResourceShare
  /** Questions a second; more go to the fallback. Infinity: as many as there are. */
  readonly decisionsPerSecond: number
  /** Flows that it may hold. Infinity: as many as the table does. */
  readonly flows: number
}

export interface ProgramOptions {
  /** Name of the instance in its sandbox. */
  readonly name: string
  readonly version: string
  readonly sandbox: Sandbox
  readonly grants: Grants
  readonly limits: Limits
  readonly settings: ProgramSettings
  readonly decisions: DecisionControl
}

export class Program implements ProgramNumbers {
  readonly name: string
  readonly version: string
  readonly sandbox: Sandbox
  readonly grants: Grants
  readonly limits: Limits
  readonly settings: ProgramSettings
  readonly actions: DefinedActions
  readonly claims = new Map<number, string>()
  readonly tunnels = new Map<string, number>()
  readonly subscriptions = new Map<number, Subscription>()
  /** What setup told; none before. */
  hooks: SetupResult = { exportsState: false, importsState: false }
  /** Questions under way, and the upcalls they come from. */
  readonly questions: Batch
  readonly upcalls = new Float64Array(BATCH_RECORDS)
  readonly ends: Batch
  readonly decisionRate: Rate
  readonly timerRate: Rate
  readonly messageRate: Rate
  readonly requestRate: Rate
  readonly askRate = new Rate(ASKS_PER_SECOND)
  /** By number of a claim's filter in the engine: the claim's number. */
  readonly claimOfFilter = new Map<number, number>()
  /** By number of a tunnel in the engine: the guest's number. */
  readonly tunnelOfEngine = new Map<number, number>()
  /** The guest must be told that what it has defined is unknown here, before it decides again. */
  mustForget = false
  /** Something was called since the last checkpoint. */
  isDirty = true

  constructor(options: ProgramOptions) {
    const { name, version, sandbox, grants, limits, settings, decisions } = options
    this.name = name
    this.version = version
    this.sandbox = sandbox
    this.grants = grants
    this.limits = limits
    this.settings = settings
    this.actions = new DefinedActions(decisions)
    const inputWords = FLOW_WORDS + Math.ceil(grants.payloadBytes / 4)
    this.questions = new Batch({ capacity: BATCH_RECORDS, inputWords, outputWords: DECISION_WORDS })
    this.ends = new Batch({ capacity: BATCH_RECORDS, inputWords: END_WORDS, outputWords: 0 })
    this.decisionRate = new Rate(settings.decisionsPerSecond)
    this.timerRate = new Rate(grants.timersPerSecond)
    this.messageRate = new Rate(limits.messagesPerSecond)
    this.requestRate = new Rate(limits.requestsPerSecond)
  }

  /** Number of the subscription that listens to a topic most closely, or undefined. */
  listensTo(topic: string): number | undefined {
    let best: number | undefined
    let length = -1
    for (const [number, each] of this.subscriptions)
      if (each.kind === 'message' && matchesTopic(each.topic, topic) && each.topic.length > length) {
        best = number
        length = each.topic.length
      }
    return best
  }

  /** Number of the subscription that answers queries of a name, or undefined. */
  answers(name: string): number | undefined {
    for (const [number, each] of this.subscriptions)
      if (each.kind === 'query' && each.name === name) return number
    return undefined
  }
}

function matchesTopic(pattern: string, topic: string): boolean {
  if (pattern === '*' || pattern === topic) return true
  return pattern.endsWith('/*') && topic.startsWith(pattern.slice(0, -1)) && topic.length >= pattern.length
}
