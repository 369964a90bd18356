/**
 * A sign that a process lives. The one idea: an abstract socket name (unix(7)) belongs to one process of a network
 * namespace at a time and goes with it, however it ends; so a thing in the kernel that outlives its maker, and bears
 * such a name, can be told from one that is in use.
 */
import { checked, libc } from './libc.ts'
import { LinuxError } from './system-error.ts'

const AF_UNIX = 1
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000
const ATTEMPT = 'making a sign of life'

export class LifeMark {
  #descriptor: number

  /**
   * @param name at most 100 ASCII characters
   * @throws LinuxError `busy` while a process of this network namespace has this name
   */
  constructor(name: string) {
    // A name that begins with a zero lies in no folder.
    const address = Uint8Array.of(AF_UNIX, 0, 0, ...Buffer.from(name, 'latin1'))
    this.#descriptor = checked(libc().socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0), ATTEMPT)
    try {
      checked(libc().bind(this.#descriptor, address, address.length), ATTEMPT)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Whether a living process of this network namespace has this name. @throws LinuxError */
  static isSeen(name: string): boolean {
    try {
      new LifeMark(name).close()
      return false
    } catch (error) {
      if (error instanceof LinuxError && error.code === 'busy') return true
      throw error
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#descriptor >= 0) libc().close(this.#descriptor)
    this.#descriptor = -1
  }
}
