/**
 * A canonical ustar archive (POSIX.1-1988): the one idea is that a header follows from name and size alone (mode
 * 0644, owner 0, time 0, regular file), so that reading is comparing: a header that is not the one we would have
 * written is refused, and with it every trick with links, paths, owners, times, extensions and padding.
 */
import { BundleError } from './errors.ts'

/** One file of an archive. */
export interface ArchiveEntry {
  /** At most 100 ASCII characters. */
  readonly name: string
  readonly content: Uint8Array
}

/** A file that was found, and the byte at which its header begins. */
export interface FoundEntry extends ArchiveEntry {
  readonly offset: number
}

/** A file that an archive may hold. Its place in the list is its place in the archive. */
export interface ExpectedEntry {
  readonly name: string
  readonly maxBytes: number
  readonly optional: boolean
}

const BLOCK = 512
/** Two blocks of zeros end an archive. */
const END = 2 * BLOCK

/** Fields of a header: name, offset, length. */
const FIELDS = [
  ['name', 0, 100],
  ['mode', 100, 8],
  ['uid', 108, 8],
  ['gid', 116, 8],
  ['size', 124, 12],
  ['mtime', 136, 12],
  ['checksum', 148, 8],
  ['type', 156, 1],
  ['link name', 157, 100],
  ['magic', 257, 6],
  ['version', 263, 2],
  ['user', 265, 32],
  ['group', 297, 32],
  ['device', 329, 16],
  ['prefix', 345, 155],
  ['padding', 500, 12],
] as const

const TYPES: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a device',
  '4': 'a device',
  '5': 'a folder',
  '6': 'a pipe',
  g: 'a pax header',
  x: 'a pax header',
  K: 'a long link name',
  L: 'a long name',
}

/** Length of a file in the archive with its padding. */
const padded = (length: number): number => Math.ceil(length / BLOCK) * BLOCK

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** The archive of these files, in this order. Same files, same bytes. */
export function writeArchive(entries: readonly ArchiveEntry[]): Uint8Array {
  return Buffer.concat([writeEntries(entries), new Uint8Array(END)])
}

/** The same without the end. */
export function writeEntries(entries: readonly ArchiveEntry[]): Uint8Array {
  return Buffer.concat(
    entries.flatMap(({ name, content }) => [
      writeHeader(name, content.length),
      content,
      new Uint8Array(padded(content.length) - content.length),
    ]),
  )
}

function writeHeader(name: string, size: number): Uint8Array {
  const header = Buffer.alloc(BLOCK)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  header.write(name, 0, 'latin1')
  header.write(`${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100, 'latin1')
  header.write(`${octal(size, 11)}\0${octal(0, 11)}\0`, 124, 'latin1')
  header.write('0', 156, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  header.write(`${octal(0, 7)}\0${octal(0, 7)}\0`, 329, 'latin1')
  header.write(`${octal(checksumOf(header), 6)}\0 `, 148, 'latin1')
  return header
}

/** Sum of all bytes, the checksum's own eight taken as spaces. */
function checksumOf(header: Uint8Array): number {
  return header.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0)
}

/**
 * The files of an archive that holds exactly the expected ones, in their order.
 * @param bytes attacker-controlled; the contents are views of it
 * @throws BundleError
 */
export function readArchive(bytes: Uint8Array, expected: readonly ExpectedEntry[]): readonly FoundEntry[] {
  const found: FoundEntry[] = []
  let offset = 0
  while (!isEnd(bytes, offset, found.length)) {
    const entry = readEntry(bytes, offset, expected, found)
    found.push(entry)
    offset += BLOCK + padded(entry.content.length)
  }
  const missing = expected.find((each) => !each.optional && !found.some((one) => one.name === each.name))
  if (missing !== undefined) throw new BundleError('missing-entry', 'is missing', missing.name)
  if (bytes.length < offset + END) throw new BundleError('truncated', 'ends within its end', `byte ${offset}`)
  if (bytes.length > offset + END || !isZero(bytes.subarray(offset)))
    throw new BundleError('trailing', 'something follows the end', `byte ${offset + END}`)
  return found
}

/** Whether no header follows. An empty text, or one that stops between two entries, is cut off. */
function isEnd(bytes: Uint8Array, offset: number, count: number): boolean {
  if (bytes.length < offset + BLOCK)
    throw new BundleError(
      'truncated',
      count === 0 ? 'too short for a bundle' : 'ends without an end',
      `byte ${offset}`,
    )
  return isZero(bytes.subarray(offset, offset + BLOCK))
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

function readEntry(
  bytes: Uint8Array,
  offset: number,
  expected: readonly ExpectedEntry[],
  before: readonly FoundEntry[],
): FoundEntry {
  const header = bytes.subarray(offset, offset + BLOCK)
  const { name, maxBytes } = expectedEntry(header, offset, expected, before)
  const size = readSize(header, name)
  if (size > maxBytes) throw new BundleError('limit', `${size} bytes, expected at most ${maxBytes}`, name)
  checkCanonical(header, writeHeader(name, size), name)
  const start = offset + BLOCK
  if (bytes.length < start + padded(size)) throw new BundleError('truncated', 'ends within this entry', name)
  if (!isZero(bytes.subarray(start + size, start + padded(size))))
    throw new BundleError('not-canonical', 'its padding is not zero', name)
  return { name, content: bytes.subarray(start, start + size), offset }
}

/** The expected entry that a header names, if it is its turn. */
function expectedEntry(
  header: Uint8Array,
  offset: number,
  expected: readonly ExpectedEntry[],
  before: readonly FoundEntry[],
): ExpectedEntry {
  const place = `byte ${offset}`
  const sum = Number.parseInt(latin1(header.subarray(148, 154)), 8)
  if (sum !== checksumOf(header))
    throw new BundleError('checksum', 'no header of an archive, or a damaged one', place)
  const name = nameOf(header)
  const type = String.fromCharCode(header[156]!)
  if (type !== '0')
    throw new BundleError('not-a-file', `${show(name)} is ${TYPES[type] ?? 'no plain file'}`, place)
  const turn = expected.findIndex((each) => each.name === name)
  if (turn < 0) {
    const names = expected.map((each) => each.name).join(', ')
    throw new BundleError('unexpected-entry', `${show(name)} does not belong here, expected ${names}`, place)
  }
  if (before.some((each) => each.name === name)) throw new BundleError('duplicate', 'is given twice', name)
  const later = before.find((each) => expected.findIndex((one) => one.name === each.name) > turn)
  if (later !== undefined) throw new BundleError('order', `stands after ${later.name}`, name)
  return expected[turn]!
}

/** The whole path, prefix included. */
function nameOf(header: Uint8Array): string {
  const text = (start: number, end: number) => latin1(header.subarray(start, end)).split('\0')[0]!
  const prefix = text(345, 500)
  return prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`
}

function readSize(header: Uint8Array, name: string): number {
  const text = latin1(header.subarray(124, 136))
  if (!/^[0-7]{11}\0$/.test(text))
    throw new BundleError('not-canonical', 'its size is not written as expected', name)
  return Number.parseInt(text, 8)
}

function checkCanonical(header: Uint8Array, canonical: Uint8Array, name: string): void {
  if (Buffer.compare(header, canonical) === 0) return
  const differs = ([, start, length]: (typeof FIELDS)[number]) =>
    Buffer.compare(header.subarray(start, start + length), canonical.subarray(start, start + length)) !== 0
  const fields = FIELDS.filter((field) => field[0] !== 'checksum' && differs(field)).map(([field]) => field)
  const what = fields.length === 0 ? 'checksum' : fields.join(', ')
  throw new BundleError('not-canonical', `its ${what} is not the one a bundle has`, name)
}

/** A name from outside as a message shows it. */
function show(name: string): string {
  const text = JSON.stringify(name.replace(/[^\x20-\x7e]/g, '?'))
  return text.length <= 80 ? text : `${text.slice(0, 80)}...`
}
