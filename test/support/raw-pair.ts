/** One stack, `b` at 10.0.0.2 with a listener on port 80, and a raw peer at 10.0.0.1 that has met it. */
import type { HostStack, ListenOptions, TcpConnection } from '../../host/stack/index.ts'
import { RawPeer } from './raw-peer.ts'
import { ADDRESS_A, ADDRESS_B, type VirtualLan, VirtualWorld } from './virtual-link.ts'

export interface Accepted {
  readonly connection: TcpConnection
  data: number[]
  ended: boolean
  closed: string
}

export interface RawPair {
  readonly world: VirtualWorld
  readonly lan: VirtualLan
  readonly stack: HostStack
  readonly peer: RawPeer
  /** Connections that the listener was given. */
  readonly accepted: Accepted[]
}

/** Records what happens to a connection. */
export function watch(connection: TcpConnection): Accepted {
  const record: Accepted = { connection, data: [], ended: false, closed: '' }
  connection.onData = (bytes) => record.data.push(...bytes)
  connection.onEnd = () => {
    record.ended = true
  }
  connection.onClosed = (reason) => {
    record.closed = reason
  }
  return record
}

export function rawPair(listen: ListenOptions | null = {}, seed = 1): RawPair {
  const world = new VirtualWorld(seed)
  const lan = world.lan({ delayNs: 1000 })
  const stack = world.host('b')
  lan.attach(stack, '10.0.0.2/24')
  const peer = new RawPeer(world, lan, ADDRESS_A, ADDRESS_B)
  const accepted: Accepted[] = []
  if (listen !== null) stack.tcp.listen(80, 0, (connection) => accepted.push(watch(connection)), listen)
  peer.meet()
  return { world, lan, stack, peer, accepted }
}
