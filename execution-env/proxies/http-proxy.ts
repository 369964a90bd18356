/**
 * The HTTP proxy (R-PR-02): fetches texts for plugins. The one idea: one GET of one granted address with nothing of
 * the router's in it, bounded in time, size and hops; what comes back is a status, a content type and a text, or one
 * closed code.
 *
 * Servers are believed by the roots of the machine. A name is resolved when it is connected to: who grants a name
 * grants every address that its owner gives it (docs/security.md). RFC 9110; answers are attacker-controlled.
 */
import { lookup } from 'node:dns'
import { type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import type { LookupFunction } from 'node:net'
import { getCACertificates } from 'node:tls'
import type { HttpResponse, ServiceAnswer, ServiceErrorCode, ServiceFailure } from '../contract/api/index.ts'
import { isInOrigins, parseHttpUrl } from '../contract/index.ts'
import { type FetchRequest, serviceFailure } from './plugin-services.ts'

export interface HttpProxyOptions {
  /** Roots in PEM. Default: the machine's. */
  readonly roots?: readonly string[]
  /** For a whole request with all its hops. Default ten seconds. */
  readonly timeoutMs?: number
  /** Resolves names. Default: as the machine does. */
  readonly lookup?: LookupFunction
}

const TIMEOUT_MS = 10_000
const HEADER_BYTES_MAX = 16_384
const CONTENT_TYPE_MAX = 256
/** Names that are being resolved: the machine cannot be told to stop, and has few threads for it. */
const RESOLVING_MAX = 32
const BUSY = 'EBUSY'
/** Neither cookies nor credentials, and nothing about this router. */
const HEADERS = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'pronto' }
const REDIRECTS: readonly unknown[] = [301, 302, 303, 307, 308]

/** Why a request fails, on its way up. */
class Refused extends Error {
  readonly code: ServiceErrorCode

  constructor(code: ServiceErrorCode, reason: string) {
    super(reason)
    this.code = code
  }
}

export class HttpProxy {
  readonly #options: HttpProxyOptions
  readonly #underWay = new Set<AbortController>()
  #roots: readonly string[] | undefined
  #resolving = 0

  constructor(options: HttpProxyOptions = {}) {
    this.#options = options
    this.#roots = options.roots
  }

  fetch(request: FetchRequest, done: (answer: ServiceAnswer) => void): void {
    void this.#fetch(request).then(done)
  }

  /** Breaks off all that is under way; it is answered all the same. */
  close(): void {
    for (const each of this.#underWay) each.abort()
  }

  async #fetch(request: FetchRequest): Promise<HttpResponse | ServiceFailure> {
    const { timeoutMs = TIMEOUT_MS } = this.#options
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), timeoutMs)
    this.#underWay.add(controller)
    try {
      return await this.#follow(request, controller.signal)
    } catch (error) {
      return failureOf(error, controller.signal, timeoutMs)
    } finally {
      clearTimeout(timer)
      this.#underWay.delete(controller)
      controller.abort()
    }
  }

  async #follow(request: FetchRequest, signal: AbortSignal): Promise<HttpResponse> {
    let address = request.url
    for (let hop = 0; ; hop++) {
      const url = grantedUrl(address, request.origins)
      const response = await this.#open(url, signal)
      const location = REDIRECTS.includes(response.statusCode) ? response.headers.location : undefined
      if (location === undefined || request.redirects === 0)
        return await readResponse(response, request.maxBytes)
      response.destroy()
      if (hop >= request.redirects) throw new Refused('refused', `more than ${request.redirects} redirects`)
      address = URL.parse(location, url)?.href ?? ''
    }
  }

  #open(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
    const options = {
      method: 'GET',
      agent: false,
      headers: HEADERS,
      maxHeaderSize: HEADER_BYTES_MAX,
      signal,
      lookup: this.#lookup,
    }
    return new Promise((settle, reject) => {
      const sent =
        url.protocol === 'https:'
          ? requestSecure(url, { ...options, ca: this.#trusted() })
          : requestPlain(url, options)
      sent.on('response', settle)
      sent.on('error', reject)
      sent.end()
    })
  }

  /** A request that was given up goes on resolving. */
  readonly #lookup: LookupFunction = (name, options, done) => {
    if (this.#resolving >= RESOLVING_MAX)
      return done(Object.assign(new Error('too many names'), { code: BUSY }), '', 0)
    this.#resolving++
    const resolve = this.#options.lookup ?? (lookup as LookupFunction)
    resolve(name, options, (...found) => {
      this.#resolving--
      done(...found)
    })
  }

  #trusted(): string[] {
    this.#roots ??= getCACertificates('system')
    return [...this.#roots]
  }
}

function grantedUrl(address: string, origins: readonly string[]): URL {
  const url = parseHttpUrl(address)
  if (url === undefined) throw new Refused('refused', 'a redirect to no address of the web')
  if (!isInOrigins(url, origins)) throw new Refused('refused', 'a redirect out of the granted origins')
  return new URL(url.href)
}

async function readResponse(response: IncomingMessage, maxBytes: number): Promise<HttpResponse> {
  const tooLarge = new Refused('too-large', `more than ${maxBytes} bytes`)
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response as AsyncIterable<Uint8Array>) {
    bytes += part.length
    if (bytes > maxBytes) throw tooLarge
    parts.push(part)
  }
  const contentType = response.headers['content-type'] ?? ''
  return {
    ok: true,
    status: response.statusCode ?? 0,
    contentType: contentType.slice(0, CONTENT_TYPE_MAX),
    body: textOf(Buffer.concat(parts)),
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Refused('invalid', 'the body is no text in UTF-8')
  }
}

function failureOf(error: unknown, signal: AbortSignal, timeoutMs: number): ServiceFailure {
  if (error instanceof Refused) return serviceFailure(error.code, error.message)
  if (signal.aborted) return serviceFailure('timeout', `no answer in ${timeoutMs} ms`)
  // The message may name addresses that are none of the plugin's business.
  const code = String((error as NodeJS.ErrnoException).code ?? 'failed')
  if (code === BUSY) return serviceFailure('limit', `more than ${RESOLVING_MAX} names are being resolved`)
  if (code === 'HPE_HEADER_OVERFLOW')
    return serviceFailure('too-large', `headers of more than ${HEADER_BYTES_MAX} bytes`)
  if (code.startsWith('HPE_')) return serviceFailure('invalid', 'the server does not speak HTTP')
  return serviceFailure('unreachable', code)
}
