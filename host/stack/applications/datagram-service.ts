/**
 * A UDP request and response service. The one idea: `REQ id bytes` is answered from the address that was asked with
 * `SERVED-BY name id` and so many bytes of the known pattern; anything else is counted and not answered.
 */
import { StackError } from '../errors.ts'
import type { UdpBinding, UdpDatagram } from '../udp.ts'
import { patternChunk } from './pattern.ts'
import type { Sockets } from './sockets.ts'

/** Most bytes of a response's body. */
export const MAXIMUM_DATAGRAM_BYTES = 60_000
const LINE_LIMIT = 100

export interface DatagramServiceOptions {
  readonly port: number
  /** A local address, or 0 (the default) for any. */
  readonly address?: number
  /** Printable ASCII without spaces. Default: the stack's name. */
  readonly name?: string
}

export class DatagramService {
  readonly name: string
  /** Monotonic. */
  readonly counters = { requests: 0, malformed: 0, bytesIn: 0, bytesOut: 0 }
  readonly #stack: Sockets
  readonly #binding: UdpBinding

  /** @throws StackError `exists`, `invalid` */
  constructor(stack: Sockets, options: DatagramServiceOptions) {
    const { port, address = 0, name = stack.name } = options
    if (!/^[\x21-\x7e]{1,50}$/.test(name)) throw new StackError('invalid', `${name} cannot name a service`)
    this.name = name
    this.#stack = stack
    this.#binding = stack.udp.bind(port, (datagram) => this.#answer(datagram), { address })
  }

  /** Answers no more. */
  close(): void {
    this.#binding.close()
  }

  #answer(datagram: UdpDatagram): void {
    const { payload, source, sourcePort, destination, destinationPort, group } = datagram
    this.counters.bytesIn += payload.length
    const request = /^REQ (\d{1,10}) (\d{1,5})\n/.exec(
      Buffer.from(payload.subarray(0, LINE_LIMIT)).toString('latin1'),
    )
    if (request === null || Number(request[2]) > MAXIMUM_DATAGRAM_BYTES) {
      this.counters.malformed++
      return
    }
    this.counters.requests++
    const head = Buffer.from(`SERVED-BY ${this.name} ${request[1]}\n`, 'latin1')
    const answer = Buffer.concat([head, patternChunk(0, Number(request[2]))])
    this.counters.bytesOut += answer.length
    const from = group ? {} : { from: destination }
    this.#stack.udp.send({
      to: source,
      port: sourcePort,
      fromPort: destinationPort,
      payload: answer,
      ...from,
    })
  }
}
