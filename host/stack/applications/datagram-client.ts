/**
 * A UDP request and response client (see datagram-service.ts). The one idea: the attempt's number travels in the
 * request and comes back, so that late and foreign answers count for nothing; what is lost fails by its timeout.
 */

import { SECOND } from '../time.ts'
import type { UdpBinding, UdpDatagram } from '../udp.ts'
import { type Attempt, Campaign, type CampaignOptions, type ClientReport } from './campaign.ts'
import { matchesPattern, patternChunk } from './pattern.ts'
import type { Sockets } from './sockets.ts'

const LINE_LIMIT = 200

export interface DatagramClientOptions extends CampaignOptions {
  readonly to: number
  readonly port: number
  /** A local address to send from; by default the one the route implies. */
  readonly from?: number
  /** Size of the answer's body, 0..60000. Default 100. */
  readonly bytes?: number
  /** Size of the request, filled up with the known pattern, 0..65507. Default 0: as short as it can be. */
  readonly upload?: number
  /** TTL, which for groups is 1 unless told. */
  readonly ttl?: number
}

export class DatagramClient {
  readonly #stack: Sockets
  readonly #options: DatagramClientOptions
  readonly #campaign: Campaign
  readonly #waiting = new Map<number, Attempt>()
  #binding: UdpBinding | null = null

  /** @throws StackError `invalid` */
  constructor(stack: Sockets, options: DatagramClientOptions) {
    this.#stack = stack
    this.#options = options
    const { onDone } = options
    const campaign = {
      timeoutNs: 2 * SECOND,
      ...options,
      onDone: () => {
        this.stop()
        onDone?.()
      },
    }
    this.#campaign = new Campaign(stack, campaign, (attempt) => this.#start(attempt))
  }

  get report(): ClientReport {
    return this.#campaign.report
  }

  get done(): boolean {
    return this.#campaign.done
  }

  /** Starts the first attempts, from within the next poll. @throws StackError `limit` when no port is free */
  begin(): void {
    const { from = 0 } = this.#options
    const options = { address: from, onError: () => this.#unreachable() }
    this.#binding = this.#stack.udp.bind(0, (datagram) => this.#read(datagram), options)
    this.#campaign.begin()
  }

  /** Starts no more attempts and gives the port back. */
  stop(): void {
    this.#campaign.stop()
    this.#binding?.close()
    this.#binding = null
  }

  #start(attempt: Attempt): void {
    const { to, port, from, bytes = 100, upload = 0, ttl } = this.#options
    if (this.#binding === null) return
    this.#waiting.set(attempt.index, attempt)
    attempt.abandon = () => this.#waiting.delete(attempt.index)
    const line = Buffer.from(`REQ ${attempt.index} ${bytes}\n`, 'latin1')
    const payload = Buffer.concat([line, patternChunk(0, Math.max(0, upload - line.length))])
    const choices = { ...(from === undefined ? {} : { from }), ...(ttl === undefined ? {} : { ttl }) }
    const result = this.#stack.udp.send({ to, port, fromPort: this.#binding.port, payload, ...choices })
    if (result === 'sent') this.#campaign.bytesOut += payload.length
    else attempt.fail('unreachable')
  }

  /** Nobody listens there: all that wait for it wait in vain. */
  #unreachable(): void {
    for (const attempt of [...this.#waiting.values()]) attempt.fail('unreachable')
  }

  #read(datagram: UdpDatagram): void {
    const { payload } = datagram
    const { bytes = 100 } = this.#options
    const text = Buffer.from(payload.subarray(0, LINE_LIMIT)).toString('latin1')
    const answer = /^SERVED-BY (\S+) (\d{1,10})\n/.exec(text)
    const attempt = answer === null ? undefined : this.#waiting.get(Number(answer[2]))
    if (answer === null || attempt === undefined) return
    this.#waiting.delete(attempt.index)
    const body = payload.subarray(answer[0].length)
    this.#campaign.bytesIn += body.length
    if (body.length === bytes && matchesPattern(body, 0)) attempt.succeed(answer[1])
    else attempt.corrupt()
  }
}
