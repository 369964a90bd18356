/**
 * Files that are there whole or not at all. The one idea: write beside, flush, then put in place with one call of
 * the file system; after a crash the old content stands, or the new one.
 */
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Replaces the content of a file, or creates it with `mode`. Throws the system's errors. */
export function replaceFile(path: string, content: Uint8Array | string, mode: number): void {
  const beside = writeBeside(path, content, mode)
  try {
    renameSync(beside, path)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  }
  flush(dirname(path))
}

/** Creates a file that must not exist yet: throws `EEXIST` otherwise, and the system's other errors. */
export function createFile(path: string, content: Uint8Array | string, mode: number): void {
  const beside = writeBeside(path, content, mode)
  try {
    linkSync(beside, path)
  } finally {
    rmSync(beside, { force: true })
  }
  flush(dirname(path))
}

function writeBeside(path: string, content: Uint8Array | string, mode: number): string {
  const beside = join(dirname(path), `.${process.pid}.${path.slice(path.lastIndexOf('/') + 1)}`)
  rmSync(beside, { force: true })
  const file = openSync(beside, 'wx', mode)
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return beside
}

function flush(folder: string): void {
  const file = openSync(folder, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
