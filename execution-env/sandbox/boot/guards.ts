/**
 * The second part of the boot of an isolate: bounds on the functions of the language that take long or grow without
 * looking at the clock. The one idea: a timeout ends JavaScript, not the native loop of a built-in function, so the
 * length that such a loop runs over is checked first. What still slips through, the watchdog ends.
 *
 * Each function here is self-contained: its text runs inside the isolate.
 */

type Native = (this: unknown, ...parameters: unknown[]) => unknown

/** Tools that the guards share. */
export interface GuardTools {
  /** Puts a checked method in the place of a native one. */
  readonly guard: (
    owner: object,
    key: PropertyKey,
    make: (native: Native) => (self: unknown, parameters: unknown[]) => unknown,
  ) => void
  /** Refuses a list whose length is over the limit or cannot be known without running code. */
  readonly checkList: (list: unknown, limit: number) => number
  readonly checkText: (length: number, limit?: number) => void
}

export function createGuardTools(): GuardTools {
  const TEXT_MAX = 1 << 20
  const { getOwnPropertyDescriptor, has } = Reflect
  const { isArray } = Array
  const { isView } = ArrayBuffer

  const lengthOf = (list: unknown): number => {
    if (isArray(list) || typeof list === 'string') return list.length
    if ((typeof list !== 'object' && typeof list !== 'function') || list === null || isView(list)) return 0
    const own = getOwnPropertyDescriptor(list, 'length')
    if (own === undefined) return has(list, 'length') ? Number.POSITIVE_INFINITY : 0
    if (own.value === undefined && own.get === undefined) return 0
    return typeof own.value === 'number' ? own.value : Number.POSITIVE_INFINITY
  }

  return {
    guard(owner, key, make) {
      const native = (owner as Record<PropertyKey, unknown>)[key]
      if (typeof native !== 'function') return
      const checked = make(native as Native)
      // A method, so that it cannot be constructed and has no prototype.
      const holder = {
        [key](this: unknown, ...parameters: unknown[]): unknown {
          return checked(this, parameters)
        },
      }
      Object.defineProperty(owner, key, {
        value: (holder as Record<PropertyKey, unknown>)[key],
        writable: true,
        enumerable: false,
      })
    },
    checkList(list, limit) {
      const length = lengthOf(list)
      if (length > limit) throw new RangeError(`a list of ${length} elements, expected at most ${limit}`)
      return length
    },
    checkText(length, limit = TEXT_MAX) {
      if (!(length <= limit))
        throw new RangeError(`a text of ${length} characters, expected at most ${limit}`)
    },
  }
}

/** Bounds the lists that native loops run over, and the parameters of apply. */
export function guardLists(tools: GuardTools): void {
  const { guard, checkList, checkText } = tools
  const ELEMENTS_MAX = 1 << 20
  const PARAMETERS_MAX = 1 << 16
  const { apply, ownKeys } = Reflect
  // These do not loop, or loop in steps of JavaScript.
  const unbounded: PropertyKey[] = ['constructor', 'push', 'pop', 'at', 'keys', 'values', 'entries', 'length']
  unbounded.push(Symbol.iterator, Symbol.unscopables, 'join', 'concat')
  for (const key of ownKeys(Array.prototype))
    if (!unbounded.includes(key))
      guard(Array.prototype, key, (native) => (self, parameters) => {
        checkList(self, ELEMENTS_MAX)
        return apply(native, self, parameters)
      })
  guard(Array.prototype, 'join', (native) => (self, parameters) => {
    const length = checkList(self, ELEMENTS_MAX)
    const [separator] = parameters
    let total = length * (separator === undefined ? 1 : String(separator).length)
    for (let at = 0; at < length; at++) {
      const each = (self as unknown[])[at]
      total += typeof each === 'string' ? each.length : 0
    }
    checkText(total)
    return apply(native, self, parameters)
  })
  guard(Array.prototype, 'concat', (native) => (self, parameters) => {
    let total = checkList(self, ELEMENTS_MAX)
    for (const each of parameters)
      if (typeof each === 'object') total += checkList(each, ELEMENTS_MAX - total)
    return apply(native, self, parameters)
  })
  guard(Array, 'from', (native) => (self, parameters) => {
    checkList(parameters[0], ELEMENTS_MAX)
    return apply(native, self, parameters)
  })
  const bounded = (at: number) => (native: Native) => (self: unknown, parameters: unknown[]) => {
    checkList(parameters[at], PARAMETERS_MAX)
    return apply(native, self, parameters)
  }
  guard(
    Object.getPrototypeOf(() => {}),
    'apply',
    bounded(1),
  )
  guard(Reflect, 'apply', bounded(2))
  guard(Reflect, 'construct', bounded(1))
}

/** Bounds the texts that string functions read and make. */
export function guardTexts(tools: GuardTools): void {
  const { guard, checkList, checkText } = tools
  const PARSED_MAX = 4 << 20
  const { apply } = Reflect
  const text = (self: unknown): string => {
    if (self === undefined || self === null) throw new TypeError('not a text')
    return String(self)
  }
  const bound = (key: string, size: (text: string, parameters: unknown[]) => number): void =>
    guard(String.prototype, key, (native) => (self, parameters) => {
      const own = text(self)
      checkText(size(own, parameters))
      return apply(native, own, parameters)
    })
  bound('repeat', (own, [count]) => own.length * (count === undefined ? 0 : (count as number)))
  bound('padStart', (_, [length]) => (length === undefined ? 0 : (length as number)))
  bound('padEnd', (_, [length]) => (length === undefined ? 0 : (length as number)))
  bound('concat', (own, parts) => parts.reduce((sum: number, each) => sum + String(each).length, own.length))
  for (const key of ['split', 'normalize', 'isWellFormed', 'toWellFormed']) bound(key, (own) => own.length)
  for (const key of ['replace', 'replaceAll'])
    bound(key, (own, [, by]) => {
      if (typeof by === 'function') return own.length
      const pattern = String(by)
      // A `$` can insert all of the text, for each of its characters.
      return own.length + own.length * pattern.length * (pattern.includes('$') ? own.length : 1) * 0.1
    })
  guard(String, 'raw', (native) => (self, parameters) => {
    checkList((parameters[0] as { raw?: unknown } | undefined)?.raw, 1 << 16)
    return apply(native, self, parameters)
  })
  guard(JSON, 'parse', (native) => (self, [value, reviver]) => {
    const own = String(value)
    checkText(own.length, PARSED_MAX)
    return apply(native, self, [own, reviver])
  })
}

/** Bounds the regular expressions that are made from text. Those in the code were vetted. */
export function guardPatterns(
  world: Record<PropertyKey, unknown>,
  tools: GuardTools,
  cost: (pattern: string) => number,
): void {
  const LENGTH_MAX = 4_096
  const COST_MAX = 20_000
  const { apply, construct } = Reflect
  const Native = RegExp
  const check = (pattern: unknown): unknown => {
    if (pattern instanceof Native || pattern === undefined) return pattern
    const source = String(pattern)
    if (source.length > LENGTH_MAX || cost(source) > COST_MAX)
      throw new SyntaxError('a regular expression that is too large')
    return source
  }
  const Checked = function (pattern: unknown, flags: unknown): object {
    return construct(Native, [check(pattern), flags], new.target ?? Checked)
  }
  const fix = (key: PropertyKey, value: unknown): void => {
    Object.defineProperty(Checked, key, { value, writable: false, enumerable: false })
  }
  Checked.prototype = Native.prototype
  fix('name', 'RegExp')
  fix('escape', (Native as unknown as { escape: unknown }).escape)
  Object.defineProperty(Checked, Symbol.species, { get: () => Checked })
  Object.defineProperty(Native.prototype, 'constructor', { value: Checked })
  world['RegExp'] = Checked
  for (const key of ['match', 'matchAll', 'search'])
    tools.guard(
      String.prototype,
      key,
      (native) =>
        (self, [pattern]) =>
          apply(native, self, [check(pattern)]),
    )
}

/** Keeps memory that is shared with the host from being reached through a view of it. */
export function guardViews(): void {
  const { apply, getOwnPropertyDescriptor } = Reflect
  for (const owner of [Object.getPrototypeOf(Uint8Array.prototype), DataView.prototype]) {
    const native = getOwnPropertyDescriptor(owner, 'buffer')?.get as Native
    const holder = {
      get buffer(): unknown {
        const buffer = apply(native, this, [])
        if (!(buffer instanceof ArrayBuffer)) throw new TypeError('this memory is not the plugin’s')
        return buffer
      },
    }
    const guarded = getOwnPropertyDescriptor(holder, 'buffer')!
    Object.defineProperty(owner, 'buffer', { get: guarded.get!, enumerable: false })
  }
}
