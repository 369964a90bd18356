/**
 * Messages between hosts and routers (R-SLR-17), one to a UDP datagram: a header of eight bytes (`PR`, version, type,
 * length of the whole, zero) and fields. The one idea: a message has exactly the fields of its type in exactly their
 * order, so that the same message is the same bytes, and whoever parsed one asks nothing again.
 *
 * Guarantees: parsing never throws, reads nothing beyond the datagram and keeps no view of it; a message is at most
 * MAX_MESSAGE_BYTES long. A message of a signed type ends with a signature over everything before it; whether it is
 * right is for those who know the key.
 */
import { read16, write16 } from '../wire/byte-order.ts'
import {
  emitFieldHeader,
  FIELD_HEADER_BYTES,
  FIELDS,
  type FieldName,
  type FieldValues,
  OPTIONAL_FIELDS,
  SIGNATURE_BYTES,
  SIGNATURE_FIELD,
  valueBytes,
} from './fields.ts'

export * from './fields.ts'

/** Where routers listen, unless their configuration says otherwise. */
export const SIGNALING_PORT = 4754
/** What signatures are made for: the name of this protocol. */
export const SIGNALING_PROTOCOL = 'host-signaling/1'
/** Fits into a frame of every router's slab with its headers. */
export const MAX_MESSAGE_BYTES = 1800
export const MESSAGE_HEADER_BYTES = 8
const VERSION = 1
const MAGIC = 0x5052
const SIGNATURE_FIELD_BYTES = FIELD_HEADER_BYTES + SIGNATURE_BYTES

/** Type number, fields in order, and whether it is signed. */
const FORMS = {
  /** Host: is a router there? The cookie is zero: what comes back is no longer than what was sent. */
  hello: { number: 1, fields: ['nonce', 'cookie'], isSigned: false },
  /** Router: prove that you can hear me. */
  challenge: { number: 2, fields: ['nonce', 'cookie'], isSigned: false },
  /** Host: who I am and what I serve. */
  introduction: {
    number: 3,
    fields: ['nonce', 'cookie', 'router', 'address', 'intervalMs', 'virtualHosts', 'certificates'],
    isSigned: true,
  },
  /** Router: taken in; report this often. */
  welcome: { number: 4, fields: ['nonce', 'session', 'intervalMs'], isSigned: false },
  /** Host: how I am. */
  state: { number: 5, fields: ['session', 'sequence', 'state', 'connections', 'services'], isSigned: true },
  /** Router: heard. */
  ack: { number: 6, fields: ['session', 'sequence'], isSigned: false },
  /** Host: I leave. */
  bye: { number: 7, fields: ['session', 'sequence'], isSigned: true },
  /** Router: I do not know this session; say hello again. */
  restart: { number: 8, fields: ['session'], isSigned: false },
  /** Router: not taken in. */
  refused: { number: 9, fields: ['nonce', 'refusal'], isSigned: false },
} as const satisfies Record<
  string,
  { readonly number: number; readonly fields: readonly FieldName[]; readonly isSigned: boolean }
>

export type MessageType = keyof typeof FORMS
type Fields<Type extends MessageType> = Pick<FieldValues, (typeof FORMS)[Type]['fields'][number]>

/** A message of one type. Addresses are unsigned; arrays are copies. */
export type MessageOf<Type extends MessageType> = { readonly type: Type } & Fields<Type>
export type Message = { [Type in MessageType]: MessageOf<Type> }[MessageType]
type SignedType = {
  [Type in MessageType]: (typeof FORMS)[Type]['isSigned'] extends true ? Type : never
}[MessageType]
/** Messages that their sender signs. */
export type SignedMessage = { [Type in SignedType]: MessageOf<Type> }[SignedType]
/** Messages that nobody signs. */
export type PlainMessage = Exclude<Message, SignedMessage>

/** A message as it came. */
export interface ParsedMessage {
  readonly message: Message
  /** Of signed types: the bytes that the signature is over, and the signature. Empty for others. */
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

const NOTHING = new Uint8Array(0)
const TYPES = Object.keys(FORMS) as MessageType[]
const TYPE_OF = new Map<number, MessageType>(TYPES.map((type) => [FORMS[type].number, type]))

/** The message of a datagram's payload, attacker-controlled; undefined when it is none. */
export function parseMessage(bytes: Uint8Array): ParsedMessage | undefined {
  const { length } = bytes
  if (length < MESSAGE_HEADER_BYTES || length > MAX_MESSAGE_BYTES) return undefined
  const type = TYPE_OF.get(bytes[3]!)
  const isHeader = read16(bytes, 0) === MAGIC && bytes[2] === VERSION && read16(bytes, 4) === length
  if (!isHeader || read16(bytes, 6) !== 0 || type === undefined) return undefined
  const { fields, isSigned } = FORMS[type]
  const end = isSigned ? length - SIGNATURE_FIELD_BYTES : length
  if (isSigned && !isSignatureAt(bytes, end)) return undefined
  const values = parseFields(bytes, end, fields)
  if (values === undefined) return undefined
  return {
    message: { type, ...values } as Message,
    signed: isSigned ? bytes.slice(0, end) : NOTHING,
    signature: isSigned ? bytes.slice(end + FIELD_HEADER_BYTES) : NOTHING,
  }
}

function isSignatureAt(bytes: Uint8Array, at: number): boolean {
  return (
    at >= MESSAGE_HEADER_BYTES &&
    read16(bytes, at) === SIGNATURE_FIELD &&
    read16(bytes, at + 2) === SIGNATURE_BYTES
  )
}

/** The values of exactly these fields in exactly this order, others of the optional kind passed over. */
function parseFields(
  bytes: Uint8Array,
  end: number,
  names: readonly FieldName[],
): Record<string, unknown> | undefined {
  const found: unknown[][] = names.map(() => [])
  let place = 0
  for (let at = MESSAGE_HEADER_BYTES; at < end; ) {
    const length = valueBytes(bytes, at, end)
    if (length < 0) return undefined
    const number = read16(bytes, at)
    const value = at + FIELD_HEADER_BYTES
    at = value + length
    if (number >= OPTIONAL_FIELDS) continue
    while (place < names.length && FIELDS[names[place]!].number !== number) place++
    if (place === names.length) return undefined
    const { codec, most = 1 } = FIELDS[names[place]!]
    const isSize = codec.varies === true ? length <= codec.bytes : length === codec.bytes
    if (!isSize || found[place]!.length === most) return undefined
    const read: unknown = codec.read(bytes, value, length)
    if (read === undefined) return undefined
    found[place]!.push(read)
  }
  return gather(names, found)
}

/** One value for each single field, a list for each repeated one; undefined when a single one is missing. */
function gather(
  names: readonly FieldName[],
  found: readonly unknown[][],
): Record<string, unknown> | undefined {
  const values: Record<string, unknown> = {}
  for (const [place, name] of names.entries()) {
    const isList = FIELDS[name].most !== undefined
    if (!isList && found[place]!.length === 0) return undefined
    values[name] = isList ? found[place] : found[place]![0]
  }
  return values
}

/** The bytes of a message that nobody signs. @throws RangeError when a value does not fit; always the caller's bug */
export function emitMessage(message: PlainMessage): Uint8Array {
  const scratch = new Uint8Array(MAX_MESSAGE_BYTES)
  const end = emitFields(scratch, message)
  emitHeader(scratch, message.type, end)
  return scratch.slice(0, end)
}

/**
 * The bytes of a signed message.
 * @param sign makes the signature of SIGNATURE_BYTES over the bytes that it is given
 * @throws RangeError when the message would be longer than MAX_MESSAGE_BYTES or a value does not fit
 */
export function emitSignedMessage(
  message: SignedMessage,
  sign: (bytes: Uint8Array) => Uint8Array,
): Uint8Array {
  const scratch = new Uint8Array(MAX_MESSAGE_BYTES)
  const end = emitFields(scratch, message)
  const length = end + SIGNATURE_FIELD_BYTES
  if (length > MAX_MESSAGE_BYTES)
    throw new RangeError(`a message of ${length} bytes, at most ${MAX_MESSAGE_BYTES} fit`)
  emitHeader(scratch, message.type, length)
  const signature = sign(scratch.slice(0, end))
  if (signature.length !== SIGNATURE_BYTES) throw new RangeError(`a signature of ${signature.length} bytes`)
  scratch.set(signature, emitFieldHeader(scratch, end, SIGNATURE_FIELD, SIGNATURE_BYTES))
  return scratch.slice(0, length)
}

function emitHeader(bytes: Uint8Array, type: MessageType, length: number): void {
  write16(bytes, 0, MAGIC)
  bytes[2] = VERSION
  bytes[3] = FORMS[type].number
  write16(bytes, 4, length)
  write16(bytes, 6, 0)
}

/** Writes all fields. Returns where they end. */
function emitFields(bytes: Uint8Array, message: Message): number {
  const values = message as unknown as Readonly<Record<FieldName, unknown>>
  let at = MESSAGE_HEADER_BYTES
  for (const name of FORMS[message.type].fields) {
    const { number, codec, most } = FIELDS[name]
    const list = most === undefined ? [values[name]] : (values[name] as readonly unknown[])
    if (list.length > (most ?? 1)) throw new RangeError(`${list.length} ${name}, at most ${most}`)
    for (const value of list) {
      const length = codec.varies === true ? (value as Uint8Array).length : codec.bytes
      const next = at + FIELD_HEADER_BYTES + length
      if (next > MAX_MESSAGE_BYTES || length > codec.bytes) throw new RangeError(`${name} does not fit`)
      codec.write(bytes, emitFieldHeader(bytes, at, number, length), value as never)
      at = next
    }
  }
  return at
}
