/** A ping client: echo requests at a rate, whose replies must bring back every byte. */
import { formatIpv4Address } from '../../../engine/wire/index.ts'
import { SECOND } from '../time.ts'
import { type Attempt, Campaign, type CampaignOptions, type ClientReport } from './campaign.ts'
import { matchesPattern, patternChunk } from './pattern.ts'
import type { Sockets } from './sockets.ts'

export interface PingClientOptions extends CampaignOptions {
  readonly to: number
  /** A local address to ask from; by default the one the route implies. */
  readonly from?: number
  /** Echoed bytes, 0..65507. Default 56. */
  readonly bytes?: number
}

export class PingClient {
  readonly #stack: Sockets
  readonly #options: PingClientOptions
  readonly #campaign: Campaign

  /** @throws StackError `invalid` */
  constructor(stack: Sockets, options: PingClientOptions) {
    this.#stack = stack
    this.#options = options
    this.#campaign = new Campaign(stack, { timeoutNs: SECOND, ...options }, (attempt) => this.#start(attempt))
  }

  get report(): ClientReport {
    return this.#campaign.report
  }

  get done(): boolean {
    return this.#campaign.done
  }

  /** Starts the first attempts, from within the next poll. */
  begin(): void {
    this.#campaign.begin()
  }

  /** Starts no more attempts. */
  stop(): void {
    this.#campaign.stop()
  }

  #start(attempt: Attempt): void {
    const { to, from, bytes = 56, timeoutNs = SECOND } = this.#options
    const payload = patternChunk(0, bytes)
    const request = { to, payload, timeoutNs, ...(from === undefined ? {} : { from }) }
    this.#campaign.bytesOut += bytes
    this.#stack.icmp.ping(request, (result) => {
      if (result.outcome !== 'reply') {
        attempt.fail(result.outcome)
        return
      }
      this.#campaign.bytesIn += result.payload.length
      attempt.latencyNs = result.roundTripNs
      if (result.payload.length === bytes && matchesPattern(result.payload, 0))
        attempt.succeed(formatIpv4Address(to))
      else attempt.corrupt()
    })
  }
}
