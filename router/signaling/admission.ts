/**
 * Who is let in. The one idea: questions in the order of their price. A hello costs a keyed hash; an introduction is
 * looked at only with a right cookie, at a bounded rate for each address and for all, and its certificates come last.
 */
import type { MessageOf, ParsedMessage, Refusal } from '../../engine/signaling/message.ts'
import { read32 } from '../../engine/wire/index.ts'
import type { TrustStore } from '../../execution-env/certificates/index.ts'
import { Cookies } from './cookies.ts'
import type { Ignored } from './counters.ts'
import type { SignalingDatagram } from './datagram.ts'
import { type HostIdentity, judgeIntroduction } from './host-identity.ts'
import { Paces, perSecond } from './pace.ts'

/** Strangers: hellos and unknown sessions, whatever address they claim. */
const STRANGER_PACE = perSecond(16, 32)
/** Introductions of one address, and of all: each may cost five verifications. */
const INTRODUCTION_PACE = perSecond(2, 8)
const JUDGEMENT_PACE = perSecond(100, 100)
const BUCKETS = 1_024

/** What an introduction comes to. */
export type Examination =
  | { readonly is: 'admitted'; readonly identity: HostIdentity }
  | { readonly is: 'refused'; readonly refusal: Refusal; readonly reason: string }
  /** Its cookie was used before: it is an old one, or its answer was lost. */
  | { readonly is: 'repeated' }
  | { readonly is: 'ignored'; readonly ignored: Ignored }

export class Admission {
  readonly #cookies: Cookies
  readonly #strangers: Paces
  readonly #introductions: Paces
  readonly #judgements = new Paces(JUDGEMENT_PACE, 1, 0)

  /** @param randomBytes from a secure source */
  constructor(randomBytes: (count: number) => Uint8Array) {
    const seed = () => read32(randomBytes(4), 0)
    this.#cookies = new Cookies(randomBytes(32))
    this.#strangers = new Paces(STRANGER_PACE, BUCKETS, seed())
    this.#introductions = new Paces(INTRODUCTION_PACE, BUCKETS, seed())
  }

  /** Whether a stranger is answered now. */
  mayAsk(address: number, now: number): boolean {
    return this.#strangers.take(address, now)
  }

  cookie(nonce: Uint8Array, { from, fromPort }: SignalingDatagram, now: number): Uint8Array {
    return this.#cookies.make(nonce, from, fromPort, now)
  }

  examine(
    parsed: ParsedMessage,
    message: MessageOf<'introduction'>,
    datagram: SignalingDatagram,
    trust: TrustStore,
    atMs: number,
    now: number,
  ): Examination {
    const { nonce, cookie, address, router } = message
    const { from, fromPort, to } = datagram
    if (!this.#cookies.isRight(cookie, nonce, from, fromPort, now))
      return { is: 'ignored', ignored: 'cookie' }
    if (!this.#introductions.take(from, now)) return { is: 'ignored', ignored: 'rate' }
    if (this.#cookies.isSpent(cookie, now)) return { is: 'repeated' }
    if (address !== from || router !== to)
      return { is: 'refused', refusal: 'address', reason: 'not the addresses that it speaks from and to' }
    if (!this.#judgements.take(0, now)) return { is: 'ignored', ignored: 'rate' }
    const judgement = judgeIntroduction(parsed, message, trust, atMs)
    if (!judgement.ok) return { is: 'refused', refusal: judgement.refusal, reason: judgement.reason }
    return { is: 'admitted', identity: judgement.identity }
  }

  /** Remembers a cookie as used; false when there are too many. */
  spend(cookie: Uint8Array, now: number): boolean {
    return this.#cookies.spend(cookie, now)
  }
}
