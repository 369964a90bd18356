/** A bulk transfer between two stacks, with checksums at both ends. */
import { crc32 } from 'node:zlib'
import type { HostStack, TcpConnection, TcpSettings } from '../../host/stack/index.ts'

export interface Transfer {
  readonly connection: TcpConnection
  sent: number
  sentCrc: number
  received: number
  receivedCrc: number
  /** Why each end closed. */
  client: string
  server: string
}

/** `bytes` bytes of a pattern that never repeats within 2^32, from `offset`. */
export function pattern(offset: number, bytes: number): Uint8Array {
  const chunk = new Uint8Array(bytes)
  for (let i = 0; i < bytes; i++) chunk[i] = Math.imul((offset + i) ^ 0x5bd1e995, 0x9e3779b1) >>> 24
  return chunk
}

/** Sends `total` bytes from a client on `from` to a listener on `to`, then closes from both sides. */
export function transfer(
  from: HostStack,
  to: HostStack,
  address: number,
  total: number,
  settings: Partial<TcpSettings> = {},
  port = 80,
): Transfer {
  const record: Omit<Transfer, 'connection'> & { connection?: TcpConnection } = {
    sent: 0,
    sentCrc: 0,
    received: 0,
    receivedCrc: 0,
    client: '',
    server: '',
  }
  to.tcp.listen(
    port,
    0,
    (connection) => {
      connection.onData = (bytes) => {
        record.received += bytes.length
        record.receivedCrc = crc32(bytes, record.receivedCrc)
      }
      connection.onEnd = () => connection.close()
      connection.onClosed = (reason) => {
        record.server = reason
      }
    },
    { settings },
  )
  const connection = from.tcp.connect({ to: address, port, settings })
  record.connection = connection
  const pump = (): void => {
    while (record.sent < total) {
      const chunk = pattern(record.sent, Math.min(16_384, total - record.sent))
      const taken = connection.send(chunk)
      record.sentCrc = crc32(chunk.subarray(0, taken), record.sentCrc)
      record.sent += taken
      if (taken < chunk.length) return
    }
    connection.close()
  }
  connection.onEstablished = pump
  connection.onWritable = pump
  connection.onClosed = (reason) => {
    record.client = reason
  }
  return record as Transfer
}
