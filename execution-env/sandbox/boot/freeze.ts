/**
 * The last part of the boot of an isolate: nothing that the language gives can be changed any more. What a plugin
 * does to prototypes stays in its own objects, and trusted code beside it may rely on every intrinsic.
 *
 * Each function here is self-contained: its text runs inside the isolate.
 */

/**
 * Lets assignments shadow the properties of frozen prototypes, as they would those of ordinary ones: without this,
 * `error.name = 'MyError'` and `counters['constructor'] = 1` would throw.
 */
export function allowShadowing(): void {
  const { getOwnPropertyDescriptor, ownKeys } = Reflect
  const { prototype } = Error
  const errors = [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError]
  for (const owner of [Object.prototype, prototype, ...errors.map((each) => each.prototype)])
    for (const key of ownKeys(owner)) {
      const { value, writable, enumerable, configurable } = getOwnPropertyDescriptor(owner, key)!
      if (writable !== true || configurable !== true) continue
      const holder = {
        get [key](): unknown {
          return value
        },
        set [key](own: unknown) {
          if ((this as object) === owner) throw new TypeError(`${String(key)} is frozen`)
          const attributes = { value: own, writable: true, enumerable: true, configurable: true }
          Object.defineProperty(this, key, attributes)
        },
      }
      const { get, set } = getOwnPropertyDescriptor(holder, key)!
      Object.defineProperty(owner, key, {
        get: get!,
        set: set!,
        enumerable: enumerable!,
        configurable: false,
      })
    }
}

/** Freezes all that can be reached from the globals and from the syntax, but for the global object itself. */
export function freezeIntrinsics(world: Record<PropertyKey, unknown>): void {
  const { freeze, getPrototypeOf } = Object
  const { getOwnPropertyDescriptor, ownKeys } = Reflect
  const iterators = world['Iterator'] as {
    from(source: object): unknown
    prototype: { map(this: unknown, step: (each: unknown) => unknown): unknown }
  }
  const seen = new Set<unknown>([world, null])
  const waiting: unknown[] = [
    (() => {}) as unknown,
    (async () => {}) as unknown,
    (function* () {})(),
    (async function* () {})(),
    [].values(),
    new Map().entries(),
    new Set().values(),
    ''[Symbol.iterator](),
    'a'.matchAll(/a/g),
    iterators.prototype.map.call([].values(), (each) => each),
    iterators.from({ next: () => ({ done: true, value: 0 }) }),
    new Error('probe'),
    getPrototypeOf(world),
    ...ownKeys(world).map((key) => getOwnPropertyDescriptor(world, key)?.value),
  ]
  while (waiting.length > 0) {
    const each = waiting.pop()
    if ((typeof each !== 'object' && typeof each !== 'function') || seen.has(each)) continue
    seen.add(each)
    const object = each as object
    for (const key of ownKeys(object)) {
      const { value, get, set } = getOwnPropertyDescriptor(object, key)!
      waiting.push(value, get, set)
    }
    waiting.push(getPrototypeOf(object))
    freeze(object)
  }
}
