/**
 * Routes, messages, queries, timers and log inside a guest: what is asked, awaited or told.
 *
 * Self-contained: the text of this function runs inside the isolate.
 */
import type { GuestEvent } from '../contract/api/events.ts'
import type { JsonValue } from '../contract/json.ts'
import type { Host } from '../sandbox/kernel.ts'
import type { Subscriptions } from './subscriptions.ts'
import type { Values } from './values.ts'

type Verbs = Readonly<Record<string, (...parameters: never[]) => unknown>>

export interface TalkWords {
  readonly routes: Verbs
  readonly messages: Verbs
  readonly query: Verbs
  readonly timers: Verbs
  readonly log: Verbs
  /** Calls whoever waits for an event; answers what the handler answers. */
  readonly deliver: (event: Exclude<GuestEvent, { event: 'forget-actions' }>) => unknown
}

export function createTalk(host: Host, values: Values, subscriptions: Subscriptions): TalkWords {
  const { durationNs, handler } = values
  const { cancel } = subscriptions
  type Sink = (...parameters: never[]) => unknown

  const timer = (delay: unknown, sink: Sink, repeat: boolean): unknown => {
    handler(sink, 'timers')
    const afterNs = durationNs(delay, 'timers')
    return subscriptions.open(
      sink,
      (subscription) => ({ do: 'timer', subscription, afterNs, repeat }),
      !repeat,
    )
  }

  const textOf = (value: unknown): string => {
    if (typeof value === 'string') return value
    try {
      return JSON.stringify(value) ?? String(value)
    } catch {
      return typeof value
    }
  }
  const line =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (...parts: unknown[]): void =>
      host.log(level, parts.map(textOf).join(' '))

  return {
    routes: {
      lookup: (address: unknown) => host.ask('route', { address } as never) ?? undefined,
      watch(address: unknown, sink: Sink) {
        handler(sink, 'routes.watch')
        return subscriptions.open(sink, (subscription) => ({ do: 'watch-route', subscription, address }))
      },
      unwatch: cancel,
    },
    messages: {
      on(topic: unknown, sink: Sink, schema?: unknown) {
        handler(sink, 'messages.on')
        const form = schema === undefined ? {} : { schema }
        return subscriptions.open(sink, (subscription) => ({ do: 'listen', subscription, topic, ...form }))
      },
      off: cancel,
      send(topic: unknown, body: unknown, to?: unknown) {
        host.request({ do: 'send', topic, body: body ?? null, ...(to === undefined ? {} : { to }) } as never)
      },
    },
    query: {
      get: (query: unknown) => host.ask('query', query as JsonValue),
      watch(query: unknown, every: unknown, sink: Sink) {
        handler(sink, 'query.watch')
        const everyNs = durationNs(every, 'query.watch')
        return subscriptions.open(sink, (subscription) => ({ do: 'watch', subscription, query, everyNs }))
      },
      unwatch: cancel,
      answer(name: unknown, sink: Sink) {
        handler(sink, 'query.answer')
        return subscriptions.open(sink, (subscription) => ({ do: 'answer', subscription, name }))
      },
    },
    timers: {
      every: (period: unknown, sink: Sink) => timer(period, sink, true),
      after: (delay: unknown, sink: Sink) => timer(delay, sink, false),
      cancel,
    },
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    deliver(event) {
      const { subscription } = event
      switch (event.event) {
        case 'timer':
          return subscriptions.call(subscription, [])
        case 'message':
          return subscriptions.call(subscription, [event.body, event.from, event.topic])
        case 'query':
          return subscriptions.call(subscription, [event.argument])
        case 'answer':
          return subscriptions.call(subscription, [event.answer])
        case 'route':
          return subscriptions.call(subscription, [event.route ?? undefined])
        case 'service':
          return subscriptions.call(subscription, [event.answer])
      }
    },
  }
}
