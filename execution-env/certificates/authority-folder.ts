/**
 * The files of an authority: one process at a time, every file whole, nothing overwritten but what is meant to
 * change. The one idea: all writing happens within `locked`; a lock left by a process that died is taken over.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createFile, replaceFile } from './atomic-file.ts'
import { CertificateError } from './errors.ts'
import { atFile, isSystemError } from './file-access.ts'

/** Readable by the owner alone: private keys. */
export const SECRET = 0o600
/** Readable by all. */
export const PUBLIC = 0o644
const LOCK = '.lock'

export class AuthorityFolder {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /** Makes the folder for the owner alone, unless it exists. */
  make(): void {
    atFile(this.path, () => mkdirSync(this.path, { recursive: true, mode: 0o700 }))
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** What `parse` makes of a file. */
  read<Result>(name: string, parse: (text: string) => Result): Result {
    return atFile(this.file(name), () => parse(readFileSync(this.file(name), 'utf8')))
  }

  /** @throws CertificateError `exists` */
  refuseExisting(name: string): void {
    if (existsSync(this.file(name))) throw new CertificateError('exists', 'is there already', this.file(name))
  }

  /** @throws CertificateError `exists` */
  create(name: string, content: string, mode: number): void {
    atFile(this.file(name), () => createFile(this.file(name), content, mode))
  }

  replace(name: string, content: string): void {
    atFile(this.file(name), () => replaceFile(this.file(name), content, PUBLIC))
  }

  /** Does `work` while no other process may. @throws CertificateError `busy` */
  locked<Result>(work: () => Result): Result {
    this.#lock()
    try {
      return work()
    } finally {
      rmSync(this.file(LOCK), { force: true })
    }
  }

  #lock(): void {
    if (this.#takeLock()) return
    const holder = this.#lockHolder()
    if (isAlive(holder))
      throw new CertificateError('busy', `process ${holder} is at work here`, this.file(LOCK))
    rmSync(this.file(LOCK), { force: true })
    if (!this.#takeLock())
      throw new CertificateError('busy', 'another process is at work here', this.file(LOCK))
  }

  #takeLock(): boolean {
    try {
      createFile(this.file(LOCK), String(process.pid), SECRET)
      return true
    } catch (error) {
      if (isSystemError(error, 'EEXIST')) return false
      return atFile(this.file(LOCK), () => {
        throw error
      })
    }
  }

  #lockHolder(): number {
    try {
      return Number(readFileSync(this.file(LOCK), 'utf8'))
    } catch {
      return 0
    }
  }
}

function isAlive(processId: number): boolean {
  if (!Number.isSafeInteger(processId) || processId <= 0) return false
  try {
    process.kill(processId, 0)
    return true
  } catch (error) {
    return !isSystemError(error, 'ESRCH')
  }
}
