/**
 * Copying frames between buffers. The one idea: no view per copy. `target.set(source.subarray(...))` makes an
 * object for every frame; Buffer's copy moves the same bytes between plain Uint8Arrays without one.
 */

const copy = Buffer.prototype.copy

/** Copies source[start, start + length) to target[offset...). The caller has checked both bounds. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  length: number,
  target: Uint8Array,
  offset: number,
): void {
  copy.call(source as Buffer, target, offset, start, start + length)
}
