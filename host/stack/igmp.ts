/**
 * IGMPv3 of a host (RFC 3376): joins and leaves with source lists, reports of changes, answers to queries, and
 * reports of the caller's own making (private record types, RFC 9279 extensions). Queries of versions 1 and 2 are
 * not answered.
 */
import {
  ALL_SYSTEMS_GROUP,
  createIgmp,
  decodeIntervalCode,
  emitIgmp,
  hasRouterAlert,
  IGMP_QUERY,
  IGMP_V3_GROUP,
  IGMP_V3_REPORT,
  type IgmpExtension,
  type IgmpRecord,
  igmpBytes,
  PROTOCOL_IGMP,
  parseIgmp,
  ROUTER_ALERT,
} from '../../engine/wire/index.ts'
import { isMulticast } from './addresses.ts'
import type { HostCounters } from './counters.ts'
import { StackError } from './errors.ts'
import { FRAME_TRANSPORT } from './frame.ts'
import type { FilterMode } from './group-state.ts'
import { IgmpDevice, type Membership } from './igmp-device.ts'
import type { Datagram, Network } from './network.ts'
import { MILLISECOND, SECOND, type StackClock } from './time.ts'
import type { TimerQueue } from './timers.ts'

/** IP precedence "internetwork control" (RFC 3376 section 4). */
const REPORT_TOS = 0xc0

export interface JoinOptions {
  /** Index of the device. Default 0. */
  readonly device?: number
  /** `include`: these sources only; `exclude` (the default): all but these. */
  readonly mode?: FilterMode
  /** At most 256. */
  readonly sources?: readonly number[]
  /** Receives without telling routers: somebody else sends the reports. Default false. */
  readonly silent?: boolean
}

export interface IgmpContext {
  readonly network: Network
  readonly clock: StackClock
  readonly timers: TimerQueue
  readonly counters: HostCounters
  readonly random: () => number
}

export class IgmpLayer {
  readonly #context: IgmpContext
  readonly #devices = new Map<number, IgmpDevice>()
  readonly #message = createIgmp()

  constructor(context: IgmpContext) {
    this.#context = context
  }

  /** Whether packets from `source` to `group` that came by `device` are wanted. */
  accepts(device: number, group: number, source: number): boolean {
    return this.#devices.get(device)?.accepts(group, source) ?? false
  }

  /** Whether anything of `group` is wanted on `device`. */
  isMember(device: number, group: number): boolean {
    return this.#devices.get(device)?.isMember(group) ?? false
  }

  /** @throws StackError `invalid` for an address that is no group, `limit` for more than 256 groups or sources */
  join(group: number, options: JoinOptions = {}): Membership {
    const { device = 0, mode = 'exclude', sources = [], silent = false } = options
    if (!isMulticast(group) || group === ALL_SYSTEMS_GROUP)
      throw new StackError('invalid', 'not a group that can be joined')
    return this.#device(device).join(group, mode, sources, silent)
  }

  /** Sends one version 3 report with these records and extensions, unrepeated. */
  report(device: number, records: readonly IgmpRecord[], extensions: readonly IgmpExtension[] = []): void {
    const message = { ...createIgmp(), type: IGMP_V3_REPORT, records, extensions }
    const transport = FRAME_TRANSPORT + ROUTER_ALERT.length
    const frame = new Uint8Array(transport + igmpBytes(message))
    emitIgmp(frame, transport, message)
    const options = { ttl: 1, tos: REPORT_TOS, device, ipOptions: ROUTER_ALERT }
    this.#context.network.send(frame, 0, IGMP_V3_GROUP, PROTOCOL_IGMP, options)
  }

  /** Takes a datagram of protocol 2. */
  input(datagram: Datagram): void {
    const message = this.#message
    const { bytes, transport, end, network, header } = datagram
    if (parseIgmp(bytes, transport, end, message) !== 0) {
      this.#context.counters.drop('igmp-malformed')
      return
    }
    const device = this.#devices.get(datagram.device)
    const query = message.type === IGMP_QUERY && message.version === 3
    // A query from beyond the link, or without Router Alert, is not a router's (RFC 3376 9.1).
    const local = header.ttl === 1 && hasRouterAlert(bytes, network, header.headerBytes)
    if (device === undefined || !query || !local) return
    const longest = (decodeIntervalCode(message.maxResponseCode) * SECOND) / 10
    device.asked(message.group, message.sources, message.robustness, Math.max(longest, MILLISECOND))
  }

  #device(index: number): IgmpDevice {
    let device = this.#devices.get(index)
    if (device === undefined) {
      const { clock, timers, random } = this.#context
      device = new IgmpDevice({ clock, timers, random, report: (records) => this.report(index, records) })
      this.#devices.set(index, device)
    }
    return device
  }
}
