/** Files of the known pattern: what nginx serves and curl sends. One for each size, shared by all nodes. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { patternChunk } from '../../host/stack/index.ts'
import { hostsOf, type Lab } from '../file/index.ts'

const CHUNK_BYTES = 65_521
/** Bytes between two turns of the event loop. */
const TURN_BYTES = 16 << 20

export class PatternFiles {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  /** Writes the files that a lab needs. @param turn gives the event loop a turn; throws to end it */
  static async write(lab: Lab, folder: string, turn: () => Promise<void>): Promise<PatternFiles> {
    const files = new PatternFiles(folder)
    for (const bytes of sizesOf(lab)) await writePattern(files.path(bytes), bytes, turn)
    return files
  }

  /** The path of the file of so many bytes: of an http service, or sent by an http client. */
  path(bytes: number): string {
    return join(this.folder, `pattern-${bytes}`)
  }
}

function sizesOf(lab: Lab): Set<number> {
  const sizes = hostsOf(lab).flatMap(({ clients, services }) =>
    [...services, ...clients].flatMap(({ protocol, bytes = 0 }) => (protocol === 'http' ? [bytes] : [])),
  )
  return new Set(sizes)
}

async function writePattern(path: string, bytes: number, turn: () => Promise<void>): Promise<void> {
  const file = openSync(path, 'w', 0o644)
  try {
    let turnAt = TURN_BYTES
    for (let at = 0; at < bytes; ) {
      at += writeSync(file, patternChunk(at, Math.min(CHUNK_BYTES, bytes - at)))
      if (at < turnAt) continue
      turnAt = at + TURN_BYTES
      await turn()
    }
  } finally {
    closeSync(file)
  }
}
