/**
 * Requests to the kernel's network configuration (rtnetlink, RFC 3549). The one idea: a message is written field by
 * field, sent, and answered at once by an acknowledgement or a list; a refusal carries the kernel's own words.
 */
import { strict as assert } from 'node:assert'
import { checked, libc } from './libc.ts'
import { errnoName, LinuxError } from './system-error.ts'

const AF_NETLINK = 16
const SOCK_RAW_CLOSE_ON_EXEC = 3 | 0x80000
const NETLINK_ROUTE = 0
const SOL_SOCKET = 1
const SO_RECEIVE_TIMEOUT = 20
const SOL_NETLINK = 270
const CAPPED_ACKNOWLEDGEMENT = 10
const EXTENDED_ACKNOWLEDGEMENT = 11

const HEADER_BYTES = 16
const MESSAGE_ERROR = 2
const MESSAGE_DONE = 3
const FLAG_REQUEST = 0x001
const FLAG_ACKNOWLEDGE = 0x004
const FLAG_INTERRUPTED = 0x010
const FLAG_DUMP = 0x300
/** Of a new thing: it must not be there yet. */
export const FLAG_EXCLUSIVE = 0x200
/** Of a new thing: it may be made. */
export const FLAG_CREATE = 0x400

const ATTRIBUTE_NESTED = 0x8000
const ATTRIBUTE_TYPE = 0x3fff
const ERROR_MESSAGE = 1
const ROOM_BYTES = 65_536
/** The kernel answers before the request returns; whatever takes longer is broken. */
const PATIENCE_SECONDS = 5
/** A list that changes while it is told is asked for again so often. */
const DUMP_ATTEMPTS = 10

/** A request that is being written: a fixed part, then attributes. Words in the machine's (little-endian) order. */
export class NetlinkRequest {
  readonly type: number
  readonly flags: number
  #bytes = new Uint8Array(256)
  #length = HEADER_BYTES

  constructor(type: number, flags = 0) {
    this.type = type
    this.flags = flags
  }

  u8(...values: readonly number[]): this {
    return this.bytes(Uint8Array.from(values))
  }

  u32(...values: readonly number[]): this {
    return this.bytes(new Uint8Array(Uint32Array.from(values).buffer))
  }

  bytes(part: Uint8Array): this {
    this.#grow(part.length)
    this.#bytes.set(part, this.#length)
    this.#length += part.length
    return this
  }

  /** An attribute: bytes, a 32-bit number, or a text that is ended by a zero. */
  attribute(type: number, value: Uint8Array | number | string): this {
    const part =
      typeof value === 'number'
        ? new Uint8Array(Uint32Array.of(value).buffer)
        : typeof value === 'string'
          ? Buffer.from(`${value}\0`)
          : value
    const start = this.#open(type)
    this.bytes(part)
    return this.#shut(start)
  }

  /** An attribute of attributes. */
  nested(type: number, write: (request: this) => unknown): this {
    const start = this.#open(type | ATTRIBUTE_NESTED)
    write(this)
    return this.#shut(start)
  }

  /** The whole message. */
  finish(flags: number, sequence: number): Uint8Array {
    const view = new DataView(this.#bytes.buffer)
    view.setUint32(0, this.#length, true)
    view.setUint16(4, this.type, true)
    view.setUint16(6, this.flags | flags | FLAG_REQUEST, true)
    view.setUint32(8, sequence, true)
    return this.#bytes.subarray(0, this.#length)
  }

  #open(type: number): number {
    const start = this.#length
    this.bytes(new Uint8Array(4))
    new DataView(this.#bytes.buffer).setUint16(start + 2, type, true)
    return start
  }

  #shut(start: number): this {
    new DataView(this.#bytes.buffer).setUint16(start, this.#length - start, true)
    return this.bytes(new Uint8Array(-this.#length & 3))
  }

  #grow(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const larger = new Uint8Array(2 * (this.#length + more))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

/** Attributes by type; of one that comes twice, the last. Ends at the first that is not whole. */
export function readAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  while (at + 4 <= bytes.length) {
    const length = view.getUint16(at, true)
    if (length < 4 || at + length > bytes.length) break
    attributes.set(view.getUint16(at + 2, true) & ATTRIBUTE_TYPE, bytes.subarray(at + 4, at + length))
    at += (length + 3) & ~3
  }
  return attributes
}

/** A 32-bit number of an attribute, or undefined where it is not there. */
export function numberOf(attribute: Uint8Array | undefined): number | undefined {
  if (attribute === undefined || attribute.length < 4) return undefined
  return new DataView(attribute.buffer, attribute.byteOffset, 4).getUint32(0, true)
}

/** The text of an attribute without the zero at its end. */
export function textOf(attribute: Uint8Array | undefined): string | undefined {
  return attribute === undefined ? undefined : Buffer.from(attribute).toString('latin1').replace(/\0.*$/s, '')
}

/** A socket to the configuration of the network namespace in which it was opened. */
export class Netlink {
  readonly #descriptor: number
  readonly #room = new Uint8Array(ROOM_BYTES)
  #sequence = 0
  #closed = false

  /** @throws LinuxError */
  constructor() {
    const system = libc()
    const attempt = 'opening the network configuration (rtnetlink)'
    this.#descriptor = checked(system.socket(AF_NETLINK, SOCK_RAW_CLOSE_ON_EXEC, NETLINK_ROUTE), attempt)
    const on = Uint8Array.of(1, 0, 0, 0)
    // Without them errors are numbers only, and longer: no reason to fail.
    system.setsockopt(this.#descriptor, SOL_NETLINK, CAPPED_ACKNOWLEDGEMENT, on, 4)
    system.setsockopt(this.#descriptor, SOL_NETLINK, EXTENDED_ACKNOWLEDGEMENT, on, 4)
    const patience = new Uint8Array(BigInt64Array.of(BigInt(PATIENCE_SECONDS), 0n).buffer)
    system.setsockopt(this.#descriptor, SOL_SOCKET, SO_RECEIVE_TIMEOUT, patience, 16)
  }

  /** Has something done. @throws LinuxError with the kernel's words, `forbidden` without CAP_NET_ADMIN */
  ask(request: NetlinkRequest, attempt: string): void {
    const sequence = this.#send(request, FLAG_ACKNOWLEDGE, attempt)
    for (;;)
      for (const message of this.#receive(attempt))
        if (message.sequence === sequence && message.type === MESSAGE_ERROR) {
          this.#check(message.body, attempt)
          return
        }
  }

  /** One thing: the answer's body behind the header. @throws LinuxError `not-found` and others */
  get(request: NetlinkRequest, attempt: string): Uint8Array {
    const sequence = this.#send(request, 0, attempt)
    for (;;)
      for (const message of this.#receive(attempt)) {
        if (message.sequence !== sequence) continue
        if (message.type === MESSAGE_ERROR) this.#check(message.body, attempt)
        return message.body.slice()
      }
  }

  /** A list: bodies behind the header. @throws LinuxError */
  list(request: NetlinkRequest, attempt: string): Uint8Array[] {
    for (let attempts = 0; attempts < DUMP_ATTEMPTS; attempts++) {
      const bodies = this.#listOnce(request, attempt)
      if (bodies !== undefined) return bodies
    }
    throw new LinuxError('failed', attempt, 'it changes faster than it can be read')
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    libc().close(this.#descriptor)
  }

  /** Undefined where the list changed meanwhile. */
  #listOnce(request: NetlinkRequest, attempt: string): Uint8Array[] | undefined {
    const sequence = this.#send(request, FLAG_DUMP, attempt)
    const bodies: Uint8Array[] = []
    let whole = true
    for (;;)
      for (const message of this.#receive(attempt)) {
        if (message.sequence !== sequence) continue
        if ((message.flags & FLAG_INTERRUPTED) !== 0) whole = false
        if (message.type === MESSAGE_ERROR) this.#check(message.body, attempt)
        if (message.type === MESSAGE_DONE || message.type === MESSAGE_ERROR) return whole ? bodies : undefined
        bodies.push(message.body.slice())
      }
  }

  #send(request: NetlinkRequest, flags: number, attempt: string): number {
    assert(!this.#closed, 'the socket is closed')
    const sequence = ++this.#sequence
    const bytes = request.finish(flags, sequence)
    checked(libc().sendto(this.#descriptor, bytes, bytes.length, 0, null, 0), attempt)
    return sequence
  }

  #receive(attempt: string): Message[] {
    const length = libc().recvfrom(this.#descriptor, this.#room, ROOM_BYTES, 0, null, null)
    return readMessages(this.#room.subarray(0, checked(length, attempt)))
  }

  /** Body of an error message: a negative errno or 0, the refused header, attributes. */
  #check(body: Uint8Array, attempt: string): void {
    const errno = -new DataView(body.buffer, body.byteOffset, 4).getInt32(0, true)
    if (errno === 0) return
    const words = textOf(readAttributes(body.subarray(4 + HEADER_BYTES)).get(ERROR_MESSAGE))
    const plain = LinuxError.ofErrno(errno, attempt, { privilege: 'CAP_NET_ADMIN' })
    if (words === undefined || words === '') throw plain
    throw new LinuxError(plain.code, attempt, `${errnoName(errno)}, ${words}`, plain.errno)
  }
}

interface Message {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  /** A view: good until the next is received. */
  readonly body: Uint8Array
}

function readMessages(bytes: Uint8Array): Message[] {
  const messages: Message[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  while (at + HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(at, true)
    if (length < HEADER_BYTES || at + length > bytes.length) break
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      body: bytes.subarray(at + HEADER_BYTES, at + length),
    })
    at += (length + 3) & ~3
  }
  return messages
}
