/**
 * The proxies inside a guest: the web, certificates, keys. The one idea: a request is a subscription that is called
 * once, with the answer or with why there is none.
 *
 * Self-contained: the text of this function runs inside the isolate.
 */
import type { Subscriptions } from './subscriptions.ts'
import type { Values } from './values.ts'

type Verbs = Readonly<Record<string, (...parameters: never[]) => unknown>>

export interface ServiceWords {
  readonly http: Verbs
  readonly certificates: Verbs
  readonly keys: Verbs
}

export function createServices(values: Values, subscriptions: Subscriptions): ServiceWords {
  const { handler, refusal, show } = values
  type Sink = (...parameters: never[]) => unknown

  const ask = (verb: string, sink: Sink, request: object): void => {
    handler(sink, verb)
    subscriptions.open(sink, (subscription) => ({ ...request, subscription }), true)
  }

  const signerOf = (key: unknown): object => {
    if (typeof key === 'string') return { key }
    const publicKey = (key as { publicKey?: unknown } | null | undefined)?.publicKey
    if (typeof publicKey === 'string') return { publicKey }
    throw refusal('invalid', `keys.verify: expected a name or a public key, got ${show(key)}`)
  }

  return {
    http: {
      get(url: unknown, sink: Sink, options?: { readonly redirects?: unknown }) {
        const redirects = options?.redirects
        ask('http.get', sink, { do: 'fetch', url, ...(redirects === undefined ? {} : { redirects }) })
      },
    },
    certificates: {
      lookup: (name: unknown, sink: Sink) =>
        ask('certificates.lookup', sink, { do: 'lookup-certificate', name }),
    },
    keys: {
      sign: (key: unknown, text: unknown, sink: Sink) => ask('keys.sign', sink, { do: 'sign', key, text }),
      verify: (key: unknown, text: unknown, signature: unknown, sink: Sink) =>
        ask('keys.verify', sink, { do: 'verify', ...signerOf(key), text, signature }),
    },
  }
}
