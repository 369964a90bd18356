/**
 * The head of an HTTP/1.1 message (RFC 9112). The one idea: collect bytes up to the empty line within a limit, then
 * read start line and headers strictly; everything comes from outside, and what is doubtful is malformed.
 */

/** Longest head in bytes. */
export const HEAD_LIMIT = 8192
const HEADER_LIMIT = 100
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const LINE_END = 10

export interface HttpHead {
  /** The three parts of the start line. */
  readonly first: string
  readonly second: string
  readonly third: string
  /** Names in lower case; of repeated ones the values joined by a comma. */
  readonly headers: ReadonlyMap<string, string>
}

/** Collects a head from pieces. */
export class HeadCollector {
  #bytes = new Uint8Array(0)

  /** Bytes collected so far. */
  get pending(): Uint8Array {
    return this.#bytes
  }

  /**
   * Takes bytes. Returns the head as text and the bytes behind it once it is complete, `too-long` beyond the limit,
   * undefined while more is needed.
   */
  add(bytes: Uint8Array): { readonly text: string; readonly rest: Uint8Array } | 'too-long' | undefined {
    const known = this.#bytes.length
    const room = HEAD_LIMIT + 4 - known
    const joined = new Uint8Array(known + Math.min(bytes.length, room))
    joined.set(this.#bytes)
    joined.set(bytes.subarray(0, room), known)
    const end = endOfHead(joined, Math.max(0, known - 3))
    if (end < 0) {
      this.#bytes = joined
      return joined.length > HEAD_LIMIT ? 'too-long' : undefined
    }
    this.#bytes = new Uint8Array(0)
    const text = Buffer.from(joined.buffer, 0, end).toString('latin1')
    return { text, rest: bytes.subarray(end - known) }
  }
}

/** One past the empty line (CR LF CR LF, or bare LF twice), from `from` on; -1 while there is none. */
function endOfHead(bytes: Uint8Array, from: number): number {
  for (let i = from; i < bytes.length; i++) {
    if (bytes[i] !== LINE_END) continue
    if (bytes[i + 1] === LINE_END) return i + 2
    if (bytes[i + 1] === 13 && bytes[i + 2] === LINE_END) return i + 3
  }
  return -1
}

/** Reads a complete head; undefined when it is malformed. */
export function parseHead(text: string): HttpHead | undefined {
  const lines = text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
  const start = /^(\S+) (\S+)(?: (.*))?$/.exec(lines[0])
  if (start === null || lines.length > HEADER_LIMIT + 3) return undefined
  const headers = new Map<string, string>()
  for (const line of lines.slice(1)) {
    if (line === '') break
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon))
    if (!TOKEN.test(name)) return undefined
    const value = line.slice(colon + 1).trim()
    const known = headers.get(name.toLowerCase())
    headers.set(name.toLowerCase(), known === undefined ? value : `${known}, ${value}`)
  }
  return { first: start[1], second: start[2], third: start[3] ?? '', headers }
}

/** The Content-Length of a head: -1 without one, undefined when it is malformed. */
export function contentLength(head: HttpHead): number | undefined {
  const value = head.headers.get('content-length')
  if (value === undefined) return -1
  return /^\d{1,15}$/.test(value) ? Number(value) : undefined
}
