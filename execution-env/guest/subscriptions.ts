/**
 * Whatever calls back, inside a guest: timers, messages, watches, answers, ends of flows. The one idea: a number and
 * a function; the router knows the number, the plugin a handle, and one cancelling serves them all.
 *
 * Self-contained: the text of this function runs inside the isolate.
 */
import type { Subscription } from '../contract/api/handles.ts'
import type { JsonValue } from '../contract/json.ts'
import type { Host } from '../sandbox/kernel.ts'
import type { Values } from './values.ts'

type Handler = (...parameters: never[]) => unknown

export interface Subscriptions {
  /** Asks for a subscription, of which `command` gets the number. @param once it is over after one call */
  readonly open: (handler: Handler, command: (number: number) => unknown, once?: boolean) => Subscription
  readonly cancel: (subscription: unknown) => void
  /** Calls the handler of a number; undefined when there is none any more. */
  readonly call: (number: number, parameters: readonly unknown[]) => unknown
}

export function createSubscriptions(host: Host, values: Values): Subscriptions {
  const entries = new Map<number, { handler: Handler; handle: Subscription; once: boolean }>()
  const numbers = new Map<unknown, number>()
  let last = 0
  return {
    open(handler, command, once = false) {
      host.request(command(last + 1) as JsonValue)
      const handle: Subscription = Object.freeze({})
      entries.set(++last, { handler, handle, once })
      numbers.set(handle, last)
      return handle
    },
    cancel(subscription) {
      const number = numbers.get(subscription)
      if (number === undefined)
        throw values.refusal('closed', 'cancel: not an open subscription of this plugin')
      host.request({ do: 'cancel', subscription: number })
      entries.delete(number)
      numbers.delete(subscription)
    },
    call(number, parameters) {
      const entry = entries.get(number)
      if (entry === undefined) return undefined
      if (entry.once) {
        entries.delete(number)
        numbers.delete(entry.handle)
      }
      return Reflect.apply(entry.handler, undefined, parameters)
    },
  }
}
