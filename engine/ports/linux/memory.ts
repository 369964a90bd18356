/**
 * Memory with a fixed address. The one idea: structures that the kernel follows by pointer (struct msghdr, pollfd,
 * bpf_attr) must not move, and memory of JavaScript may; so they live in an anonymous mapping that is seen both as
 * numbers (addresses) and as typed arrays.
 */
import { checked, libc } from './libc.ts'

const PROT_READ_WRITE = 3
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_ANONYMOUS = 0x20
const PAGE_BYTES = 4096

/** A mapping of whole pages, all zero at first. */
export class Memory {
  /** Address of the first byte; 0 after `close`. */
  address: number
  readonly length: number
  /** The same memory as bytes and words in machine order; empty after `close`. */
  bytes: Uint8Array
  words: Int32Array
  view: DataView
  #reserved = 0

  /**
   * @param descriptor whose memory it is, shared with the kernel; none: memory of its own
   * @throws LinuxError when the system has no memory left
   */
  constructor(length: number, descriptor = -1) {
    this.length = Math.ceil(Math.max(1, length) / PAGE_BYTES) * PAGE_BYTES
    const flags = descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED
    const address = libc().mmap(0, this.length, PROT_READ_WRITE, flags, descriptor, 0)
    this.address = checked(address, `mapping ${this.length} bytes of memory`)
    const buffer = libc().view(this.address, this.length)
    this.bytes = new Uint8Array(buffer)
    this.words = new Int32Array(buffer)
    this.view = new DataView(buffer)
  }

  /** Takes `length` bytes, aligned to 16, and returns their offset. @throws RangeError when the mapping is full */
  reserve(length: number): number {
    const offset = this.#reserved
    const end = offset + ((length + 15) & ~15)
    if (end > this.length)
      throw new RangeError(`${length} bytes do not fit behind ${offset} of ${this.length}`)
    this.#reserved = end
    return offset
  }

  /** Writes a pointer: 64 bits in machine order. */
  writePointer(offset: number, address: number): void {
    this.view.setBigUint64(offset, BigInt(address), true)
  }

  /** Unmaps. Idempotent. Views taken from it before must not be used any more: that would end the process. */
  close(): void {
    if (this.address === 0) return
    const { address, length } = this
    this.address = 0
    this.bytes = new Uint8Array(0)
    this.words = new Int32Array(0)
    this.view = new DataView(new ArrayBuffer(0))
    libc().munmap(address, length)
  }
}
