/**
 * Bundles on their way in. The one idea: bytes go to a file that has no name any more as they come, so that an upload
 * costs memory for one message only and leaves nothing behind, whatever dies; they are read once, when a request asks
 * for them, and only if they are what was announced.
 */
import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { ControlError } from '../control/errors.ts'

/** Bytes of an upload's number in front of each binary message, big-endian. */
export const UPLOAD_NUMBER_BYTES = 4

/** Uploads of all sessions together. */
const MAX_UPLOADS = 8

interface Upload {
  readonly number: number
  readonly file: number
  readonly bytes: number
  readonly sha256: string
  received: number
}

/** The place for uploads that the sessions of a server share. */
export class UploadSpace {
  readonly #folder: string
  #open = 0
  #next = 1

  /** @param folder is made when first needed; private to the router */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** Uploads under way. */
  get open(): number {
    return this.#open
  }

  /** A file without a name. @throws ControlError `busy`, `failed` */
  take(): { number: number; file: number } {
    if (this.#open >= MAX_UPLOADS)
      throw new ControlError('busy', `${MAX_UPLOADS} uploads are under way already`)
    const number = this.#next++
    const path = join(this.#folder, `.${process.pid}.${number}.upload`)
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
      rmSync(path, { force: true })
      const file = openSync(path, 'wx+', 0o600)
      rmSync(path)
      this.#open++
      return { number, file }
    } catch (error) {
      throw new ControlError('failed', `no room for an upload: ${(error as Error).message}`)
    }
  }

  give(file: number): void {
    closeSync(file)
    this.#open--
  }
}

/** The upload of one session: one at a time. */
export class SessionUpload {
  readonly #space: UploadSpace
  #upload: Upload | undefined

  constructor(space: UploadSpace) {
    this.#space = space
  }

  /** Announces an upload in place of the one before; returns its number. @throws ControlError `busy`, `failed` */
  begin(bytes: number, sha256: string): number {
    this.close()
    const { number, file } = this.#space.take()
    this.#upload = { number, file, bytes, sha256, received: 0 }
    return number
  }

  /**
   * Takes a binary message: number, then bytes in order. What belongs to no upload, or is more than was announced,
   * goes nowhere but is counted, so that the upload is refused when it is asked for.
   * @param message attacker-controlled
   */
  append(message: Buffer): void {
    const upload = this.#upload
    if (upload === undefined || message.length < UPLOAD_NUMBER_BYTES) return
    if (message.readUInt32BE(0) !== upload.number) return
    const length = message.length - UPLOAD_NUMBER_BYTES
    const room = Math.max(0, upload.bytes - upload.received)
    try {
      for (let done = 0; done < Math.min(length, room); )
        done += writeSync(
          upload.file,
          message,
          UPLOAD_NUMBER_BYTES + done,
          Math.min(length, room) - done,
          upload.received + done,
        )
      upload.received += length
    } catch {
      // A full disk: what is missing is noticed when the upload is asked for.
      upload.received = Number.POSITIVE_INFINITY
    }
  }

  /** The bytes of a complete upload, which is over then. @throws ControlError `unknown`, `invalid` */
  take(number: number): Uint8Array {
    const upload = this.#upload
    if (upload === undefined || upload.number !== number)
      throw new ControlError('unknown', `no upload ${number}`, { place: 'upload' })
    try {
      if (upload.received !== upload.bytes)
        throw new ControlError('invalid', `${describe(upload.received)}, announced were ${upload.bytes}`, {
          place: 'upload',
        })
      const bytes = readAll(upload)
      if (createHash('sha256').update(bytes).digest('hex') !== upload.sha256)
        throw new ControlError('invalid', 'not the bytes that were announced', { place: 'upload' })
      return bytes
    } finally {
      this.close()
    }
  }

  /** Ends the upload under way, if there is one. */
  close(): void {
    if (this.#upload !== undefined) this.#space.give(this.#upload.file)
    this.#upload = undefined
  }
}

function describe(received: number): string {
  return Number.isFinite(received) ? `${received} bytes came` : 'the bytes could not be kept'
}

function readAll({ file, bytes }: Upload): Uint8Array {
  const whole = Buffer.allocUnsafe(bytes)
  for (let done = 0; done < bytes; ) {
    const count = readSync(file, whole, done, bytes - done, done)
    if (count === 0) throw new ControlError('failed', 'the upload could not be read back')
    done += count
  }
  return whole
}
