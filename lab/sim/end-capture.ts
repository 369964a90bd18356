/**
 * The capture of one link end: what its node received and sent, with the fate of what went no further as a comment.
 * The one idea: while a node works on an arriving frame, what it says about that frame is collected, so that the
 * frame stands in the file once, before what it caused, and with its comment.
 */
import { CaptureWriter, dropComment, type FrameSink, type Nanoseconds } from '../../engine/index.ts'

interface SentFrame {
  readonly frame: Uint8Array
  readonly comment: string
}

export class EndCapture {
  readonly #sink: FrameSink
  #arriving: Uint8Array | undefined = undefined
  #comment = ''
  #sent: SentFrame[] = []

  /** @param write is given each block of the file in order */
  constructor(name: string, write: (block: Uint8Array) => void, epochSeconds: number) {
    this.#sink = new CaptureWriter(write, { epochSeconds }).port(name)
  }

  /** A frame arrives; until `settle` everything else waits behind it. */
  arrive(frame: Uint8Array): void {
    // The node owns the frame and may change it.
    this.#arriving = frame.slice()
    this.#comment = ''
  }

  /** The node has done with the frame that arrived. */
  settle(now: Nanoseconds): void {
    const frame = this.#arriving
    if (frame === undefined) return
    this.#arriving = undefined
    this.#write('receive', frame, now, this.#comment)
    for (const { frame: sent, comment } of this.#sent) this.#write('transmit', sent, now, comment)
    this.#sent = []
  }

  /** The node sent a frame; `comment` says when the link lost it. */
  send(frame: Uint8Array, now: Nanoseconds, comment: string): void {
    if (this.#arriving === undefined) this.#write('transmit', frame, now, comment)
    else this.#sent.push({ frame: frame.slice(), comment })
  }

  /** The node dropped the frame that is arriving; the first reason stands. */
  dropArriving(reason: string): void {
    if (this.#comment === '') this.#comment = dropComment(reason)
  }

  /** The node dropped a packet that it had held since it arrived. */
  dropHeld(frame: Uint8Array, reason: string, now: Nanoseconds): void {
    if (this.#arriving === undefined) this.#write('transmit', frame, now, dropComment(reason))
    else this.#sent.push({ frame: frame.slice(), comment: dropComment(reason) })
  }

  #write(direction: 'receive' | 'transmit', frame: Uint8Array, now: Nanoseconds, comment: string): void {
    this.#sink(direction, frame, 0, frame.length, now, comment)
  }
}
