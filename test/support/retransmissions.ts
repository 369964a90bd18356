/**
 * The books of a TCP sender: every segment that a capture shows twice must have been logged with its cause, and the
 * cause must be true of the capture. The one idea: the capture knows the fate of every frame, the log knows why the
 * sender sent again; the two are matched one to one.
 */
import { TCP_FIN, TCP_SYN } from '../../engine/wire/index.ts'
import type { StackEvent } from '../../host/stack/index.ts'
import { decodeTcp } from './raw-peer.ts'
import type { Passage } from './virtual-link.ts'

export interface Books {
  /** Segments in the capture that repeat sequence numbers. */
  readonly repeated: number
  /** By cause. */
  readonly causes: Readonly<Record<string, number>>
  /** What does not add up. */
  readonly faults: readonly string[]
}

type Retransmission = Extract<StackEvent, { kind: 'retransmit' }>

interface Sent {
  readonly from: number
  readonly to: number
  readonly at: number
  readonly harmed: boolean
}

/**
 * Matches what `sender` put on the wire with its log. A retransmission for `fast` or `sack` needs an earlier frame of
 * the same bytes that was lost or held back by the link; one for `rto`, `probe` and `syn` needs only its timer,
 * which the log attests.
 */
export function auditRetransmissions(
  passages: readonly Passage[],
  log: readonly StackEvent[],
  sender: string,
): Books {
  const faults: string[] = []
  const causes: Record<string, number> = {}
  const events = log.filter((event): event is Retransmission => event.kind === 'retransmit')
  let next = 0
  let repeated = 0
  const flows = new Map<string, { sent: Sent[]; highest: number }>()
  for (const passage of passages) {
    if (passage.from !== sender) continue
    const segment = decodeTcp(passage.frame, passage.at)
    if (segment === undefined) continue
    const control = (segment.flags & (TCP_SYN | TCP_FIN)) !== 0 ? 1 : 0
    const length = segment.payload.length + control
    if (length === 0) continue
    const key = `${segment.sourcePort}>${segment.destinationPort}`
    const flow = flows.get(key) ?? { sent: [], highest: segment.sequence }
    flows.set(key, flow)
    const from = segment.sequence
    const to = (from + length) >>> 0
    const again = ((from - flow.highest) | 0) < 0
    if (again) {
      repeated++
      const event = events[next++]
      const what = `${key} ${from}+${length} at ${passage.at}`
      if (event === undefined) faults.push(`${what}: sent again, not logged`)
      else if (event.sequence !== from || event.at !== passage.at)
        faults.push(`${what}: logged is ${event.cause} ${event.sequence}+${event.length} at ${event.at}`)
      else {
        causes[event.cause] = (causes[event.cause] ?? 0) + 1
        const reason = flow.sent.some((one) => overlaps(one, from, to) && one.harmed)
        if ((event.cause === 'fast' || event.cause === 'sack') && !reason)
          faults.push(`${what}: ${event.cause}, but nothing of it was lost or held back`)
      }
    }
    const harmed = passage.fate !== 'delivered' && passage.fate !== 'duplicated'
    flow.sent.push({ from, to, at: passage.at, harmed })
    if (((to - flow.highest) | 0) > 0) flow.highest = to
  }
  if (next < events.length)
    faults.push(`${events.length - next} logged retransmissions are not in the capture`)
  return { repeated, causes, faults }
}

function overlaps(sent: Sent, from: number, to: number): boolean {
  return ((sent.from - to) | 0) < 0 && ((from - sent.to) | 0) < 0
}
