/**
 * Captures of a lab's links: one pcapng file per link end, as from the simulator. The one idea: a file shows what its
 * node received and sent, each as it was on the wire; what a router sends by raw sockets its own machine does not show,
 * so it is taken from where it arrives.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { CaptureWriter, type FrameSink } from '../../engine/index.ts'
import { inNamespace, PacketListener } from '../../engine/ports/linux/index.ts'
import type { Endpoint, Lab } from '../file/index.ts'
import type { LabNetwork } from './network.ts'

const LOOK_MS = 10
/** Frames of one end in a row; then others have their turn. */
const MOST_AT_ONCE = 5000
const BUFFER_BYTES = 1 << 20
const NS_PER_SECOND = 1e9
const SETTLE_MS = 100

interface End {
  readonly listener: PacketListener
  readonly file: CaptureFile
}

export class LabCaptures {
  readonly #links: (readonly [End, End])[] = []
  readonly #epochSeconds: number
  readonly #timer: NodeJS.Timeout

  /** Opens a file and a listener for each link end. @throws LinuxError, or what opening a file throws */
  constructor(lab: Lab, network: LabNetwork, folder: string) {
    this.#epochSeconds = Math.floor(lab.epochMs / 1000)
    for (const { endpoints } of lab.links) {
      const [one, other] = endpoints.map((each) => this.#open(each, network, folder)) as [End, End]
      this.#links.push([one, other])
    }
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
  }

  /** Takes what has come, and ends. Answers how many frames came too fast. */
  close(): number {
    clearInterval(this.#timer)
    this.#look(Number.POSITIVE_INFINITY)
    const ends = this.#links.flat()
    for (const { listener, file } of ends) {
      listener.count()
      listener.close()
      file.close()
    }
    return ends.reduce((sum, { listener }) => sum + listener.dropped, 0)
  }

  #open({ node, interface: device }: Endpoint, network: LabNetwork, folder: string): End {
    const name = `${node}-${device}`
    const listener = inNamespace(network.path(node), () => PacketListener.open(device))
    return { listener, file: new CaptureFile(join(folder, `${name}.pcapng`), name, this.#epochSeconds) }
  }

  #look(limit = MOST_AT_ONCE): void {
    for (const [one, other] of this.#links) {
      this.#take(one, other, limit)
      this.#take(other, one, limit)
    }
    // What is younger may still have older ones before it in the other direction.
    const settledNs = (Date.now() - SETTLE_MS) * 1e6 - this.#epochSeconds * NS_PER_SECOND
    for (const { file } of this.#links.flat()) file.settle(settledNs)
  }

  /** What arrives at an end was sent by the other. */
  #take({ listener, file }: End, far: End, limit: number): void {
    for (let taken = 0; taken < limit; taken++) {
      const frame = listener.read()
      if (frame === undefined) return
      if (frame.direction === 'out') continue
      const atNs = (frame.seconds - this.#epochSeconds) * NS_PER_SECOND + frame.nanoseconds
      far.file.add('transmit', frame.bytes, frame.length, atNs)
      file.add('receive', frame.bytes, frame.length, atNs)
    }
  }
}

/** One file. Frames of the two directions come from two listeners and are put in the order of their times. */
class CaptureFile {
  readonly #file: number
  readonly #sink: FrameSink
  readonly #buffer = new Uint8Array(BUFFER_BYTES)
  #used = 0
  #waiting: { direction: 'receive' | 'transmit'; frame: Uint8Array; atNs: number }[] = []

  constructor(path: string, name: string, epochSeconds: number) {
    this.#file = openSync(path, 'w')
    this.#sink = new CaptureWriter((block) => this.#write(block), { epochSeconds }).port(name)
  }

  add(direction: 'receive' | 'transmit', bytes: Uint8Array, length: number, atNs: number): void {
    this.#waiting.push({ direction, frame: bytes.slice(0, length), atNs: Math.max(0, atNs) })
  }

  /** Writes frames seen before a time, in order. */
  settle(beforeNs: number): void {
    const ready = this.#waiting.filter(({ atNs }) => atNs < beforeNs).sort((a, b) => a.atNs - b.atNs)
    if (ready.length === 0) return
    this.#waiting = this.#waiting.filter(({ atNs }) => atNs >= beforeNs)
    for (const { direction, frame, atNs } of ready) this.#sink(direction, frame, 0, frame.length, atNs, '')
  }

  close(): void {
    this.settle(Number.POSITIVE_INFINITY)
    this.#flush()
    closeSync(this.#file)
  }

  #write(block: Uint8Array): void {
    if (this.#used + block.length > BUFFER_BYTES) this.#flush()
    this.#buffer.set(block, this.#used)
    this.#used += block.length
  }

  #flush(): void {
    for (let at = 0; at < this.#used; ) at += writeSync(this.#file, this.#buffer, at, this.#used - at)
    this.#used = 0
  }
}
