/**
 * The neighbours of one device (RFC 826, RFC 1122 2.3.2, RFC 5227). The one idea: nothing is believed that was not
 * asked for. A request's answer fills an entry; an announcement about a known neighbour only makes the stack ask
 * again, at once; hosts that ask for this one are learnt when they are on the link and not known otherwise. Entries,
 * waiting packets and requests are bounded.
 */
import { ARP_REPLY, ARP_REQUEST, type Arp } from '../../engine/wire/index.ts'
import type { HostCounters } from './counters.ts'
import { type Nanoseconds, NEVER, SECOND, type StackClock } from './time.ts'
import { Timer, type TimerQueue } from './timers.ts'

const ENTRY_LIMIT = 1024
/** Packets that wait for one neighbour (the fragments of the largest datagram fit), and for all of them. */
const PENDING_LIMIT = 64
const PENDING_TOTAL = 512
const REQUEST_LIMIT = 3
const REQUEST_INTERVAL: Nanoseconds = 1 * SECOND
/** An answer is trusted for so long; then the neighbour is asked again while its old address stays in use. */
const FRESH_NS: Nanoseconds = 60 * SECOND
/** Not fresh for so long, an entry is no longer used while asking. */
const STALE_NS: Nanoseconds = 300 * SECOND

interface Neighbour {
  readonly address: number
  mac: Uint8Array | null
  freshUntil: Nanoseconds
  usedAt: Nanoseconds
  /** Requests sent since the last answer. */
  requests: number
  /** Next request, or giving up; NEVER while none is outstanding. */
  retryAt: Nanoseconds
  pending: Uint8Array[]
}

/** What the cache needs of its device. */
export interface ArpLink {
  readonly clock: StackClock
  readonly timers: TimerQueue
  readonly counters: HostCounters
  /** Asks who has `address`; to `mac` alone where it is given. */
  request(address: number, mac: Uint8Array | null): void
  /** Puts the addresses on a frame that waited and sends it. */
  complete(frame: Uint8Array, mac: Uint8Array): void
}

export class ArpCache {
  readonly #link: ArpLink
  readonly #entries = new Map<number, Neighbour>()
  readonly #timer = new Timer(() => this.#retry())
  /** Packets that wait. */
  #pending = 0
  /** Neighbours whose answer is awaited. */
  #asked = 0

  constructor(link: ArpLink) {
    this.#link = link
  }

  get size(): number {
    return this.#entries.size
  }

  /** Sends the frame to the neighbour, now or when its address is known. Takes it over. */
  send(frame: Uint8Array, address: number): void {
    const { clock, counters } = this.#link
    const entry = this.#entries.get(address) ?? this.#create(address)
    entry.usedAt = clock.now
    if (clock.now - entry.freshUntil > STALE_NS) entry.mac = null
    if (entry.mac !== null) {
      if (entry.freshUntil <= clock.now) this.#ask(entry, entry.mac)
      this.#link.complete(frame, entry.mac)
      return
    }
    this.#ask(entry, null)
    if (entry.pending.length >= PENDING_LIMIT || this.#pending >= PENDING_TOTAL) {
      counters.drop('arp-pending-full')
      return
    }
    entry.pending.push(frame)
    this.#pending++
  }

  /** Takes a message whose sender is another host on the link. `forUs`: its target is this host. */
  learn(arp: Readonly<Arp>, forUs: boolean): void {
    const entry = this.#entries.get(arp.senderAddress)
    if (entry === undefined) {
      if (forUs && arp.operation === ARP_REQUEST) this.#fill(this.#create(arp.senderAddress), arp.senderMac)
      return
    }
    const same = entry.mac?.every((byte, i) => byte === arp.senderMac[i]) ?? false
    const solicited = entry.retryAt !== NEVER && (arp.operation === ARP_REPLY || entry.mac === null)
    if (forUs && (same || solicited)) this.#fill(entry, arp.senderMac)
    else if (!same && entry.mac !== null) {
      // It claims to have moved: ask everybody, and believe whoever answers.
      this.#link.counters.drop('arp-spoofed')
      if (arp.operation === ARP_REQUEST || arp.senderAddress === arp.targetAddress) this.#ask(entry, null)
    }
  }

  /** Traffic to the neighbour goes unanswered: ask for it again. */
  doubt(address: number): void {
    const entry = this.#entries.get(address)
    if (entry?.mac) this.#ask(entry, null)
  }

  #create(address: number): Neighbour {
    if (this.#entries.size >= ENTRY_LIMIT) this.#evict()
    const entry: Neighbour = {
      address,
      mac: null,
      freshUntil: 0,
      usedAt: this.#link.clock.now,
      requests: 0,
      retryAt: NEVER,
      pending: [],
    }
    this.#entries.set(address, entry)
    return entry
  }

  /** Makes room: the least recently used goes. */
  #evict(): void {
    let oldest: Neighbour | undefined
    for (const entry of this.#entries.values())
      if (oldest === undefined || entry.usedAt < oldest.usedAt) oldest = entry
    if (oldest === undefined) return
    this.#link.counters.drop('arp-cache-full')
    this.#forget(oldest)
  }

  #fill(entry: Neighbour, mac: Uint8Array): void {
    entry.mac = mac.slice()
    entry.freshUntil = this.#link.clock.now + FRESH_NS
    entry.requests = 0
    this.#settle(entry)
    const waiting = entry.pending
    entry.pending = []
    this.#pending -= waiting.length
    for (const frame of waiting) this.#link.complete(frame, entry.mac)
  }

  /** Asks, unless a request is outstanding: the neighbour at `mac` alone, or everybody. */
  #ask(entry: Neighbour, mac: Uint8Array | null): void {
    if (entry.retryAt === NEVER) this.#request(entry, mac)
  }

  #request(entry: Neighbour, mac: Uint8Array | null): void {
    const { clock, timers } = this.#link
    entry.requests++
    if (entry.retryAt === NEVER) this.#asked++
    entry.retryAt = clock.now + REQUEST_INTERVAL
    if (!this.#timer.armed) timers.arm(this.#timer, entry.retryAt)
    this.#link.request(entry.address, mac)
  }

  #retry(): void {
    const { clock, timers } = this.#link
    let next = NEVER
    for (const entry of [...this.#entries.values()]) {
      if (entry.retryAt <= clock.now) {
        if (entry.requests >= REQUEST_LIMIT) this.#forget(entry)
        else this.#request(entry, entry.requests < REQUEST_LIMIT - 1 ? entry.mac : null)
      }
      if (entry.retryAt < next) next = entry.retryAt
    }
    timers.arm(this.#timer, next)
  }

  /** No answer is awaited any more. */
  #settle(entry: Neighbour): void {
    if (entry.retryAt === NEVER) return
    entry.retryAt = NEVER
    if (--this.#asked === 0) this.#link.timers.cancel(this.#timer)
  }

  #forget(entry: Neighbour): void {
    this.#entries.delete(entry.address)
    this.#settle(entry)
    this.#pending -= entry.pending.length
    for (const _ of entry.pending) this.#link.counters.drop('arp-unresolved')
  }
}
