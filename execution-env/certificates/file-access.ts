/**
 * Reaching files: what goes wrong becomes a CertificateError that names the file. The one idea: the caller of the
 * authority or the trust store sees one kind of error, never the system's.
 */
import { ContractError } from '../contract/index.ts'
import { CertificateError } from './errors.ts'

/** The result of `work`, whose errors get `path` as their place. */
export function atFile<Result>(path: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (error instanceof CertificateError && error.place === path) throw error
    if (error instanceof CertificateError) throw new CertificateError(error.code, error.message, path)
    if (error instanceof ContractError) throw new CertificateError('malformed', error.message, path)
    if (isSystemError(error, 'EEXIST')) throw new CertificateError('exists', 'is there already', path)
    if (isSystemError(error)) throw new CertificateError('unreadable', error.message, path)
    throw error
  }
}

/** Whether `error` is one of the operating system's, of a certain code where given. */
export function isSystemError(error: unknown, code?: string): error is NodeJS.ErrnoException {
  if (!(error instanceof Error) || !('syscall' in error)) return false
  return code === undefined || (error as NodeJS.ErrnoException).code === code
}
