/**
 * The services behind the proxies, as the dispatcher sees them (R-PR-02). The one idea: plain data in, one answer out,
 * whenever it is there; so that they can be in the same thread, in another one, or imitated by a test. A request was
 * authorized and counted before it comes here.
 */
import type { ServiceAnswer, ServiceErrorCode, ServiceFailure } from '../contract/api/index.ts'

export interface FetchRequest {
  readonly kind: 'fetch'
  readonly url: string
  /** What the plugin was granted: every hop must lie in it. */
  readonly origins: readonly string[]
  readonly redirects: number
  readonly maxBytes: number
}

export interface LookupRequest {
  readonly kind: 'lookup'
  readonly name: string
}

export interface SignRequest {
  readonly kind: 'sign'
  readonly key: string
  readonly text: string
}

/** By one of `key` and `publicKey`. */
export interface VerifyRequest {
  readonly kind: 'verify'
  readonly key: string | undefined
  readonly publicKey: string | undefined
  readonly text: string
  readonly signature: string
}

export type ServiceRequest = FetchRequest | LookupRequest | SignRequest | VerifyRequest
export type ServiceDone = (answer: ServiceAnswer) => void

export interface PluginServices {
  /** Calls back once, at once or later. Never throws. */
  ask(request: ServiceRequest, done: ServiceDone): void
}

export function serviceFailure(code: ServiceErrorCode, reason: string): ServiceFailure {
  return { ok: false, code, reason }
}

type Service<Kind extends ServiceRequest['kind']> = (
  request: Extract<ServiceRequest, { kind: Kind }>,
  done: ServiceDone,
) => void

/** What services are made of; those that are absent answer `unsupported`. */
export type ServiceParts = { readonly [Kind in ServiceRequest['kind']]?: Service<Kind> }

/** Services of these parts. */
export function combineServices(parts: ServiceParts): PluginServices {
  return {
    ask(request, done) {
      const part = parts[request.kind] as Service<ServiceRequest['kind']> | undefined
      if (part === undefined) done(serviceFailure('unsupported', `no ${request.kind} here`))
      else part(request as never, done)
    },
  }
}

/** None at all. */
export const NO_SERVICES: PluginServices = combineServices({})
