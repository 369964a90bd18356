/**
 * What the registry asks of a disk. The one idea: nothing is believed to be on it before it was flushed; a file is
 * written beside, flushed, renamed, and its folder flushed, so that after a crash at any moment the old content
 * stands, or the new one, and never a part of either. A test puts a disk in its place that forgets what was not
 * flushed.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { StateError } from './errors.ts'

/** Single steps, each of which may be the last one. All throw the system's errors. */
export interface Disk {
  /** Undefined where there is no file. @throws StateError `damaged` where it is no file or longer than `limit` */
  read(path: string, limit: number): Uint8Array | undefined
  /** Names in a folder; empty where there is none. */
  list(folder: string): readonly string[]
  /** Makes a folder, for its owner alone, with those above it; durably. */
  makeFolder(folder: string): void
  /** Creates a file, or overwrites it. */
  write(path: string, content: Uint8Array): void
  /** After it the file's content survives a loss of power. */
  flush(path: string): void
  rename(from: string, to: string): void
  /** Nothing happens where there is none. */
  remove(path: string): void
  /** After it what was renamed and removed in the folder survives a loss of power. */
  flushFolder(folder: string): void
}

const PRIVATE_FILE = 0o600
const PRIVATE_FOLDER = 0o700

/** Names of files that were being written when the router died. */
const BESIDE = /^\.[^/]+\.new$/

/** Puts a whole file in place, durably. */
export function replaceFile(disk: Disk, path: string, content: Uint8Array): void {
  const beside = join(dirname(path), `.${basename(path)}.new`)
  disk.write(beside, content)
  disk.flush(beside)
  disk.rename(beside, path)
  disk.flushFolder(dirname(path))
}

/** Whether a file is one that `replaceFile` had not finished. */
export function isUnfinished(name: string): boolean {
  return BESIDE.test(name)
}

/** The machine's own disk. */
export const REAL_DISK: Disk = {
  read(path, limit) {
    const status = statSync(path, { throwIfNoEntry: false })
    if (status === undefined) return undefined
    if (!status.isFile()) throw new StateError('damaged', 'expected a regular file', path)
    if (status.size > limit) throw new StateError('damaged', `longer than ${limit} bytes`, path)
    return readFileSync(path)
  },
  list(folder) {
    try {
      return readdirSync(folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  },
  makeFolder(folder) {
    const first = mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER })
    if (first === undefined) return
    for (let each = folder; each.length >= first.length; each = dirname(each)) flushAt(dirname(each))
  },
  write(path, content) {
    // What a stranger may have put in its place is not written through.
    rmSync(path, { force: true })
    const file = openSync(path, 'wx', PRIVATE_FILE)
    try {
      for (let offset = 0; offset < content.length; ) offset += writeSync(file, content, offset)
    } finally {
      closeSync(file)
    }
  },
  flush: flushAt,
  rename: renameSync,
  remove(path) {
    rmSync(path, { force: true })
  },
  flushFolder: flushAt,
}

function flushAt(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
