/** The first line of a byte stream, collected within a limit. */

export const LINE_LIMIT = 256
const LINE_END = 10

export class LineReader {
  #text = ''

  /** Bytes of the unfinished line, as text. */
  get pending(): string {
    return this.#text
  }

  /**
   * Takes bytes. Returns the line without its end and the bytes behind it, `too-long` beyond 256 characters,
   * undefined while more is needed.
   */
  add(bytes: Uint8Array): { readonly line: string; readonly rest: Uint8Array } | 'too-long' | undefined {
    const end = bytes.indexOf(LINE_END)
    const piece = bytes.subarray(0, end < 0 ? Math.min(bytes.length, LINE_LIMIT + 1) : end)
    this.#text += Buffer.from(
      piece.buffer,
      piece.byteOffset,
      Math.min(piece.length, LINE_LIMIT + 1),
    ).toString('latin1')
    if (this.#text.length > LINE_LIMIT) return 'too-long'
    if (end < 0) return undefined
    const line = this.#text
    this.#text = ''
    return { line, rest: bytes.subarray(end + 1) }
  }
}
