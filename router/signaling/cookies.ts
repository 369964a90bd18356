/**
 * Cookies: proof that whoever speaks hears what is sent to its address, without memory for those who do not. The one
 * idea: a keyed hash of address, port, nonce and time slot, which only this process can make (the SYN cookie of
 * D. Bernstein, the cookie exchange of RFC 6347 4.2.1). Only cookies that were used are remembered, bounded, so that a
 * recorded introduction is good for nothing.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { COOKIE_BYTES, NONCE_BYTES } from '../../engine/signaling/message.ts'
import { write16, write32 } from '../../engine/wire/index.ts'

/** A cookie is good in its slot and in the next one. */
const SLOT_NS = 8e9
/** Used cookies of one slot. */
const SPENT_LIMIT = 8_192

export class Cookies {
  readonly #secret: Uint8Array
  #slot = 0
  #spent = new Set<string>()
  #spentBefore = new Set<string>()

  /** @param secret 32 random bytes */
  constructor(secret: Uint8Array) {
    this.#secret = secret
  }

  make(nonce: Uint8Array, address: number, port: number, now: number): Uint8Array {
    return this.#cookie(nonce, address, port, slotOf(now))
  }

  /** Whether this process made the cookie for this nonce, address and port, not long ago. */
  isRight(cookie: Uint8Array, nonce: Uint8Array, address: number, port: number, now: number): boolean {
    const slot = slotOf(now)
    return [slot, slot - 1].some((each) => timingSafeEqual(cookie, this.#cookie(nonce, address, port, each)))
  }

  isSpent(cookie: Uint8Array, now: number): boolean {
    this.#turn(now)
    const name = hex(cookie)
    return this.#spent.has(name) || this.#spentBefore.has(name)
  }

  /** Remembers a cookie as used; false when there are too many. */
  spend(cookie: Uint8Array, now: number): boolean {
    this.#turn(now)
    if (this.#spent.size >= SPENT_LIMIT) return false
    this.#spent.add(hex(cookie))
    return true
  }

  /** Forgets what is not good any more anyway. */
  #turn(now: number): void {
    const slot = slotOf(now)
    if (slot === this.#slot) return
    this.#spentBefore = slot === this.#slot + 1 ? this.#spent : new Set()
    this.#spent = new Set()
    this.#slot = slot
  }

  #cookie(nonce: Uint8Array, address: number, port: number, slot: number): Uint8Array {
    const text = new Uint8Array(NONCE_BYTES + 10)
    text.set(nonce)
    write32(text, NONCE_BYTES, address)
    write16(text, NONCE_BYTES + 4, port)
    write32(text, NONCE_BYTES + 6, slot)
    const whole = createHmac('sha256', this.#secret).update(text).digest()
    return Uint8Array.from(whole.subarray(0, COOKIE_BYTES))
  }
}

const slotOf = (now: number): number => Math.floor(now / SLOT_NS)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
