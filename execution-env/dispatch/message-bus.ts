/**
 * Messages between plugins, and to them from operators. The one idea: a message reaches whoever listens to its topic,
 * if its body has the form that the listener asked for and the listener's limits allow; what does not arrive is
 * counted where it got lost.
 */
import type { Sender } from '../contract/api/index.ts'
import { formatProblem, type JsonValue } from '../contract/index.ts'
import type { Sending } from './draft.ts'
import { messageLetter } from './letters.ts'
import type { CallResult } from './mailbox.ts'
import type { Program } from './program.ts'
import type { Tenant } from './tenant.ts'

type Done = (result: CallResult) => void

export class MessageBus {
  readonly #tenants: Iterable<Tenant>
  readonly #wake: (tenant: Tenant) => void

  constructor(tenants: Iterable<Tenant>, wake: (tenant: Tenant) => void) {
    this.#tenants = tenants
    this.#wake = wake
  }

  /**
   * Sends a plugin's message to one plugin or to all others that listen.
   * @param program whose it is: in setup it does not serve yet
   */
  send(from: Tenant, program: Program, { topic, to, body }: Sending, now: number): void {
    const { counters } = from
    const bytes = Buffer.byteLength(JSON.stringify(body))
    if (bytes > program.limits.messageBytes || !program.messageRate.take(now)) {
      counters.messagesDropped++
      return
    }
    counters.messagesOut++
    const sender: Sender = { kind: 'plugin', name: from.id }
    for (const each of this.#tenants)
      if (each !== from && (to === undefined ? each.program?.listensTo(topic) !== undefined : each.id === to))
        this.deliver(each, topic, body, sender, undefined, now)
  }

  /** Delivers a message from outside to every plugin that listens to its topic, as far as its limits allow. */
  tell(topic: string, body: JsonValue, from: Sender, now: number): void {
    for (const each of this.#tenants)
      if (each.program?.listensTo(topic) !== undefined) this.deliver(each, topic, body, from, undefined, now)
  }

  /** Delivers a message to one plugin. An operator's is not limited in rate: it is waited for. */
  deliver(
    to: Tenant,
    topic: string,
    body: JsonValue,
    from: Sender,
    done: Done | undefined,
    now: number,
  ): void {
    const refusal = this.#refusal(to, topic, body, from, now)
    if (refusal !== undefined) {
      to.counters.messagesDropped++
      done?.({ ok: false, ...refusal })
      return
    }
    if (to.mailbox.put(messageLetter(topic, from, body, done))) to.counters.messagesIn++
    else to.counters.messagesDropped++
    this.#wake(to)
  }

  #refusal(
    { id, program }: Tenant,
    topic: string,
    body: JsonValue,
    from: Sender,
    now: number,
  ): { readonly code: string; readonly reason: string } | undefined {
    if (program === undefined) return { code: 'unavailable', reason: `${id} does not run` }
    const number = program.listensTo(topic)
    if (number === undefined) return { code: 'unknown', reason: `${id} does not listen to ${topic}` }
    const subscription = program.subscriptions.get(number)
    const [problem] = (subscription?.kind === 'message' ? subscription.check?.(body) : undefined) ?? []
    if (problem !== undefined) return { code: 'invalid', reason: formatProblem(problem) }
    if (Buffer.byteLength(JSON.stringify(body)) > program.limits.messageBytes)
      return { code: 'limit', reason: `more than ${program.limits.messageBytes} bytes` }
    if (from.kind !== 'operator' && !program.messageRate.take(now))
      return { code: 'limit', reason: `more than ${program.limits.messagesPerSecond} messages a second` }
    return undefined
  }
}
