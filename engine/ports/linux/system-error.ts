/**
 * The error of this room: what Linux refused. The one idea: a system call's number says little to a person, so the
 * error says what was attempted, which errno came back, and what is missing where that is known: a privilege or a
 * feature of the kernel.
 */
import { getSystemErrorName } from 'node:util'

/** Why Linux refused. Closed: every consumer may switch over it. */
export type LinuxErrorCode =
  | 'unsupported' // this kernel or machine cannot do it
  | 'forbidden' // the process lacks a privilege
  | 'not-found' // no such device, file or namespace
  | 'busy' // something else holds it
  | 'invalid' // a value is out of its bounds
  | 'failed' // anything else

/** What a call needs, told where it is refused. */
export interface SystemNeeds {
  /** A capability, e.g. `CAP_NET_RAW`. */
  readonly privilege?: string
  /** What the kernel must have, e.g. `TUN/TAP (CONFIG_TUN)`. */
  readonly feature?: string
}

const CODES: Readonly<Record<string, LinuxErrorCode>> = {
  EPERM: 'forbidden',
  EACCES: 'forbidden',
  ENOENT: 'not-found',
  ENODEV: 'not-found',
  ENXIO: 'not-found',
  ESRCH: 'not-found',
  EADDRNOTAVAIL: 'not-found',
  EBUSY: 'busy',
  EEXIST: 'busy',
  EADDRINUSE: 'busy',
  EBADFD: 'invalid',
  EINVAL: 'invalid',
  ERANGE: 'invalid',
  E2BIG: 'invalid',
  ENAMETOOLONG: 'invalid',
  ENOSYS: 'unsupported',
  EOPNOTSUPP: 'unsupported',
  ENOTSUP: 'unsupported',
  ENOPROTOOPT: 'unsupported',
  EPROTONOSUPPORT: 'unsupported',
  EAFNOSUPPORT: 'unsupported',
}

/** A refusal of the operating system: `code` for programs, `message` for people. */
export class LinuxError extends Error {
  override readonly name = 'LinuxError'
  readonly code: LinuxErrorCode
  /** What was attempted, e.g. `opening a raw socket on eth0`. */
  readonly attempt: string
  /** The errno's name, e.g. `EPERM`; empty where no system call failed. */
  readonly errno: string

  constructor(code: LinuxErrorCode, attempt: string, reason: string, errno = '') {
    super(`${attempt}: ${reason}`)
    this.code = code
    this.attempt = attempt
    this.errno = errno
  }

  /** The error of a system call that failed with `errno`, a positive number. */
  static ofErrno(errno: number, attempt: string, needs: SystemNeeds = {}): LinuxError {
    const name = errnoName(errno)
    const code = CODES[name] ?? 'failed'
    let reason = name
    if (code === 'forbidden' && needs.privilege !== undefined)
      reason += `; it needs root or ${needs.privilege}`
    if ((code === 'unsupported' || code === 'not-found') && needs.feature !== undefined)
      reason += `; it needs ${needs.feature}`
    return new LinuxError(code, attempt, reason, name)
  }
}

/** The name of an errno, e.g. `EPERM` for 1. */
export function errnoName(errno: number): string {
  return errno > 0 ? getSystemErrorName(-errno) : `errno ${errno}`
}

const EAGAIN = 11
const ENOBUFS = 105
const LINK_DOWN = [6, 19, 100] // ENXIO, ENODEV, ENETDOWN

/** Whether an errno means "not now": the same call may succeed soon. */
export function isTransient(errno: number): boolean {
  return errno === EAGAIN || errno === ENOBUFS
}

/** Whether an errno means that the device is down or away. */
export function isLinkDown(errno: number): boolean {
  return LINK_DOWN.includes(errno)
}
