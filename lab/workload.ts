/**
 * A client of the lab file as an application of the host stack. The one idea: the file says what a client sends and
 * how often; the protocol decides which application that is.
 */

import { SECOND } from '../engine/index.ts'
import { parseIpv4Address } from '../engine/wire/index.ts'
import {
  type ClientReport as ApplicationReport,
  type CampaignOptions,
  DatagramClient,
  HttpClient,
  PingClient,
  type Sockets,
  StreamClient,
} from '../host/stack/index.ts'
import type { Client } from './file/index.ts'

/** What all client applications have in common. */
export interface Application {
  readonly report: ApplicationReport
  readonly done: boolean
  begin(): void
  stop(): void
}

/** Requests at the same time where a rate starts them: more means that nothing answers any more. */
const OPEN_LOOP_LIMIT = 100_000

/**
 * Makes a client's application.
 * @param count requests that it shall still make; undefined: without end
 * @param answerBytes what the service at the other end sends for each request
 * @param onDone called when the last request has ended
 */
export function applicationOf(
  stack: Sockets,
  client: Client,
  count: number | undefined,
  answerBytes: number,
  onDone: () => void,
): Application {
  const to = parseIpv4Address(client.address)!
  const from = client.fromAddress === undefined ? undefined : parseIpv4Address(client.fromAddress)!
  const campaign = campaignOf(client, count, onDone)
  const source = from === undefined ? {} : { from }
  const { port, bytes } = client
  switch (client.protocol) {
    case 'http': {
      const { keepAlive } = client
      const host = client.address
      return new HttpClient(stack, { ...campaign, to, port, host, keepAlive, upload: bytes, connect: source })
    }
    case 'tcp':
      return new StreamClient(stack, { ...campaign, to, port, up: bytes, down: answerBytes, connect: source })
    case 'udp':
      return new DatagramClient(stack, {
        ...campaign,
        ...source,
        to,
        port,
        upload: bytes,
        bytes: answerBytes,
      })
    case 'ping':
      return new PingClient(stack, { ...campaign, ...source, to, bytes })
  }
}

/** How often and how many requests a client makes, as its application is told. */
export function campaignOf(client: Client, count: number | undefined, onDone: () => void): CampaignOptions {
  const rate = client.ratePerSecond
  return {
    count: count ?? 2 ** 31,
    intervalNs: rate === undefined ? 0 : SECOND / rate,
    concurrency: rate === undefined ? client.concurrency : OPEN_LOOP_LIMIT,
    timeoutNs: client.timeoutNs,
    onDone,
  }
}
