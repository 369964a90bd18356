/**
 * The far end of checked byte streams on the sockets of the operating system: the protocol of
 * host/stack/applications/stream-service.ts.
 */
import type { Socket } from 'node:net'
import { crc32 } from 'node:zlib'
import { LineReader, patternChunk } from '../../../host/stack/index.ts'

const CHUNK_BYTES = 32_768
const MAXIMUM_BYTES = 1e12

/** Serves one connection. @param name how the service calls itself */
export function serveStream(socket: Socket, name: string): void {
  const reader = new LineReader()
  let up = -1
  let down = 0
  let received = 0
  let checksum = 0
  let sent = 0
  let checked = false
  const pump = (): void => {
    if (up < 0) return
    while (sent < down && !socket.writableNeedDrain) {
      const chunk = patternChunk(sent, Math.min(CHUNK_BYTES, down - sent))
      socket.write(chunk)
      sent += chunk.length
    }
    if (sent < down || received < up || checked) return
    checked = true
    socket.end(`CHECK ${checksum.toString(16).padStart(8, '0')} ${received}\n`)
  }
  /** Reads the first line; what is behind it, or undefined while it is incomplete or when it is refused. */
  const begin = (bytes: Uint8Array): Uint8Array | undefined => {
    const collected = reader.add(bytes)
    if (collected === undefined) return undefined
    const asked = collected === 'too-long' ? null : /^STREAM (\d{1,15}) (\d{1,15})$/.exec(collected.line)
    if (
      asked === null ||
      collected === 'too-long' ||
      Math.max(Number(asked[1]), Number(asked[2])) > MAXIMUM_BYTES
    ) {
      socket.resetAndDestroy()
      return undefined
    }
    up = Number(asked[1])
    down = Number(asked[2])
    socket.write(`SERVED-BY ${name}\n`)
    return collected.rest
  }
  socket.setNoDelay(true)
  socket.on('data', (bytes: Buffer) => {
    const rest = up < 0 ? begin(bytes) : bytes
    if (rest === undefined) return
    checksum = crc32(rest, checksum)
    received += rest.length
    pump()
  })
  socket.on('drain', pump)
  socket.on('end', () => {
    if (!checked) socket.end()
  })
  // Its owner has gone: nothing is left to do.
  socket.on('error', () => {})
}
