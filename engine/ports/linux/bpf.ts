/**
 * Programs and maps of eBPF in the kernel (bpf(2)). The one idea: a thing in the kernel is a file descriptor with a
 * few verbs; it lives as long as a descriptor or something that it is attached to. What the verifier says against a
 * program is in the error.
 */
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { checked, libc } from './libc.ts'
import { Memory } from './memory.ts'
import { LinuxError } from './system-error.ts'

const MAP_CREATE = 0
const MAP_LOOKUP = 1
const MAP_UPDATE = 2
const MAP_DELETE = 3
const PROGRAM_LOAD = 5
const PROGRAM_TEST_RUN = 10
const PROGRAM_TYPE_TRAFFIC_CONTROL = 3
const MAP_TYPES = { array: 2, 'per-processor array': 6, 'longest prefix': 11 } as const
const NO_PREALLOCATION = 1

const ATTRIBUTE_BYTES = 160
const NAME_BYTES = 15
const INSTRUCTION_BYTES = 8
const LOG_BYTES = 1 << 20
/** Lines of the verifier's log that an error shows: the last ones say why. */
const LOG_LINES = 12
/** Of our programs; no helper that they call asks for another. */
const LICENSE = 'Apache-2.0\0'
const LARGEST_TEST_FRAME = 65_536
const NEEDS = { privilege: 'CAP_BPF and CAP_NET_ADMIN', feature: 'eBPF (CONFIG_BPF_SYSCALL)' }

export interface BpfMapRequest {
  readonly kind: keyof typeof MAP_TYPES
  /** At most 15 letters, digits and underscores. */
  readonly name: string
  readonly keyBytes: number
  readonly valueBytes: number
  readonly maxEntries: number
}

/** Runs one command; the attributes are written by `fill` behind each other in memory that is zero at first. */
function command(number: number, size: number, memory: Memory, attempt: string): number {
  return checked(libc().bpf(number, memory.address, size), attempt, NEEDS)
}

/** Writes a name at most 15 characters long. */
function writeName(memory: Memory, offset: number, name: string): void {
  assert(/^\w{1,15}$/.test(name), `${name}: not a name for something in the kernel`)
  for (let index = 0; index < Math.min(name.length, NAME_BYTES); index++)
    memory.bytes[offset + index] = name.charCodeAt(index)
}

/** A map: keys and values of fixed size. Keys and values are in the machine's byte order unless the program says. */
export class BpfMap {
  readonly descriptor: number
  readonly keyBytes: number
  /** Bytes of a value as seen from here: of all processors together. */
  readonly valueBytes: number
  readonly #memory: Memory
  readonly #key: number
  readonly #value: number
  readonly #name: string

  /** @throws LinuxError `forbidden`, `unsupported`, `invalid` */
  constructor({ kind, name, keyBytes, valueBytes, maxEntries }: BpfMapRequest) {
    const perProcessor = kind === 'per-processor array'
    this.#name = name
    this.keyBytes = keyBytes
    this.valueBytes = perProcessor ? ((valueBytes + 7) & ~7) * possibleProcessors() : valueBytes
    this.#memory = new Memory(ATTRIBUTE_BYTES + keyBytes + this.valueBytes + 64)
    const attributes = this.#memory.reserve(ATTRIBUTE_BYTES)
    this.#key = this.#memory.reserve(keyBytes)
    this.#value = this.#memory.reserve(this.valueBytes)
    const { view } = this.#memory
    view.setUint32(attributes, MAP_TYPES[kind], true)
    view.setUint32(4, keyBytes, true)
    view.setUint32(8, valueBytes, true)
    view.setUint32(12, maxEntries, true)
    view.setUint32(16, kind === 'longest prefix' ? NO_PREALLOCATION : 0, true)
    writeName(this.#memory, 28, name)
    try {
      this.descriptor = command(MAP_CREATE, 72, this.#memory, `making the map ${name}`)
    } catch (error) {
      this.#memory.close()
      throw error
    }
  }

  /** @throws LinuxError, such as when the map is full */
  set(key: Uint8Array, value: Uint8Array): void {
    assert(value.length === this.valueBytes)
    this.#prepare(key)
    this.#memory.bytes.set(value, this.#value)
    this.#pointToValue()
    command(MAP_UPDATE, 32, this.#memory, `writing to the map ${this.#name}`)
  }

  /** The value of a key, a copy, or undefined where there is none. @throws LinuxError */
  get(key: Uint8Array): Uint8Array | undefined {
    this.#prepare(key)
    this.#pointToValue()
    return this.#found(MAP_LOOKUP, 'reading')
      ? this.#memory.bytes.slice(this.#value, this.#value + this.valueBytes)
      : undefined
  }

  /** Whether there was such a key. @throws LinuxError */
  delete(key: Uint8Array): boolean {
    this.#prepare(key)
    return this.#found(MAP_DELETE, 'deleting from')
  }

  /** Idempotent. A program that uses the map keeps it. */
  close(): void {
    if (this.#memory.address === 0) return
    this.#memory.close()
    libc().close(this.descriptor)
  }

  #found(number: number, verb: string): boolean {
    try {
      command(number, 32, this.#memory, `${verb} the map ${this.#name}`)
      return true
    } catch (error) {
      if (error instanceof LinuxError && error.errno === 'ENOENT') return false
      throw error
    }
  }

  /** Only for commands that have a value: the kernel wants fields that mean nothing to be zero. */
  #pointToValue(): void {
    this.#memory.writePointer(16, this.#memory.address + this.#value)
  }

  #prepare(key: Uint8Array): void {
    assert(key.length === this.keyBytes)
    const memory = this.#memory
    memory.bytes.fill(0, 0, ATTRIBUTE_BYTES)
    memory.view.setUint32(0, this.descriptor, true)
    memory.writePointer(8, memory.address + this.#key)
    memory.bytes.set(key, this.#key)
  }
}

/** How many processors the machine may ever have: that many values has each entry of a map per processor. */
function possibleProcessors(): number {
  const text = readFileSync('/sys/devices/system/cpu/possible', 'latin1')
  const counts = text.split(',').map((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number)
    return last - first + 1
  })
  const count = counts.reduce((sum, each) => sum + each, 0)
  assert(count > 0, `processors: ${text}`)
  return count
}

/** What a program answered to a frame in a test. */
export interface BpfTestResult {
  /** The program's R0. */
  readonly answer: number
  /** The frame as it left it. */
  readonly frame: Uint8Array
}

/** A program of the traffic control kind (direct action), accepted by the verifier. */
export class BpfProgram {
  readonly descriptor: number
  readonly name: string

  /**
   * @param code as BpfAssembler emits it
   * @throws LinuxError `forbidden`, `unsupported`; `invalid` with the end of the verifier's log
   */
  constructor(name: string, code: Uint8Array) {
    this.name = name
    const memory = new Memory(ATTRIBUTE_BYTES + code.length + LOG_BYTES + 64)
    try {
      this.descriptor = load(name, code, memory)
    } finally {
      memory.close()
    }
  }

  /** Runs the program on a frame of 14 bytes at least, as if it had come in. @throws LinuxError */
  test(frame: Uint8Array): BpfTestResult {
    const memory = new Memory(ATTRIBUTE_BYTES + frame.length + LARGEST_TEST_FRAME + 64)
    try {
      memory.reserve(ATTRIBUTE_BYTES)
      const input = memory.reserve(frame.length)
      const output = memory.reserve(LARGEST_TEST_FRAME)
      const { bytes, view, address } = memory
      bytes.set(frame, input)
      view.setUint32(0, this.descriptor, true)
      view.setUint32(8, frame.length, true)
      view.setUint32(12, LARGEST_TEST_FRAME, true)
      memory.writePointer(16, address + input)
      memory.writePointer(24, address + output)
      view.setUint32(32, 1, true)
      command(PROGRAM_TEST_RUN, 80, memory, `testing the program ${this.name}`)
      const length = view.getUint32(12, true)
      return { answer: view.getUint32(4, true), frame: bytes.slice(output, output + length) }
    } finally {
      memory.close()
    }
  }

  /** A program that is attached stays. */
  close(): void {
    libc().close(this.descriptor)
  }
}

function load(name: string, code: Uint8Array, memory: Memory): number {
  memory.reserve(ATTRIBUTE_BYTES)
  const program = memory.reserve(code.length)
  const license = memory.reserve(LICENSE.length)
  const log = memory.reserve(LOG_BYTES)
  const { bytes, view, address } = memory
  bytes.set(code, program)
  bytes.set(Buffer.from(LICENSE), license)
  view.setUint32(0, PROGRAM_TYPE_TRAFFIC_CONTROL, true)
  view.setUint32(4, code.length / INSTRUCTION_BYTES, true)
  memory.writePointer(8, address + program)
  memory.writePointer(16, address + license)
  writeName(memory, 48, name)
  const attempt = `loading the program ${name}`
  const descriptor = libc().bpf(PROGRAM_LOAD, address, 144)
  if (descriptor >= 0) return descriptor
  const errno = libc().errno()
  // Once more with a log: the log costs, and most programs load.
  view.setUint32(24, 1, true)
  view.setUint32(28, LOG_BYTES, true)
  memory.writePointer(32, address + log)
  const second = libc().bpf(PROGRAM_LOAD, address, 144)
  if (second >= 0) return second
  const text = Buffer.from(bytes.subarray(log, log + LOG_BYTES)).toString('latin1')
  const lines = text.slice(0, text.indexOf('\0')).trim().split('\n')
  if (lines.join('') === '') throw LinuxError.ofErrno(errno, attempt, NEEDS)
  throw new LinuxError('invalid', attempt, `the verifier says:\n${lines.slice(-LOG_LINES).join('\n')}`)
}
