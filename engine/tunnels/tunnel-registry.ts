/**
 * Which tunnels there are: numbers, users and ends. The one idea: a number lives as long as anyone uses it, so that
 * a flow pinned to a tunnel never loses it (R-SLR-11); a closed tunnel frees its number with its last user.
 *
 * Tunnels with headers of their own are found by their ends, which is what arriving packets and ICMP errors show.
 */
import { EngineError } from '../errors.ts'
import { NONE } from '../packet.ts'
import { hashFlowKey } from '../wire/flow-key.ts'
import { PROTOCOL_IP_IN_IP } from '../wire/protocol.ts'
import { addressWord, outerSum } from './ip-in-ip.ts'
import type { CompiledTunnel } from './tunnel-request.ts'
import {
  CHAIN,
  DESTINATION,
  DESTINATION_WORD,
  IDENTIFICATION,
  KIND,
  KIND_FREE,
  KIND_IP_IN_IP,
  LINK_MTU,
  MTU,
  OPEN,
  OUTER_SUM,
  SOURCE,
  SOURCE_WORD,
  TTL_PROTOCOL,
  TUNNEL_SHIFT,
  type TunnelState,
  USERS,
  VALUE_SHIFT,
} from './tunnel-state.ts'

/** Most tunnels of an engine unless it is told otherwise. */
export const TUNNEL_LIMIT = 65_536
/** Most tunnels with the same ends: an ICMP error concerns all of them. */
export const PARALLEL_LIMIT = 256

export class TunnelRegistry {
  readonly #state: TunnelState
  readonly #limit: number
  readonly #seed: number
  /** Odd, from the seed. */
  readonly #spread: number
  #buckets = new Int32Array(0)
  #shift = 0
  #free = NONE
  #used = 0

  constructor(state: TunnelState, limit: number, seed: number) {
    this.#state = state
    this.#limit = limit
    this.#seed = seed
    this.#spread = Math.imul(seed, 0x85ebca6b) | 1
  }

  /** Tunnels that have a number, closed ones that are still in use included. */
  get size(): number {
    return this.#used
  }

  /** Gives a tunnel a number; its opener is its first user. @throws EngineError `limit` */
  open(tunnel: CompiledTunnel, place: string): number {
    const { kind, source, destination, ttl, mtuBytes } = tunnel
    if (this.#used >= this.#limit) throw new EngineError('limit', `more than ${this.#limit} tunnels`, place)
    let parallel = 0
    for (let each = this.find(source, destination); each !== NONE; each = this.nextLike(each)) parallel++
    if (parallel >= PARALLEL_LIMIT)
      throw new EngineError('limit', `more than ${PARALLEL_LIMIT} tunnels with the same ends`, place)
    const number = this.#take()
    const at = number << TUNNEL_SHIFT
    const words = this.#state.words
    const ttlProtocol = ttl | (PROTOCOL_IP_IN_IP << 8)
    words[at + KIND] = kind
    words[at + USERS] = 1
    words[at + OPEN] = 1
    words[at + SOURCE] = source
    words[at + DESTINATION] = destination
    words[at + SOURCE_WORD] = addressWord(source)
    words[at + DESTINATION_WORD] = addressWord(destination)
    words[at + TTL_PROTOCOL] = ttlProtocol
    words[at + OUTER_SUM] = outerSum(addressWord(source), addressWord(destination), ttlProtocol)
    // Tunnels with the same ends must not walk through the same identifications together (RFC 6864 4.2).
    words[at + IDENTIFICATION] =
      hashFlowKey(source, destination, number, PROTOCOL_IP_IN_IP, this.#seed) & 0xffff
    words[at + LINK_MTU] = mtuBytes
    words[at + MTU] = mtuBytes
    this.#link(number)
    return number
  }

  /** Closes a tunnel: it lives on while someone retains it. @throws EngineError `unknown` when it is not open */
  close(tunnel: number): void {
    const at = this.checked(tunnel)
    if (this.#state.words[at + OPEN] === 0)
      throw new EngineError('unknown', `tunnel ${tunnel} is closed already`)
    this.#state.words[at + OPEN] = 0
    this.release(tunnel)
  }

  /** Counts one more user. @throws EngineError `unknown` */
  retain(tunnel: number): void {
    this.#state.words[this.checked(tunnel) + USERS]++
  }

  /** Counts one user less; the last one of a closed tunnel frees its number. @throws EngineError `unknown` */
  release(tunnel: number): void {
    const at = this.checked(tunnel)
    const { words, values } = this.#state
    if (words[at + USERS] === words[at + OPEN])
      throw new Error(`tunnel ${tunnel} is released more often than it was retained`)
    if (--words[at + USERS] > 0) return
    this.#unlink(tunnel)
    words.fill(0, at, at + (1 << TUNNEL_SHIFT))
    values.fill(0, tunnel << VALUE_SHIFT, (tunnel + 1) << VALUE_SHIFT)
    words[at + CHAIN] = this.#free
    this.#free = tunnel
    this.#used--
  }

  /** Index of a tunnel's words. @throws EngineError `unknown` when the number is not in use */
  checked(tunnel: number): number {
    const within = Number.isInteger(tunnel) && tunnel >= 0 && tunnel < this.#state.capacity
    if (!within || this.#state.words[(tunnel << TUNNEL_SHIFT) + KIND] === KIND_FREE)
      throw new EngineError('unknown', `no tunnel ${tunnel}`)
    return tunnel << TUNNEL_SHIFT
  }

  /** The oldest tunnel with a header from one address to another, or NONE; others follow by `nextLike`. */
  find(source: number, destination: number): number {
    if (this.#buckets.length === 0) return NONE
    return this.#like(this.#buckets[this.#bucket(source, destination)], source | 0, destination | 0)
  }

  /** The next tunnel with the same ends, or NONE. */
  nextLike(tunnel: number): number {
    const words = this.#state.words
    const at = tunnel << TUNNEL_SHIFT
    return this.#like(words[at + CHAIN], words[at + SOURCE], words[at + DESTINATION])
  }

  /** Numbers in use, ascending. */
  numbers(): number[] {
    const numbers: number[] = []
    for (let tunnel = 0; tunnel < this.#state.capacity; tunnel++)
      if (this.#state.words[(tunnel << TUNNEL_SHIFT) + KIND] !== KIND_FREE) numbers.push(tunnel)
    return numbers
  }

  /** Multiplicative: packets choose what is looked up, but only the control chooses what is there to collide. */
  #bucket(source: number, destination: number): number {
    return Math.imul(Math.imul(source, this.#spread) ^ destination, 0x9e3779b1) >>> this.#shift
  }

  #like(tunnel: number, source: number, destination: number): number {
    const words = this.#state.words
    while (tunnel !== NONE) {
      const at = tunnel << TUNNEL_SHIFT
      if (words[at + SOURCE] === source && words[at + DESTINATION] === destination) return tunnel
      tunnel = words[at + CHAIN]
    }
    return NONE
  }

  #take(): number {
    if (this.#free === NONE) this.#grow()
    const tunnel = this.#free
    this.#free = this.#state.words[(tunnel << TUNNEL_SHIFT) + CHAIN]
    this.#used++
    return tunnel
  }

  #grow(): void {
    const before = this.#state.capacity
    const after = Math.max(16, before * 2)
    this.#state.grow(after)
    for (let tunnel = after - 1; tunnel >= before; tunnel--) {
      this.#state.words[(tunnel << TUNNEL_SHIFT) + CHAIN] = this.#free
      this.#free = tunnel
    }
    this.#buckets = new Int32Array(after * 2).fill(NONE)
    this.#shift = 1 + Math.clz32(after * 2)
    for (let tunnel = 0; tunnel < before; tunnel++) this.#link(tunnel)
  }

  /** Appends to its bucket, so that the oldest of several is found first. */
  #link(tunnel: number): void {
    const words = this.#state.words
    const at = tunnel << TUNNEL_SHIFT
    words[at + CHAIN] = NONE
    if (words[at + KIND] !== KIND_IP_IN_IP) return
    const bucket = this.#bucket(words[at + SOURCE], words[at + DESTINATION])
    const last = this.#before(bucket, NONE)
    if (last === NONE) this.#buckets[bucket] = tunnel
    else words[(last << TUNNEL_SHIFT) + CHAIN] = tunnel
  }

  #unlink(tunnel: number): void {
    const words = this.#state.words
    const at = tunnel << TUNNEL_SHIFT
    if (words[at + KIND] !== KIND_IP_IN_IP) return
    const bucket = this.#bucket(words[at + SOURCE], words[at + DESTINATION])
    const previous = this.#before(bucket, tunnel)
    if (previous === NONE) this.#buckets[bucket] = words[at + CHAIN]
    else words[(previous << TUNNEL_SHIFT) + CHAIN] = words[at + CHAIN]
  }

  /** The tunnel before `tunnel` in a bucket (before its end for NONE), or NONE when it is the first. */
  #before(bucket: number, tunnel: number): number {
    let previous = NONE
    let each = this.#buckets[bucket]
    while (each !== tunnel) {
      previous = each
      each = this.#state.words[(each << TUNNEL_SHIFT) + CHAIN]
    }
    return previous
  }
}
