/**
 * The system calls, and the only place that reaches them. The one idea: the C library is loaded when it is first
 * asked for, so that everything above can be imported where there is no Linux and no koffi, and fails with a clear
 * error only where it is used.
 *
 * Addresses are plain numbers (user space ends at 2^47 or 2^56 bytes and maps far below 2^53); what is passed by
 * address must lie in mapped memory (memory.ts). Calls that take a Uint8Array are for set-up, not for the hot path.
 * A failed call answers -1: ask `errno()` at once, before any other call.
 */
import { createRequire } from 'node:module'
import type Koffi from 'koffi'
import { LinuxError, type SystemNeeds } from './system-error.ts'

/** Called with the result of a system call that ran beside the event loop. */
export type Completion = (error: unknown, result: number) => void

/** System calls as functions; see their manual pages. Numbers are file descriptors, lengths and addresses. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number
  bind(descriptor: number, address: Uint8Array, length: number): number
  connect(descriptor: number, address: Uint8Array, length: number): number
  setsockopt(descriptor: number, level: number, option: number, value: Uint8Array, length: number): number
  /** `length` holds an int in machine order: room in `value`, then what was written. */
  getsockopt(descriptor: number, level: number, option: number, value: Uint8Array, length: Uint8Array): number
  close(descriptor: number): number
  open(path: string, flags: number, mode: number): number
  fcntl(descriptor: number, command: number, value: number): number
  eventfd(initial: number, flags: number): number
  setns(descriptor: number, kind: number): number
  ioctl(descriptor: number, request: number, argument: Uint8Array): number
  /** ioctl whose argument is a number or an address. */
  ioctlValue(descriptor: number, request: number, argument: number): number
  /** Returns the address; -1 when it fails. */
  mmap(
    address: number,
    length: number,
    protection: number,
    flags: number,
    descriptor: number,
    offset: number,
  ): number
  munmap(address: number, length: number): number
  /** `descriptors` is the address of struct pollfd[count]; the timeout is in milliseconds, -1 for none. */
  poll(descriptors: number, count: number, timeoutMs: number): number
  /** ppoll beside the event loop; `timeout` is the address of a struct timespec, 0 for none. */
  ppollBeside(descriptors: number, count: number, timeout: number, signals: number, done: Completion): void
  read(descriptor: number, address: number, length: number): number
  write(descriptor: number, address: number, length: number): number
  readBytes(descriptor: number, into: Uint8Array, length: number): number
  writeBytes(descriptor: number, bytes: Uint8Array, length: number): number
  /** `address` is the peer's or null. */
  sendto(
    descriptor: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array | null,
    addressLength: number,
  ): number
  /** `address` and `addressLength` (an int in machine order) take the sender's address; null for none. */
  recvfrom(
    descriptor: number,
    into: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array | null,
    addressLength: Uint8Array | null,
  ): number
  /** `message` is the address of a struct msghdr. */
  sendmsg(descriptor: number, message: number, flags: number): number
  recvmsg(descriptor: number, message: number, flags: number): number
  /** `messages` is the address of struct mmsghdr[count]. Returns how many were sent. */
  sendmmsg(descriptor: number, messages: number, count: number, flags: number): number
  /** The raw system call, for those that the C library does not wrap. */
  syscall(number: number, a: number, b: number, c: number, d: number, e: number, f: number): number
  /** bpf(2): `attributes` is the address of a union bpf_attr of `size` bytes. */
  bpf(command: number, attributes: number, size: number): number
  /** The errno of the last call that failed on this thread. */
  errno(): number
  /** Memory at an address as an ArrayBuffer; it must stay mapped as long as any view of it is in use. */
  view(address: number, length: number): ArrayBuffer
}

/** Number of bpf(2), by processor. */
const BPF_CALL: Readonly<Record<string, number>> = { x64: 321, arm64: 280, riscv64: 280, loong64: 280 }

let loaded: Libc | undefined

/** The C library. @throws LinuxError `unsupported` where there is no Linux, no koffi or no glibc */
export function libc(): Libc {
  loaded ??= load()
  return loaded
}

/** Passes on the result of a call, or throws what its errno says. @throws LinuxError */
export function checked(result: number, attempt: string, needs?: SystemNeeds): number {
  if (result >= 0) return result
  throw LinuxError.ofErrno(libc().errno(), attempt, needs)
}

function load(): Libc {
  if (process.platform !== 'linux')
    throw new LinuxError('unsupported', 'using real ports', `this is ${process.platform}, not Linux`)
  const koffi = loadKoffi()
  const library = openLibrary(koffi)
  // The names of parameters and results are koffi's own; the interface above says the same in TypeScript.
  const bind = <F>(name: string, result: string, ...parameters: string[]): F =>
    library.func(name, result, parameters) as unknown as F
  const syscall = bind<Libc['syscall']>('syscall', 'int64_t', ...Array<string>(7).fill('int64_t'))
  const bpfCall = BPF_CALL[process.arch] ?? 280
  const ppoll = library.func('ppoll', 'int', ['int64_t', 'int64_t', 'int64_t', 'int64_t'])
  return {
    socket: bind('socket', 'int', 'int', 'int', 'int'),
    bind: bind('bind', 'int', 'int', 'void *', 'int'),
    connect: bind('connect', 'int', 'int', 'void *', 'int'),
    setsockopt: bind('setsockopt', 'int', 'int', 'int', 'int', 'void *', 'int'),
    getsockopt: bind('getsockopt', 'int', 'int', 'int', 'int', 'void *', 'void *'),
    close: bind('close', 'int', 'int'),
    open: bind('open', 'int', 'const char *', 'int', 'int'),
    fcntl: bind('fcntl', 'int', 'int', 'int', 'int64_t'),
    eventfd: bind('eventfd', 'int', 'uint', 'int'),
    setns: bind('setns', 'int', 'int', 'int'),
    ioctl: bind('ioctl', 'int', 'int', 'uint64_t', 'void *'),
    ioctlValue: bind('ioctl', 'int', 'int', 'uint64_t', 'int64_t'),
    mmap: bind('mmap', 'int64_t', 'int64_t', 'int64_t', 'int', 'int', 'int', 'int64_t'),
    munmap: bind('munmap', 'int', 'int64_t', 'int64_t'),
    poll: bind('poll', 'int', 'int64_t', 'int64_t', 'int'),
    ppollBeside: ppoll.async as unknown as Libc['ppollBeside'],
    read: bind('read', 'int64_t', 'int', 'int64_t', 'int64_t'),
    write: bind('write', 'int64_t', 'int', 'int64_t', 'int64_t'),
    readBytes: bind('read', 'int64_t', 'int', 'void *', 'int64_t'),
    writeBytes: bind('write', 'int64_t', 'int', 'void *', 'int64_t'),
    sendto: bind('sendto', 'int64_t', 'int', 'void *', 'int64_t', 'int', 'void *', 'int'),
    recvfrom: bind('recvfrom', 'int64_t', 'int', 'void *', 'int64_t', 'int', 'void *', 'void *'),
    sendmsg: bind('sendmsg', 'int64_t', 'int', 'int64_t', 'int'),
    recvmsg: bind('recvmsg', 'int64_t', 'int', 'int64_t', 'int'),
    sendmmsg: bind('sendmmsg', 'int', 'int', 'int64_t', 'int', 'int'),
    syscall,
    bpf: (command, attributes, size) => syscall(bpfCall, command, attributes, size, 0, 0, 0),
    errno: () => koffi.errno(),
    view: (address, length) => koffi.view(BigInt(address), length),
  }
}

function loadKoffi(): typeof Koffi {
  try {
    return createRequire(import.meta.url)('koffi') as typeof Koffi
  } catch (error) {
    throw new LinuxError('unsupported', 'using real ports', `koffi does not load here (${String(error)})`)
  }
}

function openLibrary(koffi: typeof Koffi): ReturnType<typeof Koffi.load> {
  try {
    return koffi.load('libc.so.6')
  } catch (error) {
    throw new LinuxError('unsupported', 'using real ports', `the GNU C library is missing (${String(error)})`)
  }
}
