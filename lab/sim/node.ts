/** What the simulation asks of its nodes. */
import type { Nanoseconds } from '../../engine/index.ts'
import type { Interface } from '../file/index.ts'
import type { Attachment, WireEnd } from './wire.ts'

/** An interface and the end of the wire that its node sends by. */
export interface Plug {
  readonly interface: Interface
  readonly wire: WireEnd
  /** Largest IP packet of the link. */
  readonly mtu: number
}

export interface SimNode {
  readonly name: string
  /** Powers the node up; nothing happens when it is. */
  start(now: Nanoseconds): void
  /** Pulls its plug: all its state is lost. Nothing happens when it is down. */
  fail(now: Nanoseconds): void
  /** What frames on interface `index` arrive at. */
  attachment(index: number): Attachment
}
