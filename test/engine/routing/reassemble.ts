/** Reassembly as RFC 791 3.2 describes it, for tests: plain and slow. */
import { checksum, read16, write16 } from '../../../engine/wire/index.ts'

/** The datagram of these fragments, in any order. Throws when bytes are missing, doubled or past the end. */
export function reassemble(fragments: readonly Uint8Array[]): Uint8Array {
  const sorted = [...fragments].sort((a, b) => offsetOf(a) - offsetOf(b))
  const parts: Uint8Array[] = []
  let expected = 0
  for (const [i, fragment] of sorted.entries()) {
    const more = (fragment[6] & 0x20) !== 0
    if (offsetOf(fragment) !== expected) throw new Error(`fragment ${i} does not follow byte ${expected}`)
    if (more === (i === sorted.length - 1)) throw new Error(`fragment ${i} has MF ${more}`)
    if (read16(fragment, 2) !== fragment.length) throw new Error(`fragment ${i} has another length`)
    const data = fragment.slice(headerOf(fragment))
    if (more && data.length % 8 !== 0) throw new Error(`fragment ${i} has ${data.length} bytes`)
    parts.push(data)
    expected += data.length
  }
  const headerBytes = headerOf(sorted[0])
  const whole = new Uint8Array(headerBytes + expected)
  whole.set(sorted[0].subarray(0, headerBytes))
  let at = headerBytes
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  write16(whole, 2, whole.length)
  write16(whole, 6, 0)
  write16(whole, 10, 0)
  write16(whole, 10, checksum(whole, 0, headerBytes))
  return whole
}

function headerOf(fragment: Uint8Array): number {
  return (fragment[0] & 15) << 2
}

function offsetOf(fragment: Uint8Array): number {
  return (read16(fragment, 6) & 0x1fff) << 3
}
