/**
 * What one direction of a link does to each frame: a pure model of rate, delay, jitter, loss, reordering,
 * duplication and corruption. The one idea: given the time and the length of a frame it decides, once and for all,
 * when and how often the frame arrives; whoever asked moves the bytes.
 *
 * Guarantees: the same options, generator and offers give the same decisions. Each kind of fault draws from its own
 * substream once per frame offered, so that turning on jitter does not change which frames are lost. Rate is exact:
 * n frames of b bytes back to back take n * b * 8 / rate seconds, fractions of a nanosecond carried over.
 */
import { MILLISECOND, type Nanoseconds, NEVER, SECOND } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { Random } from '../random.ts'

export interface ImpairmentOptions {
  /** Bits of the frame (without preamble, FCS and gap) per second: an integer in 1..10^12. Default: no limit. */
  readonly rateBps?: number
  /** Propagation, 0..10^12 ns. Default 0. */
  readonly delayNs?: Nanoseconds
  /** The delay varies uniformly by up to this much either way; at most `delayNs`. Never reorders. Default 0. */
  readonly jitterNs?: Nanoseconds
  /** Probability, 0..1, that a frame is lost on the way (its time on the link is spent). Default 0. */
  readonly loss?: number
  /** Frames that others overtake. Default none. */
  readonly reorder?: ReorderOptions
  /** Probability, 0..1, that a frame arrives twice, one right after the other. Default 0. */
  readonly duplicate?: number
  /** Probability, 0..1, that one random bit of the frame (and of its duplicate) is inverted. Default 0. */
  readonly corrupt?: number
  /** Longer frames are dropped: 14..65534 bytes without FCS. Default: no limit. */
  readonly maxFrameBytes?: number
  /** Bytes that may wait for or be in transmission, where the sender ignores `readyAt`. Default 256,000. */
  readonly queueBytes?: number
}

export interface ReorderOptions {
  /** 0..1 */
  readonly probability: number
  /**
   * How much later a reordered frame arrives than it would have. Default, with a rate: the time of three frames of
   * the longest size (1514 without `maxFrameBytes`) plus twice the jitter, so that in a back-to-back stream the next
   * three frames arrive before it, but for those lost or reordered themselves: enough for three duplicate
   * acknowledgements. Without a rate: 1 ms plus twice the jitter. A sparser stream may keep its order.
   */
  readonly delayNs?: Nanoseconds
}

/** Why a frame does not arrive; `none` when it does. */
export type ImpairmentCause = 'none' | 'oversize' | 'queue-full' | 'lost'

/** The fate of one frame. The model reuses the object: read it before the next offer. */
export interface ImpairmentDecision {
  cause: ImpairmentCause
  frameBytes: number
  /** Arrival; NEVER when dropped. */
  arrivesAt: Nanoseconds
  /** Arrival of the duplicate, after the frame's own at the same time; NEVER without one. */
  duplicateAt: Nanoseconds
  /** The inverted bit, 0 .. 8 * frameBytes - 1 from the first byte's most significant; -1 when intact. */
  corruptedBit: number
  reordered: boolean
}

/** All monotonic. offered = oversize + queueFull + lost + passed. */
export interface ImpairmentCounters {
  offered: number
  oversize: number
  queueFull: number
  lost: number
  passed: number
  /** Of those that passed. */
  reordered: number
  duplicated: number
  corrupted: number
}

/** Is told of every decision; reads it during the call only. */
export type ImpairmentLog = (decision: ImpairmentDecision, now: Nanoseconds) => void

const DEFAULT_FRAME_BYTES = 1514
const DEFAULT_QUEUE_BYTES = 256_000
const REORDER_POSITIONS = 3
const BITS_OF_TIME = 8 * SECOND

/** An event of fixed probability, drawn from its own substream; a probability of zero draws nothing. */
class Chance {
  readonly #random: Random
  readonly #possible: boolean
  /** Happens for draws below it: -2^31 .. 2^31. */
  readonly #threshold: number

  constructor(random: Random, probability: number) {
    this.#random = random
    this.#possible = probability > 0
    this.#threshold = probability * 2 ** 32 - 2 ** 31
  }

  happens(): boolean {
    return this.#possible && this.#random.int32() < this.#threshold
  }
}

function bounded(
  value: number | undefined,
  fallback: number,
  min: number,
  max: number,
  place: string,
): number {
  if (value === undefined) return fallback
  if (!Number.isInteger(value) || value < min || value > max)
    throw new EngineError('invalid', `${value} is not an integer in ${min}..${max}`, place)
  return value
}

function probability(value: number | undefined, place: string): number {
  if (value === undefined) return 0
  if (!(value >= 0 && value <= 1)) throw new EngineError('invalid', `${value} is not in 0..1`, place)
  return value
}

/** One direction of a link. */
export class Impairment {
  readonly counters: ImpairmentCounters = {
    offered: 0,
    oversize: 0,
    queueFull: 0,
    lost: 0,
    passed: 0,
    reordered: 0,
    duplicated: 0,
    corrupted: 0,
  }
  /** Longest frame that passes. */
  readonly maxFrameBytes: number
  readonly #rateBps: number
  readonly #delayNs: Nanoseconds
  readonly #jitterNs: Nanoseconds
  readonly #reorderNs: Nanoseconds
  readonly #queueNs: Nanoseconds
  readonly #loss: Chance
  readonly #reorder: Chance
  readonly #duplicate: Chance
  readonly #corrupt: Chance
  readonly #jitterRandom: Random
  readonly #corruptRandom: Random
  readonly #log: ImpairmentLog | undefined
  readonly #decision: ImpairmentDecision = {
    cause: 'none',
    frameBytes: 0,
    arrivesAt: NEVER,
    duplicateAt: NEVER,
    corruptedBit: -1,
    reordered: false,
  }
  /** The link is busy until #busyUntil + #fraction / rate nanoseconds. */
  #busyUntil: Nanoseconds = 0
  #fraction = 0
  #lastArrival: Nanoseconds = 0

  /**
   * @param random the generator of this direction: fork one per direction of a link
   * @throws EngineError `invalid`, its place naming the option
   */
  constructor(options: ImpairmentOptions, random: Random, log?: ImpairmentLog) {
    const limit = 10 ** 12
    this.#rateBps = bounded(options.rateBps, Number.POSITIVE_INFINITY, 1, limit, 'rateBps')
    this.#delayNs = bounded(options.delayNs, 0, 0, limit, 'delayNs')
    this.#jitterNs = bounded(options.jitterNs, 0, 0, this.#delayNs, 'jitterNs')
    this.maxFrameBytes = bounded(options.maxFrameBytes, Number.POSITIVE_INFINITY, 14, 65534, 'maxFrameBytes')
    const queueBytes = bounded(options.queueBytes, DEFAULT_QUEUE_BYTES, 0, limit, 'queueBytes')
    this.#queueNs = (queueBytes * BITS_OF_TIME) / this.#rateBps
    this.#reorderNs = bounded(options.reorder?.delayNs, this.#defaultReorderNs(), 1, limit, 'reorder.delayNs')
    this.#loss = new Chance(random.fork('loss'), probability(options.loss, 'loss'))
    const reorder = probability(options.reorder?.probability, 'reorder.probability')
    this.#reorder = new Chance(random.fork('reorder'), reorder)
    this.#duplicate = new Chance(random.fork('duplicate'), probability(options.duplicate, 'duplicate'))
    this.#corrupt = new Chance(random.fork('corrupt'), probability(options.corrupt, 'corrupt'))
    this.#corruptRandom = random.fork('corrupted-bit')
    this.#jitterRandom = random.fork('jitter')
    this.#log = log
  }

  /** When the link has sent all it was given: a sender that waits for it never meets the queue limit. */
  get readyAt(): Nanoseconds {
    return this.#busyUntil
  }

  /** Decides on a frame of `frameBytes` (1..65534) offered at `now`, which never goes back. */
  offer(now: Nanoseconds, frameBytes: number): ImpairmentDecision {
    const lost = this.#loss.happens()
    const reordered = this.#reorder.happens()
    const duplicated = this.#duplicate.happens()
    const corrupted = this.#corrupt.happens()
    const variation =
      this.#jitterNs === 0 ? 0 : this.#jitterRandom.below(2 * this.#jitterNs + 1) - this.#jitterNs
    const decision = this.#decision
    decision.frameBytes = frameBytes
    decision.cause = this.#admit(now, frameBytes)
    if (decision.cause === 'none') {
      this.#serialise(now, frameBytes)
      if (lost) decision.cause = 'lost'
    }
    const passes = decision.cause === 'none'
    decision.reordered = passes && reordered
    decision.arrivesAt = passes ? this.#arrival(variation, reordered) : NEVER
    decision.duplicateAt = passes && duplicated ? decision.arrivesAt : NEVER
    decision.corruptedBit = passes && corrupted ? this.#corruptRandom.below(frameBytes * 8) : -1
    this.#count(decision)
    if (this.#log !== undefined) this.#log(decision, now)
    return decision
  }

  #defaultReorderNs(): Nanoseconds {
    const bytes = Math.min(this.maxFrameBytes, DEFAULT_FRAME_BYTES)
    const overtaking = REORDER_POSITIONS * Math.ceil((bytes * BITS_OF_TIME) / this.#rateBps) + 1
    return 2 * this.#jitterNs + (this.#rateBps === Number.POSITIVE_INFINITY ? MILLISECOND : overtaking)
  }

  #admit(now: Nanoseconds, frameBytes: number): ImpairmentCause {
    if (frameBytes > this.maxFrameBytes) return 'oversize'
    const backlogNs = this.#busyUntil - now
    if (backlogNs <= 0) return 'none'
    return backlogNs + (frameBytes * BITS_OF_TIME) / this.#rateBps > this.#queueNs ? 'queue-full' : 'none'
  }

  #serialise(now: Nanoseconds, frameBytes: number): void {
    const rate = this.#rateBps
    if (now > this.#busyUntil) {
      this.#busyUntil = now
      this.#fraction = 0
    }
    if (rate === Number.POSITIVE_INFINITY) return
    // Integers below 2^53 throughout: the remainder is exact, and so is the quotient of what it divides.
    const units = frameBytes * BITS_OF_TIME + this.#fraction
    this.#fraction = units % rate
    this.#busyUntil += (units - this.#fraction) / rate
  }

  #arrival(variation: Nanoseconds, reordered: boolean): Nanoseconds {
    const arrival = Math.max(this.#busyUntil + this.#delayNs + variation, this.#lastArrival)
    if (reordered) return arrival + this.#reorderNs
    this.#lastArrival = arrival
    return arrival
  }

  #count({ cause, reordered, duplicateAt, corruptedBit }: ImpairmentDecision): void {
    const { counters } = this
    counters.offered++
    if (cause === 'oversize') counters.oversize++
    else if (cause === 'queue-full') counters.queueFull++
    else if (cause === 'lost') counters.lost++
    else counters.passed++
    if (reordered) counters.reordered++
    if (duplicateAt !== NEVER) counters.duplicated++
    if (corruptedBit >= 0) counters.corrupted++
  }
}
