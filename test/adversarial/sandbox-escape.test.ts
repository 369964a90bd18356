/**
 * Attempts to get out of an isolate, or to change what is not the plugin's: a walk over every object that plugin code
 * can reach, and the known tricks one by one (R-PR-02).
 */
import { homedir } from 'node:os'
import { expect } from 'chai'
import { after, afterEach, before, describe, it } from 'mocha'
import type { JsonValue } from '../../execution-env/contract/json.ts'
import { ProcessSandbox } from '../../execution-env/sandbox/process-sandbox.ts'
import { vet } from '../../execution-env/sandbox/vetting.ts'
import { codeOf, loaded, OPTIONS, resultOf, settle } from '../execution-env/sandbox/rig.ts'
import { keepPacketsFlowing } from '../support/keep-packets-flowing.ts'

/** Runs inside: walks from the roots over properties, accessors and prototypes. Self-contained. */
function survey(roots: readonly unknown[], forbidden: readonly string[]): JsonValue {
  const seen = new Set<unknown>()
  const waiting: { value: unknown; path: string; own: boolean }[] = roots.map((value, at) => ({
    value,
    path: `root ${at}`,
    own: false,
  }))
  const findings: string[] = []
  const constructors = new Set<string>()
  const enclosed = [Function.prototype, Object.prototype, null]
  let functions = 0
  while (waiting.length > 0) {
    const { value, path } = waiting.pop()!
    if (typeof value === 'string' && forbidden.some((each) => value.includes(each)))
      findings.push(`${path} tells ${value.slice(0, 80)}`)
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value))
      continue
    seen.add(value)
    const tag = Object.prototype.toString.call(value)
    if (/Isolate|Reference|ExternalCopy|Callback|Context|Promise|SharedArray|Atomics|WebAssembly/.test(tag))
      findings.push(`${path} is ${tag}`)
    let end: unknown = value
    let steps = 0
    for (
      let next: unknown = Object.getPrototypeOf(value);
      next !== null;
      next = Object.getPrototypeOf(next)
    ) {
      end = next
      if (++steps > 20) findings.push(`${path} has no end of prototypes`)
    }
    if (!enclosed.includes(end as object) && Object.getPrototypeOf(value) !== null)
      findings.push(`${path} is of another world`)
    if (typeof value === 'function') {
      functions++
      try {
        const made = (value as unknown as { constructor: (text: string) => unknown }).constructor('return 1')
        findings.push(`${path} makes code: ${typeof made}`)
      } catch {
        // As it should be.
      }
    }
    for (const key of Reflect.ownKeys(value)) {
      const found = Reflect.getOwnPropertyDescriptor(value, key)!
      const place = `${path}.${String(key)}`
      if (key === 'constructor' && typeof found.value === 'function') constructors.add(found.value.name)
      for (const each of [found.value, found.get, found.set])
        waiting.push({ value: each, path: place, own: true })
      if (found.get !== undefined)
        try {
          waiting.push({ value: Reflect.apply(found.get, value, []), path: place, own: true })
        } catch {
          // An accessor of objects of another kind.
        }
    }
    waiting.push({ value: Object.getPrototypeOf(value), path: `${path}.[[Prototype]]`, own: true })
  }
  return { findings: findings.slice(0, 20), objects: seen.size, functions, constructors: [...constructors] }
}

/** What a plugin can lay hands on besides the globals: results, errors, hidden prototypes. */
const ROOTS = `(() => {
  const thrown = (run) => { try { run() } catch (error) { return error } }
  const deep = () => deep()
  class Own extends Map { static #secret = 1; own() { return super.get(1) } }
  const generator = (function* () { yield 1 })()
  const sparse = []
  sparse.length = 2 ** 32 - 1
  return [
    globalThis, host, module, exports, (function () { return arguments })(1), new Own(), generator, Own,
    thrown(() => null.field), thrown(deep), thrown(() => host.ask('refused', 1)), thrown(() => host.ask('nobody', 1)),
    thrown(() => host.ask('echo', { toJSON() { throw new Own() } })), thrown(() => host.request(1n ** 1n)),
    thrown(() => (() => {}).constructor('1')), thrown(() => new (function* () {}).constructor('1')),
    thrown(() => host.ask('echo', (() => { const loop = {}; loop.loop = loop; return loop })())),
    thrown(() => sparse.fill(0)), thrown(() => new RegExp('(')), thrown(() => decodeURI('%')),
    thrown(() => JSON.parse('{')), thrown(() => new Uint8Array(-1)), thrown(() => Symbol() + ''),
    host.ask('echo', { a: [1, { b: null }] }), host.now, host.random, /a(?<n>b)/d.exec('ab'), 'a'.matchAll(/a/g),
    [].values(), [].values().map((each) => each), new Map().entries(), new Set().values(), ''[Symbol.iterator](),
    new Uint8Array(8), new Uint8Array(8).buffer, new DataView(new ArrayBuffer(8)), new WeakMap(), Symbol.prototype,
    Object.getOwnPropertyDescriptor(new Error(), 'stack'), (function () { return this })(), new.target,
    Object.getOwnPropertyDescriptors(host), [...Object.values(host)].map((each) => each.prototype),
  ]
})()`.replaceAll('1n ** 1n', '2')

const limits = { bootMs: 60_000, deadlineMs: 60_000, graceMs: 60_000 }
const host = {
  echo: (argument: JsonValue) => argument,
  refused: () => {
    throw Object.assign(new TypeError('not for you'), { code: 'forbidden', secret: process })
  },
}

describe('A plugin that wants out (R-PR-02)', () => {
  keepPacketsFlowing()
  let sandbox: ProcessSandbox
  before(() => {
    // It is polled, so that packets flow while it runs.
    sandbox = new ProcessSandbox({ blocking: false, limits })
  })
  after(() => sandbox.close())
  afterEach(async () => {
    sandbox.unload('a')
    await settle(sandbox)
    expect(sandbox.stats().crashes).to.equal(0)
  })

  const run = async (body: string, argument: JsonValue = null): Promise<JsonValue> => {
    await loaded(sandbox, 'a', codeOf(body), { host, limits: { callMs: 20_000, loadMs: 20_000 } })
    return resultOf(sandbox, 'a', 'run', argument)
  }

  describe('when it walks over all that it can reach', () => {
    it('finds no object of the host, no way to make code, no path of the machine', async () => {
      const forbidden = [
        process.cwd(),
        homedir() === '/' ? '/root' : homedir(),
        'node_modules',
        'file://',
        '.ts:',
      ]
      const report = (await run(
        `const survey = ${survey}\nreturn survey(${ROOTS}, argument)`,
        forbidden,
      )) as {
        findings: string[]
        objects: number
        functions: number
        constructors: string[]
      }
      expect(report.findings).to.deep.equal([])
      expect(report.objects).to.be.greaterThan(500)
      expect(report.functions).to.be.greaterThan(400)
      for (const absent of [
        'Promise',
        'SharedArrayBuffer',
        'Date',
        'BigInt',
        'Callback',
        'Reference',
        'Isolate',
      ])
        expect(report.constructors).not.to.include(absent)
    })

    it('finds the same objects in a module that is loaded as in one that is called', async () => {
      const code = `const walk = ${survey}\nconst report = walk([globalThis, module, exports], ['/'])
        module.exports = { calls: { run: () => report } }`
      await loaded(sandbox, 'a', vet(code, 'plugin.js'), { limits: { loadMs: 20_000 } })
      expect(((await resultOf(sandbox, 'a', 'run')) as { findings: string[] }).findings).to.deep.equal([])
    })

    it('finds only the globals that are meant to be there', async () => {
      expect(await run('return Object.getOwnPropertyNames(globalThis).sort()')).to.deep.equal(
        [
          ...[
            'AggregateError',
            'Array',
            'ArrayBuffer',
            'Boolean',
            'DataView',
            'Error',
            'EvalError',
            'Float32Array',
          ],
          ...[
            'Float64Array',
            'Function',
            'Infinity',
            'Int16Array',
            'Int32Array',
            'Int8Array',
            'Iterator',
            'JSON',
          ],
          ...[
            'Map',
            'Math',
            'NaN',
            'Number',
            'Object',
            'RangeError',
            'ReferenceError',
            'Reflect',
            'RegExp',
            'Set',
          ],
          ...['String', 'SuppressedError', 'Symbol', 'SyntaxError', 'TypeError', 'URIError', 'Uint16Array'],
          ...['Uint32Array', 'Uint8Array', 'Uint8ClampedArray', 'WeakMap', 'WeakSet', 'decodeURI'],
          ...['decodeURIComponent', 'encodeURI', 'encodeURIComponent', 'globalThis', 'isFinite', 'isNaN'],
          ...['parseFloat', 'parseInt', 'undefined'],
        ].sort(),
      )
    })

    it('finds every object of the language frozen', async () => {
      const body = `const soft = [], seen = new Set(), waiting = [[globalThis, 'globalThis']]
        while (waiting.length > 0) {
          const [value, path] = waiting.pop()
          if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue
          seen.add(value)
          if (!Object.isFrozen(value)) soft.push(path)
          for (const key of Reflect.ownKeys(value)) {
            const found = Reflect.getOwnPropertyDescriptor(value, key)
            for (const each of [found.value, found.get, found.set]) waiting.push([each, path + '.' + String(key)])
          }
          waiting.push([Object.getPrototypeOf(value), path + '.[[Prototype]]'])
        }
        return soft`
      expect(await run(body)).to.deep.equal([])
    })
  })

  describe('when it makes code from text', () => {
    for (const attempt of [
      `(() => {}).constructor('return 1')()`,
      `(function* () {}).constructor('yield 1')()`,
      `Object.getPrototypeOf(function* () {}).constructor('yield 1')`,
      `new ((class {}).constructor)('return 1')`,
      `Reflect.construct(Function, ['return 1'])`,
      `Function.prototype.constructor.call(null, 'return 1')`,
      `class F extends Function {}; new F('return 1')`,
      `host.log.constructor('return 1')`,
      `host.ask.constructor.constructor('return process')()`,
      `globalThis['ev' + 'al']('1')`,
      `Object.getPrototypeOf(Object.getPrototypeOf(function* () {})).constructor('return 1')`,
      `[].map.constructor('return 1')`,
      `Function.bind(null, 'return 1')()`,
      `Iterator.from.constructor('return 1')`,
    ])
      it(`throws at ${attempt}`, async () => {
        expect(await run(`try { ${attempt}; return 'escaped' } catch (error) { return 'threw' }`)).to.equal(
          'threw',
        )
      })
  })

  describe('when it wants what was taken away', () => {
    for (const missing of [
      ...[
        'Date',
        'Promise',
        'SharedArrayBuffer',
        'Atomics',
        'WebAssembly',
        'BigInt',
        'BigInt64Array',
        'Proxy',
      ],
      ...['WeakRef', 'FinalizationRegistry', 'Intl', 'Temporal', 'console', 'eval', 'escape', 'setTimeout'],
      ...['process', 'require', 'global', 'structuredClone', 'queueMicrotask', 'performance', 'fetch'],
      ...['createInspectorSession', 'ivm', '$0', '$1', '$2', 'boot', 'createKernel'],
    ])
      it(`does not find ${missing}`, async () => {
        expect(
          await run(`return [typeof globalThis['${missing}'], '${missing}' in globalThis]`),
        ).to.deep.equal(['undefined', false])
      })

    for (const [what, attempt] of [
      ['resizable memory', 'new ArrayBuffer(8, { maxByteLength: 1 << 30 }).resizable'],
      ['resize', `'resize' in new ArrayBuffer(8)`],
      ['transfer', `'transfer' in new ArrayBuffer(8)`],
      [
        'resizable memory through a view',
        'new (new Uint8Array(8).buffer.constructor)(8, { maxByteLength: 99 }).resizable',
      ],
      ['fromAsync', `'fromAsync' in Array`],
      ['captureStackTrace', `'captureStackTrace' in Error`],
      ['the methods of promises', `'then' in Object.getPrototypeOf(function* () {})`],
      ['BigInt in views', `'getBigInt64' in new DataView(new ArrayBuffer(8))`],
      ['compile', `'compile' in /a/`],
      ['__proto__', `'__proto__' in {}`],
      ['what the last match was', `'lastMatch' in RegExp`],
      ['the caller', `'caller' in (() => {})`],
    ] as const)
      it(`does not get ${what}`, async () => {
        expect(await run(`return ${attempt}`)).to.equal(false)
      })

    it('cannot look at frames of others through stacks', async () => {
      const body = `let seen = 0
        try { Error.prepareStackTrace = (error, frames) => { seen = frames.length; return '' } } catch {}
        try { Object.defineProperty(Error, 'prepareStackTrace', { value: () => { seen++ } }) } catch {}
        try { null.field } catch (error) { void error.stack }
        return [seen, typeof Error.prepareStackTrace, Error.stackTraceLimit]`
      expect(await run(body)).to.deep.equal([0, 'undefined', 16])
    })

    it('draws the same random numbers every time, also from Math', async () => {
      const body = 'return [Math.random(), host.random(), Math.random()]'
      const first = await run(body)
      sandbox.unload('a')
      expect(await run(body)).to.deep.equal(first)
    })

    it('sorts texts in the same way on every machine', async () => {
      const body = `return ['ö', 'z', 'a', 'Z'].sort((one, other) => one.localeCompare(other)).join()`
      expect(await run(body)).to.equal('Z,a,z,ö')
      sandbox.unload('a')
      expect(await run('return [1234.5.toLocaleString(), "İ".toLocaleLowerCase().length]')).to.deep.equal([
        '1234.5',
        2,
      ])
    })
  })

  describe('when it changes what everybody uses', () => {
    for (const attempt of [
      'Object.prototype.polluted = 1',
      'Array.prototype.push = () => 0',
      'JSON.stringify = () => "{}"',
      'globalThis.added = 1',
      'Object.defineProperty(globalThis, "JSON", { value: null })',
      'Object.setPrototypeOf(Array.prototype, null)',
      'Object.prototype.toString = 1',
      'Math.random = () => 4',
      'host.log = 1',
      'Reflect.apply = null',
      'Error.prototype.name = "x"',
      'Object.getPrototypeOf(function* () {}).prototype = 1',
      'Object.getPrototypeOf([].values()).next = 1',
    ])
      it(`throws at ${attempt}`, async () => {
        expect(
          await run(`try { ${attempt}; return 'changed' } catch (error) { return error.name }`),
        ).to.equal('TypeError')
      })

    it('shadows in its own objects what it cannot change', async () => {
      const body = `class Refused extends Error { constructor(text) { super(text); this.name = 'Refused' } }
        const counters = {}; counters['constructor'] = 1; counters['toString'] = 2
        const error = new Refused('why'); error.message = 'because'
        return [String(error), counters, ({}).polluted === undefined, {}.constructor === Object]`
      expect(await run(body)).to.deep.equal(['Refused: because', { constructor: 1, toString: 2 }, true, true])
    })

    it('does not reach its neighbours', async () => {
      await run(`try { Object.prototype.x = 1 } catch {}; try { globalThis.x = 1 } catch {}; return 1`)
      sandbox.unload('a')
      expect(await run('return [typeof globalThis.x, typeof {}.x]')).to.deep.equal(['undefined', 'undefined'])
    })
  })

  describe('when it abuses what it was given', () => {
    it('gets plain errors of its own world from the host', async () => {
      const body = `try { host.ask('refused', 1) } catch (error) {
        return [error instanceof Error, error.code, error.message, Reflect.ownKeys(error).sort(), typeof error.secret] }`
      expect(await run(body)).to.deep.equal([
        true,
        'forbidden',
        'not for you',
        ['code', 'message', 'stack'],
        'undefined',
      ])
    })

    it('gets errors of its own world where the stack ends within the host function', async () => {
      const body = `const kinds = new Set()
        const dig = (depth) => { try { dig(depth + 1) } catch (error) { kinds.add(error instanceof RangeError) }
          try { host.ask('echo', depth) } catch (error) { kinds.add(error instanceof Error) } }
        const fall = () => { try { fall() } catch (error) { kinds.add(error instanceof RangeError)
          try { host.ask('echo', 1); host.log('info', 'x'); host.request(1) } catch (inner) { kinds.add(inner instanceof Error) } } }
        fall()
        return [...kinds]`
      await loaded(sandbox, 'a', codeOf(body), {
        host,
        limits: { callMs: 20_000, asks: 1_000_000, requests: 1_000_000 },
      })
      expect(await resultOf(sandbox, 'a', 'run')).to.deep.equal([true])
    })

    it('cannot hand over anything but plain values', async () => {
      const body = `const got = []
        for (const value of [() => 1, Symbol('s'), undefined, new Map([[1, 2]]), new Error('e'), NaN,
          { toJSON() { return { f: () => 1, n: -0 } } }, new Uint8Array(2)])
          got.push(host.ask('echo', { value }))
        return got`
      expect(await run(body)).to.deep.equal([
        {},
        {},
        {},
        { value: {} },
        { value: {} },
        { value: null },
        { value: { n: 0 } },
        { value: { 0: 0, 1: 0 } },
      ])
    })

    it('changes nothing by calling the host functions with another this, or as constructors', async () => {
      const body = `const { log, request, ask, now } = host
        log.call(null, 'info', 'one'); log.apply({ logs: [] }, ['info', 'two']); request.bind(globalThis)(1)
        try { new log('info', 'three') } catch (error) { return [error.name, now.call(1), ask.call(null, 'echo', 2)] }`
      expect(await run(body)).to.deep.equal(['TypeError', 5_000_000_000, 2])
    })

    it('cannot reach the memory of batches through a view that a runtime leaks', async () => {
      const runtime = `(host, exports) => ({ calls: { run: () => exports.report() },
        batches: { leak(input, output) { exports.see(input, output) } } })`
      const code = `let report = []
        module.exports = { report: () => report, see(input, output) {
          for (const view of [input, output, input.subarray(1)])
            try { report.push(typeof view.buffer) } catch (error) { report.push(error.name) }
          report.push(new Uint8Array(input).buffer.constructor.name, input.slice(0, 2).constructor.name) } }`
      const { Batch } = await import('../../execution-env/sandbox/batch.ts')
      await loaded(sandbox, 'a', vet(code, 'plugin.js'), { ...OPTIONS, runtime })
      const batch = new Batch({ capacity: 4, inputWords: 1, outputWords: 1 })
      batch.count = 1
      sandbox.decide('a', 'leak', batch, { now: 0, clock: 0 }, () => {})
      await settle(sandbox)
      expect(batch.failure).to.equal(undefined)
      const report = (await resultOf(sandbox, 'a', 'run')) as string[]
      expect(report.slice(0, 3)).to.deep.equal(['TypeError', 'TypeError', 'TypeError'])
      expect(report[3]).to.equal('ArrayBuffer')
    })
  })
})
