/**
 * The links of a host: which frames are for it, and the one way out. The one idea: a device that answers within
 * `send` must find the host busy, so that nothing re-enters it; the gate that says so is shared with the host.
 */
import {
  type Arp,
  createArp,
  createEthernet,
  ETHER_TYPE_ARP,
  ETHER_TYPE_IPV4,
  type Ipv4Prefix,
  macEquals,
  parseEthernet,
} from '../../engine/wire/index.ts'
import { Attachment, type NetworkDevice } from './attachment.ts'
import type { HostCounters } from './counters.ts'
import { StackError } from './errors.ts'
import type { StackClock } from './time.ts'
import type { TimerQueue } from './timers.ts'

const DEVICE_LIMIT = 256

/** Whether something of the host is running, so that what arrives must wait. */
export interface Gate {
  busy: boolean
}

export interface LinkContext {
  readonly clock: StackClock
  readonly timers: TimerQueue
  readonly counters: HostCounters
  readonly gate: Gate
  /** Takes the IP packet at [network, end) of a frame. `group`: the frame was sent to many. */
  inputIp(bytes: Uint8Array, network: number, end: number, device: number, group: boolean): void
}

export class LinkLayer {
  readonly attachments: Attachment[] = []
  readonly #context: LinkContext
  readonly #ethernet = createEthernet()
  #arp: Arp | null = null

  constructor(context: LinkContext) {
    this.#context = context
  }

  /** @throws StackError `invalid`, `limit` */
  add(device: NetworkDevice, prefixes: readonly Ipv4Prefix[]): Attachment {
    if (device.mac.length !== 6 || device.mtu < 68)
      throw new StackError('invalid', `device ${device.name} has no MAC of 6 bytes or an MTU below 68`)
    const index = this.attachments.length
    if (index >= DEVICE_LIMIT) throw new StackError('limit', 'too many devices')
    const attachment = new Attachment(index, device, prefixes, this.#context, (to, frame) =>
      this.#transmit(to, frame),
    )
    this.attachments.push(attachment)
    return attachment
  }

  /** @throws StackError `unknown` */
  attachment(index: number): Attachment {
    const attachment = this.attachments[index]
    if (attachment === undefined) throw new StackError('unknown', `no device ${index}`)
    return attachment
  }

  /** Takes a frame. Attacker-controlled. */
  input(attachment: Attachment, frame: Uint8Array): void {
    const { counters } = this.#context
    const ethernet = this.#ethernet
    counters.framesIn++
    counters.bytesIn += frame.length
    if (parseEthernet(frame, 0, frame.length, ethernet) !== 0) {
      counters.drop('frame-malformed')
      return
    }
    const group = (frame[0] & 1) === 1
    if (!group && !macEquals(frame, 0, attachment.device.mac)) {
      counters.drop('not-for-this-mac')
      return
    }
    const { etherType, headerBytes, vlan } = ethernet
    if (etherType === ETHER_TYPE_IPV4 && vlan <= 0)
      this.#context.inputIp(frame, headerBytes, frame.length, attachment.index, group)
    else if (etherType === ETHER_TYPE_ARP && vlan <= 0) {
      this.#arp ??= createArp()
      attachment.inputArp(frame, headerBytes, frame.length, this.#arp)
    } else counters.drop('ethertype-unsupported')
  }

  #transmit(device: NetworkDevice, frame: Uint8Array): void {
    const { counters, gate } = this.#context
    counters.framesOut++
    counters.bytesOut += frame.length
    const { busy } = gate
    gate.busy = true
    try {
      device.send(frame)
    } finally {
      gate.busy = busy
    }
  }
}
