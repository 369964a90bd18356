/**
 * The tcp and udp services of a host in a namespace, one process for all of them: `service-program CONFIG`, the text
 * of a ServiceProgramConfig. Says `{"ready":true}` once all are open.
 */
import { createServer } from 'node:net'
import { parseIpv4Address } from '../../../engine/wire/index.ts'
import { DatagramService } from '../../../host/stack/index.ts'
import { KernelSockets } from './kernel-sockets.ts'
import { listenToLab, tellLab } from './lifeline.ts'
import { serveStream } from './stream-service.ts'

export interface ServiceProgramConfig {
  readonly name: string
  readonly services: readonly { readonly protocol: 'tcp' | 'udp'; readonly port: number }[]
  /** A datagram is answered from the address that was asked; the kernel tells it by the socket, so there is one each. */
  readonly addresses: readonly string[]
}

const BACKLOG = 4096

function openStream(name: string, port: number): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (socket) => serveStream(socket, name))
  return new Promise((settle, refuse) => {
    server.once('error', refuse)
    server.listen({ port, host: '0.0.0.0', backlog: BACKLOG }, settle)
  })
}

if (process.argv[2] !== undefined) {
  const { name, services, addresses } = JSON.parse(process.argv[2]) as ServiceProgramConfig
  const sockets = new KernelSockets(name, () => 0)
  listenToLab(() => {})
  for (const { protocol, port } of services) {
    if (protocol === 'tcp') await openStream(name, port)
    else
      for (const each of addresses) new DatagramService(sockets, { port, address: parseIpv4Address(each)! })
  }
  // Datagram sockets are bound by the time the loop has come round.
  setTimeout(() => tellLab({ ready: true }), 20)
}
