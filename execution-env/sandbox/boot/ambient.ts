/**
 * The first part of the boot of an isolate: takes away what a plugin must not have. The one idea: globals are on a
 * list of what stays, so that what a newer virtual machine adds is absent until somebody puts it there.
 *
 * Each function here is self-contained: its text runs inside the isolate.
 */

/** The generator xoshiro128** 1.1 (see engine/random.ts, whose `float` this is), from four words, not all zero. */
export function createRandom(seed: readonly number[]): () => number {
  const state = Uint32Array.from(seed)
  const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))
  const next = (): number => {
    const second = state[1]!
    const result = Math.imul(rotate(Math.imul(second, 5), 7), 9)
    state[2]! ^= state[0]!
    state[3]! ^= second
    state[1]! = second ^ state[2]!
    state[0]! ^= state[3]!
    state[2]! ^= second << 9
    state[3]! = rotate(state[3]!, 11)
    return result
  }
  return () => {
    const high = next() >>> 5
    return (high * 0x400_0000 + (next() >>> 6)) / 0x20_0000_0000_0000
  }
}

/** Removes the globals that are not on the list, and with them time, shared memory, promises and code from text. */
export function removeGlobals(world: Record<PropertyKey, unknown>): void {
  const stays = [
    ...['Object', 'Function', 'Array', 'Number', 'Boolean', 'String', 'Symbol', 'RegExp', 'JSON', 'Math'],
    ...['Error', 'AggregateError', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError'],
    ...['URIError', 'SuppressedError', 'Map', 'Set', 'WeakMap', 'WeakSet', 'Iterator', 'Reflect'],
    ...[
      'ArrayBuffer',
      'DataView',
      'Uint8Array',
      'Int8Array',
      'Uint8ClampedArray',
      'Uint16Array',
      'Int16Array',
    ],
    ...['Uint32Array', 'Int32Array', 'Float32Array', 'Float64Array', 'globalThis', 'Infinity', 'NaN'],
    ...['undefined', 'parseFloat', 'parseInt', 'isFinite', 'isNaN'],
    ...['decodeURI', 'decodeURIComponent', 'encodeURI', 'encodeURIComponent'],
  ]
  for (const key of Reflect.ownKeys(world))
    if (!stays.includes(key as string) && !Reflect.deleteProperty(world, key))
      throw new TypeError(`the global ${String(key)} cannot be removed`)
}

/**
 * Puts functions that refuse in the place of the constructors that make code from text, however they are reached,
 * and empties the prototypes of what has no place here: promises and shared memory. Call before `removeGlobals`.
 */
export function disableConstructors(world: Record<PropertyKey, unknown>): void {
  const define = (owner: object, key: PropertyKey, value: unknown): void => {
    Object.defineProperty(owner, key, { value, writable: false, enumerable: false, configurable: true })
  }
  // Only one of the four kinds of functions has a global of its own.
  const kinds = [
    Object.getPrototypeOf(() => {}),
    Object.getPrototypeOf(async () => {}),
    Object.getPrototypeOf(function* () {}),
    Object.getPrototypeOf(async function* () {}),
  ]
  for (const prototype of kinds) {
    const disabled = (): never => {
      throw new TypeError('code cannot be made from text')
    }
    disabled.prototype = prototype
    define(disabled, 'name', 'Function')
    define(prototype, 'constructor', disabled)
  }
  world['Function'] = kinds[0].constructor
  for (const key of ['caller', 'arguments']) Reflect.deleteProperty(kinds[0], key)
  for (const name of ['Promise', 'SharedArrayBuffer']) {
    const { prototype } = world[name] as { prototype: object }
    for (const key of Reflect.ownKeys(prototype)) Reflect.deleteProperty(prototype, key)
  }
}

/** Replaces or removes single functions: randomness, stacks, resizable memory, BigInt, locales, legacy. */
export function replaceAmbient(world: Record<PropertyKey, unknown>, random: () => number): void {
  const fix = (owner: object, key: PropertyKey, value: unknown): void => {
    Object.defineProperty(owner, key, { value, writable: false, enumerable: false, configurable: true })
  }
  fix(Math, 'random', random)
  fix(Error, 'stackTraceLimit', 16)
  fix(Error, 'prepareStackTrace', undefined)
  const remove = (owner: object, ...keys: string[]): void => {
    for (const key of keys) Reflect.deleteProperty(owner, key)
  }
  remove(Error, 'captureStackTrace')
  remove(Array, 'fromAsync')
  remove(ArrayBuffer.prototype, 'resize', 'transfer', 'transferToFixedLength', 'transferToImmutable')
  remove(DataView.prototype, 'getBigInt64', 'setBigInt64', 'getBigUint64', 'setBigUint64')
  remove(RegExp.prototype, 'compile')
  remove(Object.prototype, '__proto__', '__defineGetter__', '__defineSetter__')
  remove(Object.prototype, '__lookupGetter__', '__lookupSetter__')
  remove(String.prototype, 'anchor', 'big', 'blink', 'bold', 'fixed', 'fontcolor', 'fontsize', 'italics')
  remove(String.prototype, 'link', 'small', 'strike', 'sub', 'sup')

  const Native = ArrayBuffer
  const Fixed = function (this: unknown, length: unknown): object {
    return Reflect.construct(Native, [length], new.target ?? Native)
  }
  fix(Fixed, 'name', 'ArrayBuffer')
  fix(Fixed, 'isView', Native.isView)
  Fixed.prototype = Native.prototype
  Object.defineProperty(Fixed, Symbol.species, { get: () => Fixed })
  fix(Native.prototype, 'constructor', Fixed)
  world['ArrayBuffer'] = Fixed

  // Results of these depend on the machine's language.
  const plain = (owner: object, key: string, ordinary: string): void =>
    fix(owner, key, (owner as Record<string, unknown>)[ordinary])
  plain(Number.prototype, 'toLocaleString', 'toString')
  plain(Array.prototype, 'toLocaleString', 'toString')
  plain(Object.getPrototypeOf(Uint8Array.prototype), 'toLocaleString', 'toString')
  plain(String.prototype, 'toLocaleUpperCase', 'toUpperCase')
  plain(String.prototype, 'toLocaleLowerCase', 'toLowerCase')
  const { localeCompare } = {
    localeCompare(this: unknown, other: unknown): number {
      const [left, right] = [String(this), String(other)]
      return left < right ? -1 : left > right ? 1 : 0
    },
  }
  fix(String.prototype, 'localeCompare', localeCompare)
}
