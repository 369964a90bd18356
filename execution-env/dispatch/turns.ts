/**
 * The two batches of a turn: questions about new flows, and flows that are over. The one idea: a batch is filled from
 * what waits when the turn begins and applied record by record when it has ended; an answer to a question that is not
 * open any more hits nobody (the handle's generation, engine/upcall.ts).
 */
import {
  ANSWER_LATE,
  ANSWER_UNPINNED,
  type CompiledFilter,
  type Engine,
  QUESTION,
} from '../../engine/index.ts'
import { formatIpv4Address } from '../../engine/wire/index.ts'
import {
  BATCH_RECORDS,
  DECISION_RECORD,
  DECISION_WORDS,
  END_RECORD,
  END_WORDS,
  FLOW_RECORD,
  WAIT_NS_MAX,
} from '../contract/api/index.ts'
import type { Program } from './program.ts'
import type { Tenant } from './tenant.ts'
import { flowText } from './transactions.ts'

const MILLISECOND = 1e6
/** Parked flows that are remembered by key; with more, those that are over are forgotten. */
const PARKED_LIMIT = 4_096

/** Fills the program's batch with questions; returns how many. */
export function fillQuestions(engine: Engine, tenant: Tenant, program: Program, now: number): number {
  const { questions, upcalls, claimOfFilter, tunnelOfEngine } = program
  const { input, shape } = questions
  const { payloadBytes } = program.grants
  let count = 0
  while (count < BATCH_RECORDS) {
    const upcall = tenant.upcalls.shift()
    if (upcall < 0) break
    const at = count * shape.inputWords
    // Answered or expired meanwhile.
    if (!engine.readQuestion(upcall, input, at, payloadBytes)) continue
    const claim = claimOfFilter.get(input[at + QUESTION.filter]!)
    if (claim === undefined) {
      // The claim has gone since, or another filter goes before it now.
      tenant.counters.fallbacks++
      engine.decisions.giveUp(upcall, now)
      continue
    }
    const arrival = input[at + QUESTION.arrival]!
    input[at + FLOW_RECORD.claim] = claim
    input[at + FLOW_RECORD.arrival] = arrival === 0 ? 0 : (tunnelOfEngine.get(arrival - 1) ?? 0)
    upcalls[count++] = upcall
  }
  questions.count = count
  return count
}

/** Lets the packets of a batch that failed as a whole do what their claims have for that. */
export function giveUpQuestions(engine: Engine, tenant: Tenant, program: Program, now: number): void {
  for (let i = 0; i < program.questions.count; i++)
    if (engine.decisions.giveUp(program.upcalls[i]!, now)) tenant.counters.fallbacks++
}

/** Carries out the decisions of a batch. The output words are untrusted. */
export function applyDecisions(engine: Engine, tenant: Tenant, program: Program, now: number): void {
  const { questions, upcalls, actions } = program
  const { output, count } = questions
  const { decisions } = engine
  const { counters } = tenant
  for (let i = 0; i < count; i++) {
    const at = i * DECISION_WORDS
    const number = output[at + DECISION_RECORD.action]!
    const idle = output[at + DECISION_RECORD.idle]!
    if (output[at + DECISION_RECORD.park] !== 0) {
      parkFlow(engine, tenant, program, i, now)
      continue
    }
    const action = number === 0 ? -1 : actions.lookup(number)
    if (action < 0 || idle < 0) {
      if (number !== 0) counters.refusedDecisions++
      if (decisions.giveUp(upcalls[i]!, now)) counters.fallbacks++
      else counters.late++
      continue
    }
    const answer = decisions.resume(upcalls[i]!, action, idle * MILLISECOND, now)
    if (answer === ANSWER_LATE) counters.late++
    else counters.decisions++
    if (answer === ANSWER_UNPINNED) counters.unpinned++
  }
}

/** Leaves a flow parked for longer, until it is pinned or the time is over. */
function parkFlow(engine: Engine, tenant: Tenant, program: Program, i: number, now: number): void {
  const { questions, upcalls, actions, grants } = program
  const { output, input, shape } = questions
  const number = output[i * DECISION_WORDS + DECISION_RECORD.action]!
  const waitNs = output[i * DECISION_WORDS + DECISION_RECORD.park]! * MILLISECOND
  const action = number === 0 ? undefined : actions.lookupFallback(number)
  const upcall = upcalls[i]!
  const allowed = grants.actions.has('park') && waitNs > 0 && waitNs <= WAIT_NS_MAX
  if (!allowed || (action !== undefined && action < 0)) {
    tenant.counters.refusedDecisions++
    if (engine.decisions.giveUp(upcall, now)) tenant.counters.fallbacks++
    return
  }
  if (!engine.decisions.defer(upcall, action, waitNs, now)) {
    tenant.counters.late++
    return
  }
  tenant.counters.parked++
  rememberParked(engine, tenant, keyText(input, i * shape.inputWords), upcall)
}

function rememberParked(engine: Engine, tenant: Tenant, key: string, upcall: number): void {
  const { parked } = tenant
  if (parked.size >= PARKED_LIMIT)
    for (const [text, each] of parked) if (engine.askedBy(each) !== tenant.owner) parked.delete(text)
  if (parked.size < PARKED_LIMIT) parked.set(key, upcall)
}

function keyText(words: Int32Array, at: number): string {
  const ports = words[at + FLOW_RECORD.ports]!
  return flowText({
    from: formatIpv4Address(words[at + FLOW_RECORD.source]! >>> 0),
    to: formatIpv4Address(words[at + FLOW_RECORD.destination]! >>> 0),
    protocol: words[at + FLOW_RECORD.protocol]!,
    fromPort: ports >>> 16,
    toPort: ports & 0xffff,
  })
}

/** Fills the program's batch of flows that are over; a flow counts once for each that waits for it. */
export function fillEnds(tenant: Tenant, program: Program): number {
  const { ends, subscriptions } = program
  const { input } = ends
  const waiting = [...subscriptions].flatMap(([number, each]) =>
    each.kind === 'ended' ? [{ number, filter: each.filter }] : [],
  )
  let count = 0
  while (waiting.length > 0 && count + waiting.length <= BATCH_RECORDS) {
    const at = count * END_WORDS
    if (!tenant.ends.shift(input, at)) break
    let copies = 0
    for (const { number, filter } of waiting) {
      if (!matches(filter, input, at)) continue
      const to = (count + copies) * END_WORDS
      if (copies > 0) input.copyWithin(to, at, at + END_WORDS)
      input[to + END_RECORD.subscription] = number
      copies++
    }
    count += copies
  }
  if (waiting.length === 0) tenant.ends.clear()
  ends.count = count
  return count
}

function matches(filter: CompiledFilter, words: Int32Array, at: number): boolean {
  const source = words[at + END_RECORD.source]!
  const destination = words[at + END_RECORD.destination]!
  const ports = words[at + END_RECORD.ports]!
  const [fromPort, toPort] = [ports >>> 16, ports & 0xffff]
  return (
    ((source ^ filter.sourceValue) & filter.sourceMask) === 0 &&
    ((destination ^ filter.destinationValue) & filter.destinationMask) === 0 &&
    (filter.protocol < 0 || filter.protocol === (words[at + END_RECORD.protocol]! & 255)) &&
    fromPort >= filter.sourcePortFrom &&
    fromPort <= filter.sourcePortTo &&
    toPort >= filter.destinationPortFrom &&
    toPort <= filter.destinationPortTo
  )
}
