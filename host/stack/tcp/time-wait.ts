/**
 * TIME-WAIT (RFC 9293 3.6.1). The one idea: a connection that only lingers needs a few numbers, not a control block;
 * entries expire in the order in which they came, so one timer serves all. The table is bounded: the oldest entry
 * makes room. RST is ignored here (RFC 1337), and a new SYN may reuse the ends when it is provably newer (RFC 6191).
 */
import {
  clearTcpOptions,
  createTcp,
  createTcpOptions,
  emitTcp,
  TCP_ACK,
  TCP_FIN,
  TCP_HEADER_BYTES,
  TCP_RST,
  TCP_SYN,
  tcpOptionsBytes,
} from '../../../engine/wire/index.ts'
import { FRAME_TRANSPORT } from '../frame.ts'
import type { SipKey } from '../siphash.ts'
import { MILLISECOND, type Nanoseconds, NEVER } from '../time.ts'
import { Timer } from '../timers.ts'
import type { ControlBlock, TcpServices } from './control-block.ts'
import { EndsTable, type TableEntry } from './ends-table.ts'
import type { Segment } from './segment.ts'
import { before } from './sequence.ts'

/** A lingering connection. */
export interface TimeWaitEntry extends TableEntry<TimeWaitEntry> {
  readonly sndNxt: number
  readonly rcvNxt: number
  readonly window: number
  readonly timestamps: boolean
  readonly timestampOffset: number
  timestampRecent: number
  until: Nanoseconds
  /** When it last answered: one answer a millisecond is enough for anyone honest. */
  answeredAt: Nanoseconds
}

const header = createTcp()
const options = createTcpOptions()
const NOTHING = new Uint8Array(0)

export class TimeWaitTable {
  readonly #services: TcpServices
  readonly #lingerNs: Nanoseconds
  readonly #limit: number
  readonly #table: EndsTable<TimeWaitEntry>
  /** Oldest first. */
  readonly #order = new Set<TimeWaitEntry>()
  readonly #timer = new Timer(() => this.#expire())

  /** @param lingerNs twice the maximum segment lifetime @param limit most entries kept */
  constructor(services: TcpServices, key: SipKey, lingerNs: Nanoseconds, limit: number) {
    this.#services = services
    this.#lingerNs = lingerNs
    this.#limit = limit
    this.#table = new EndsTable(key)
  }

  get size(): number {
    return this.#table.size
  }

  find(local: number, localPort: number, remote: number, remotePort: number): TimeWaitEntry | null {
    return this.#table.find(local, localPort, remote, remotePort)
  }

  /** Keeps what a closed connection has to remember. */
  enter(block: ControlBlock): void {
    if (this.#table.size >= this.#limit) {
      for (const oldest of this.#order) {
        this.remove(oldest)
        break
      }
      this.#services.counters.timeWaitEvicted++
    }
    const entry: TimeWaitEntry = {
      local: block.local,
      localPort: block.localPort,
      remote: block.remote,
      remotePort: block.remotePort,
      nextInBucket: null,
      sndNxt: block.sndNxt,
      rcvNxt: block.rcvNxt,
      window: Math.min(0xffff, Math.floor(block.rcvWnd / 2 ** block.rcvScale)),
      timestamps: block.timestamps,
      timestampOffset: block.timestampOffset,
      timestampRecent: block.timestampRecent,
      until: NEVER,
      answeredAt: -1,
    }
    this.#table.add(entry)
    this.#linger(entry)
  }

  remove(entry: TimeWaitEntry): void {
    this.#table.remove(entry)
    this.#order.delete(entry)
  }

  /** A segment arrives. True when it is a SYN that may open a new connection between the same ends. */
  arrives(entry: TimeWaitEntry, segment: Segment): boolean {
    const { flags, sequence } = segment.header
    if ((flags & TCP_RST) !== 0) return false
    const stamped = entry.timestamps && segment.options.hasTimestamp
    const stale = stamped && before(segment.options.timestampValue, entry.timestampRecent)
    if ((flags & (TCP_SYN | TCP_ACK)) === TCP_SYN && !stale) {
      const newer = stamped && segment.options.timestampValue !== entry.timestampRecent
      if (newer || before(entry.rcvNxt, sequence)) return true
    }
    if ((flags & TCP_FIN) !== 0 && !stale) this.#linger(entry)
    const pureAck = flags === TCP_ACK && segment.from === segment.to && sequence === entry.rcvNxt
    if (!pureAck) this.#answer(entry)
    return false
  }

  #linger(entry: TimeWaitEntry): void {
    const { clock, timers } = this.#services
    entry.until = clock.now + this.#lingerNs
    this.#order.delete(entry)
    this.#order.add(entry)
    if (!this.#timer.armed) timers.arm(this.#timer, entry.until)
  }

  #expire(): void {
    const { clock, timers } = this.#services
    for (const entry of this.#order) {
      if (entry.until > clock.now) {
        timers.arm(this.#timer, entry.until)
        return
      }
      this.remove(entry)
    }
  }

  /** Acknowledges what was received to its end. */
  #answer(entry: TimeWaitEntry): void {
    const { clock, counters } = this.#services
    if (clock.now - entry.answeredAt < MILLISECOND && entry.answeredAt >= 0) return
    entry.answeredAt = clock.now
    clearTcpOptions(options)
    if (entry.timestamps) {
      options.hasTimestamp = true
      options.timestampValue = (entry.timestampOffset + Math.floor(clock.now / MILLISECOND)) >>> 0
      options.timestampEcho = entry.timestampRecent
    }
    header.sourcePort = entry.localPort
    header.destinationPort = entry.remotePort
    header.sequence = entry.sndNxt
    header.acknowledgment = entry.rcvNxt
    header.flags = TCP_ACK
    header.window = entry.window
    const frame = new Uint8Array(FRAME_TRANSPORT + TCP_HEADER_BYTES + tcpOptionsBytes(options))
    emitTcp(frame, FRAME_TRANSPORT, entry.local, entry.remote, header, options, NOTHING)
    counters.segmentsOut++
    this.#services.transmit(frame, entry)
  }
}
