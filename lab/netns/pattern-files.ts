/** Files of the known pattern: what nginx serves and curl sends. One for each size, shared by all nodes. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { patternChunk } from '../../host/stack/index.ts'

const CHUNK_BYTES = 65_521

export class PatternFiles {
  readonly folder: string
  readonly #made = new Set<number>()

  constructor(folder: string) {
    this.folder = folder
  }

  /** The path of the file of so many bytes; made when it is first asked for. */
  path(bytes: number): string {
    const path = join(this.folder, `pattern-${bytes}`)
    if (this.#made.has(bytes)) return path
    const file = openSync(path, 'w', 0o644)
    for (let at = 0; at < bytes; ) {
      const chunk = patternChunk(at, Math.min(CHUNK_BYTES, bytes - at))
      at += writeSync(file, chunk)
    }
    closeSync(file)
    this.#made.add(bytes)
    return path
  }
}
