/** Files that commands read and write: bounded, whole, and with errors that name them. */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { CommandError } from './command.ts'

/** The bytes of a file. @throws CommandError `unreadable`, `limit` */
export function readInput(file: string, maxBytes: number): Uint8Array {
  try {
    const status = statSync(file)
    const { size } = status
    if (status.isDirectory())
      throw new CommandError('unreadable', `${file}: expected a file, this is a folder`)
    if (size <= maxBytes) return readFileSync(file)
    throw new CommandError('limit', `${file}: ${size} bytes, expected at most ${maxBytes}`)
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw unreadable(file, error)
  }
}

/** Writes a file, or replaces it: the old content stands until the new one is whole. @throws CommandError `unreadable` */
export function writeOutput(file: string, bytes: Uint8Array): void {
  const beside = join(dirname(file), `.${process.pid}.${basename(file)}`)
  try {
    writeFileSync(beside, bytes)
    renameSync(beside, file)
  } catch (error) {
    rmSync(beside, { force: true })
    throw unreadable(file, error)
  }
}

function unreadable(file: string, error: unknown): CommandError {
  const { code, message } = error as NodeJS.ErrnoException
  return new CommandError(
    'unreadable',
    code === 'ENOENT' ? `${file}: there is no such file or folder` : message,
  )
}
