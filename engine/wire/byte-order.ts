/**
 * Network byte order: 16- and 32-bit numbers read from and written to bytes. The one idea: plain byte operations,
 * which V8 inlines and which need no view per buffer. Callers check bounds first; nothing here does for reads.
 */

/** The unsigned 16-bit number at `offset`. */
export function read16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 8) | bytes[offset + 1]
}

/** The unsigned 32-bit number at `offset`. */
export function read32(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]) >>> 0
  )
}

/** Writes the low 16 bits of `value` at `offset`. */
export function write16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8
  bytes[offset + 1] = value
}

/** Writes the low 32 bits of `value` (signed or unsigned) at `offset`. */
export function write32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24
  bytes[offset + 1] = value >>> 16
  bytes[offset + 2] = value >>> 8
  bytes[offset + 3] = value
}

/**
 * Asserts that `length` bytes fit at `offset`: writes past the end of a typed array would vanish silently.
 * @throws RangeError when they do not; always the caller's bug
 */
export function requireRoom(bytes: Uint8Array, offset: number, length: number): void {
  if (offset < 0 || offset + length > bytes.length)
    throw new RangeError(`no room for ${length} bytes at ${offset} of ${bytes.length}`)
}
