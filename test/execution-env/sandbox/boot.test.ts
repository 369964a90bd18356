import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { Random } from '../../../engine/random.ts'
import { createRandom } from '../../../execution-env/sandbox/boot/ambient.ts'
import { BOOT_SOURCE } from '../../../execution-env/sandbox/boot.ts'
import type { ProcessSandbox } from '../../../execution-env/sandbox/process-sandbox.ts'
import { codeOf, loaded, openSandbox, resultOf, settle } from './rig.ts'

/** What ordinary plugins do with the functions that are guarded. */
const ORDINARY: readonly string[] = [
  `['abc'.repeat(3), 'x'.repeat(0), 'x'.padStart(5), 'x'.padStart(5, 'ab'), 'x'.padEnd(3), 'abc'.padEnd(2)]`,
  `['a-b-c'.split('-'), 'abc'.split(''), 'a1b2'.split(/\\d/), 'a-b-c'.split('-', 2), 'abc'.split()]`,
  `['a'.concat('b', 1, null), 'aXbX'.replace('X', '-'), 'aXbX'.replaceAll('X', (x) => x + '!'), 'abc'.replace(/b/, '[$&]')]`,
  `['a1b22'.match(/\\d+/g), 'abc'.match('b').index, [...'a1b2'.matchAll(/[a-z](\\d)/g)].map((m) => m[1]), 'abc'.search('c')]`,
  `['\\u0041\\u030a'.normalize('NFC').length, 'é'.normalize('NFD').length, 'x'.isWellFormed(), 'İ'.toUpperCase()]`,
  `[String.raw\`a\\n\${1}\`, JSON.parse('{"a":[1,2]}'), JSON.parse('[1]', (k, v) => v === 1 ? 2 : v), JSON.stringify({ a: 1 }, null, 1)]`,
  `[[3, 1, 2].sort(), [3, 1, 2].toSorted((a, b) => b - a), [1, [2, [3]]].flat(), [1, [2, [3]]].flat(9), [1, 2].reverse()]`,
  `[[1, 2, 3].map((x) => x * 2), [1, 2, 3].filter((x) => x > 1), [1, 2].reduce((a, b) => a + b), [1, 2].includes(2)]`,
  `[[1, 2, 3].indexOf(3), [1, 2, 1].lastIndexOf(1), [1, 2, 3].slice(1), [1, 2, 3].splice(1, 1), [0, 0].fill(7), [1].concat([2], 3, [[4]])]`,
  `[[1, null, [2, 3]].join(), [1, 2].join(' - '), String([1, [2]]), [,].length, [1, 2, 3].at(-1), [1, 2, 3].with(0, 9)]`,
  `[Array.from({ length: 3 }, (_, i) => i), Array.from('ab'), Array.from(new Set([1, 2])), Array.of(1, 2), Array(3).length]`,
  `[Math.max.apply(null, [1, 3, 2]), Math.max(...[1, 2]), Reflect.apply(Math.min, null, [2, 1]), ((...x) => x.length)(...'abc')]`,
  `[Reflect.construct(Map, [[[1, 2]]]).size, (function () { return Array.prototype.slice.call(arguments, 1) })(1, 2, 3)]`,
  `[Array.prototype.map.call('ab', (x) => x + x), Array.prototype.join.call({ length: 2, 0: 'a', 1: 'b' }, '+')]`,
  `[new RegExp('a+', 'i').test('AA'), RegExp('b').source, new RegExp(/x/g).flags, /a/ instanceof RegExp, RegExp.escape('a.b')]`,
  `(() => { class Words extends RegExp { get words() { return 7 } }; return [new Words('a').words, new Words('a').test('a')] })()`,
  `[new ArrayBuffer(8).byteLength, new Uint8Array([1, 2]).buffer.byteLength, new DataView(new ArrayBuffer(4)).buffer.byteLength]`,
  `[new ArrayBuffer(8).slice(2).byteLength, ArrayBuffer.isView(new Uint8Array(1)), new ArrayBuffer(1) instanceof ArrayBuffer]`,
  `[[...new Uint8Array([3, 1, 2]).sort()], [...Float64Array.from([1, 2]).map((x) => x / 2)], new Uint8Array(4).subarray(1).length]`,
  `(() => { class List extends Array { sum() { return this.reduce((a, b) => a + b, 0) } }; return new List(1, 2, 3).map((x) => x).sum() })()`,
  `[(() => {}) instanceof Function, typeof Function.prototype.call, (function f() {}).name, (() => {}).bind(null)()]`,
  `[new Map([[1, 2]]).get(1), [...new Set([1, 1])].length, new WeakMap().has({}), Object.entries({ a: 1 }), Object.groupBy([1, 2], (x) => x)]`,
  `[Iterator.from([1, 2]).map((x) => x * 2).toArray(), [1, 2, 3].values().drop(1).toArray(), [...[1, 2].entries()]]`,
  `(() => { function* count() { let n = 0; while (n < 3) yield n++ } return [...count()] })()`,
  `[(5).toLocaleString === undefined, 'a'.localeCompare('b'), 'b'.localeCompare('a'), 'a'.localeCompare('a')]`,
  `(() => { try { null.x } catch (error) { return [error instanceof TypeError, error.name, String(error)] } })()`,
  `(() => { class Gone extends Error { name = 'Gone' } const e = new Gone('x', { cause: 1 }); return [e.name, e.cause, e instanceof Error] })()`,
  `[encodeURIComponent('a b&'), decodeURIComponent('%20'), parseInt('12px'), parseFloat('1.5'), Number('0x10'), isNaN(NaN)]`,
  `[structureOf({ a: [1] })] ; function structureOf(x) { return Object.keys(x) }`,
]

describe('boot', () => {
  let sandbox: ProcessSandbox
  before(async () => {
    ;({ sandbox } = openSandbox({ limits: { bootMs: 60_000, deadlineMs: 60_000, graceMs: 60_000 } }))
  })
  after(() => sandbox.close())

  it('is a text that depends on nothing of this process', () => {
    expect(() => new Function('$0', '$1', '$2', BOOT_SOURCE)).not.to.throw()
    expect(BOOT_SOURCE).not.to.match(/\b(import|require|process|globalThis\.process)\b\s*[.(]/)
  })

  describe('when plugins do ordinary things', () => {
    for (const expression of ORDINARY)
      it(`changes nothing about ${expression.slice(0, 60)}`, async () => {
        const [value, rest = ''] = expression.split(' ; ')
        const body = `const result = ${value}; return JSON.parse(JSON.stringify(result)); ${rest}`
        await loaded(sandbox, 'a', codeOf(body))
        const native: unknown = new Function(body)()
        expect(await resultOf(sandbox, 'a', 'run')).to.deep.equal(native)
        sandbox.unload('a')
        await settle(sandbox)
      })
  })

  describe('when plugins draw random numbers', () => {
    it("gives those of the engine's generator", () => {
      const [mine, engine] = [createRandom([1, 2, 3, 4]), new Random([1, 2, 3, 4])]
      for (let draw = 0; draw < 1_000; draw++) expect(mine()).to.equal(engine.float())
    })
  })

  describe('when a list or a text is at its bound', () => {
    for (const [what, body, value] of [
      ['a text', `return 'x'.repeat(1 << 20).length`, 1 << 20],
      ['a list', `return new Array(1 << 20).fill(0).length`, 1 << 20],
      ['parameters', 'return Math.max.apply(null, new Array(1 << 16).fill(3))', 3],
    ] as const)
      it(`accepts ${what}, and refuses one more`, async () => {
        const limits = { memoryBytes: 128e6 }
        await loaded(sandbox, 'a', codeOf(body), { limits })
        expect(await resultOf(sandbox, 'a', 'run')).to.equal(value)
        sandbox.unload('a')
        const more = body.replace(/1 << (\d+)/, '(1 << $1) + 1')
        await loaded(sandbox, 'a', codeOf(`try { ${more} } catch (error) { return error.name }`), { limits })
        expect(await resultOf(sandbox, 'a', 'run')).to.equal('RangeError')
        sandbox.unload('a')
        await settle(sandbox)
      })
  })
})
