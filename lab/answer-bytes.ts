/** How much a client is answered: what the service at the other end sends for each of its requests. */

import { addressOf, contains, subnetOf } from '../document/index.ts'
import { type Client, hostsOf, type Lab } from './file/index.ts'

/** Bytes of a client's own request come back from services that do not say what they send. */
export function answerBytes(lab: Lab, client: Client): number {
  const wanted = addressOf(client.address)
  for (const host of hostsOf(lab)) {
    const own = host.interfaces.some((each) =>
      each.addresses.some(({ address }) => address === client.address),
    )
    if (!own && !host.virtualHosts.some((prefix) => contains(subnetOf(prefix), wanted))) continue
    const service = host.services.find(
      (each) => each.protocol === client.protocol && each.port === client.port,
    )
    if (service !== undefined) return service.bytes ?? client.bytes
  }
  return client.bytes
}
