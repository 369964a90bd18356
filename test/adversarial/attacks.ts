/**
 * What hostile plugins do, as a table. Each line is code at a place of a plugin, and how the router may be done with
 * it:
 *
 * - `refused`: it never ran, or nothing of it was taken over; the refusal names the plugin;
 * - `contained`: it was stopped, which its log tells, and goes on to exist;
 * - `quarantined`: it was ended and came back twice; after the third time it is kept out, by name.
 *
 * Where a line allows several ends, the machine decides which limit is met first.
 */
import type { Limits } from '../../execution-env/contract/index.ts'
import { ATTACKED_SERVICE } from '../support/flowing-traffic.ts'

export type End = 'refused' | 'contained' | 'quarantined'

/** Where code of a plugin runs: while it is loaded, in `setup`, or for one event after the other. */
export type Place = 'load' | 'setup' | 'decide' | 'message' | 'timer' | 'query' | 'ended' | 'export'

export interface Attack {
  readonly what: string
  readonly code: string
  readonly ends: readonly End[]
  /** Default `decide`. */
  readonly at?: Place
  /** What the log or the refusal says, where that is known. */
  readonly says?: RegExp
  readonly limits?: Partial<Limits>
  /** How often it strikes; the third time is the last. Default 3. */
  readonly times?: number
}

/** The attacker is ended by its own time before the machine is; memory is short. */
export const ATTACKER_LIMITS: Partial<Limits> = { batchMs: 30, setupMs: 300, memoryBytes: 16_000_000 }

const ENDED: readonly End[] = ['quarantined']
const STOPPED: readonly End[] = ['contained']
const EITHER: readonly End[] = ['contained', 'quarantined']
const NEVER_RAN: readonly End[] = ['refused']

/** Long ropes are made without anything that is guarded. */
const ROPE = `let rope = 'ab'; for (let n = 0; n < 27; n++) rope += rope;`
const SPARSE = 'const sparse = []; sparse.length = 2 ** 32 - 1;'
const COLLECT = 'const all = []; for (;;) all.push({})'
const LOOPING_ERROR = 'throw { get message() { for (;;); } }'

const attack = (what: string, code: string, ends: readonly End[], more: Partial<Attack> = {}): Attack => ({
  what,
  code,
  ends,
  ...more,
})

/** Time: what does not come back. */
const TIME: readonly Attack[] = [
  attack('loops', 'for (;;);', ENDED),
  attack('loops in a finally', 'try { for (;;); } finally { for (;;); }', ENDED),
  attack('backtracks', `/^(a+)+$/.test('a'.repeat(50) + 'b')`, ENDED),
  attack('recurses', '(function dig() { dig() })()', STOPPED),
  attack('recurses and catches', 'const dig = () => { try { dig() } catch { dig() } }; dig()', ENDED),
  attack('decides with a getter that loops', 'return { get tunnel() { for (;;); } }', ENDED),
  attack('floods the log', `for (;;) router.log.info('x')`, ENDED),
  attack('floods others with messages', `for (;;) try { router.messages.send('x', 1) } catch {}`, ENDED),
  attack('floods with questions', `for (;;) try { router.query.get({ table: 'flows' }) } catch {}`, STOPPED, {
    times: 1,
  }),
  attack(
    'floods the proxies',
    `for (;;) try { router.http.get('https://a.example/', () => 0) } catch {}`,
    ENDED,
  ),
  attack(
    'floods the proxies within its time',
    `for (let n = 0; n < 500; n++) router.http.get('https://a.example/', () => 0)`,
    STOPPED,
    { says: /refused \(limit\)/ },
  ),
  attack(
    'asks the proxies again at every answer',
    `const again = () => router.http.get('https://a.example/', (answer) => { router.log.info(answer.code); again() })
     for (let n = 0; n < 60; n++) again()`,
    STOPPED,
    { at: 'message', times: 1, says: /unsupported|limit/ },
  ),
  attack('hides a host in a URL', `router.http.get('https://a.example@b.example/', () => 0)`, STOPPED, {
    says: /refused \(invalid\)/,
  }),
  attack('asks for an inner server', `router.http.get('http://169.254.169.254/', () => 0)`, STOPPED, {
    says: /refused \(forbidden\)/,
  }),
  attack('logs what loops as text', `router.log.info({ toString() { for (;;); } })`, EITHER),
  attack('sends what loops as JSON', `router.messages.send('x', { get x() { for (;;); } })`, ENDED),
]

/** Errors that bite whoever looks at them. */
const ERRORS: readonly Attack[] = [
  attack('throws a getter that loops', LOOPING_ERROR, STOPPED),
  attack(
    'throws an error with getters that loop',
    `const error = new Error('x'); for (const key of ['message', 'stack', 'name'])
     Object.defineProperty(error, key, { get() { for (;;); } }); throw error`,
    EITHER,
  ),
  attack(
    'throws what loops as text',
    'throw { toString() { for (;;); }, [Symbol.toPrimitive]() { for (;;); } }',
    STOPPED,
  ),
  attack('throws a rope', `${ROPE} throw new Error(rope)`, EITHER),
]

/** Memory: what grows, and small texts that make the virtual machine large. */
const MEMORY: readonly Attack[] = [
  attack('collects objects', COLLECT, ENDED),
  attack('collects lists', 'const all = []; for (;;) all.push(new Array(1000).fill(1))', ENDED),
  attack('collects buffers', 'const all = []; for (;;) all.push(new Uint8Array(1e6).fill(1))', EITHER),
  attack('collects in a map', 'const all = new Map(); for (let n = 0; ; n++) all.set(n, {})', ENDED),
  attack(
    'takes more memory than its process may',
    'const all = []; for (;;) all.push(new Uint8Array(4e6).fill(1))',
    ENDED,
    { limits: { memoryBytes: 256_000_000, batchMs: 1_000 }, says: /memory/ },
  ),
  attack('splits a long text', `return 'a'.repeat(2 ** 28).split('')`, STOPPED),
  attack('splits a rope', `${ROPE} return rope.split('')`, STOPPED),
  attack('spreads a rope', `${ROPE} return [...rope].length`, ENDED),
  attack('makes a rope a key', `${ROPE} return { [rope]: 1 }`, EITHER),
  attack('logs a rope', `${ROPE} router.log.info(rope)`, EITHER),
  attack(
    'nests without end',
    'let nest = {}; for (let n = 0; n < 1e6; n++) nest = { nest }; return nest',
    EITHER,
  ),
  attack('spreads a sparse list', `${SPARSE} return [...sparse].length`, ENDED),
  attack(
    'walks a sparse list natively',
    `${SPARSE} return [...sparse.values().drop(2 ** 32 - 2)].length`,
    ENDED,
  ),
  attack(
    'flattens itself',
    'let all = [1]; for (let n = 0; n < 34; n++) all = [all, all]; return all.flat(99).length',
    ENDED,
  ),
  attack('never ends a generator', 'function* all() { for (;;) yield 1 } return [...all()]', ENDED),
  attack(
    'indents without end',
    `let list = new Array(50_000).fill(1); for (let n = 0; n < 3000; n++) list = [list]
     return JSON.stringify(list, null, '          ').length`,
    EITHER,
  ),
]

/** Built-in functions that cannot be interrupted: guarded, they throw. */
const BUILT_IN: readonly Attack[] = [
  attack(
    'parses a huge text',
    `let text = '1,'; for (let n = 0; n < 23; n++) text += text; return JSON.parse('[' + text + '1]')`,
    STOPPED,
  ),
  attack(
    'compiles an enormous pattern',
    `new RegExp('(' + '(?:a|b){1,1000}'.repeat(20) + '){1,100}').test('ab')`,
    STOPPED,
  ),
  attack('matches an enormous pattern', `'x'.match('(a{1000}){1000}')`, STOPPED),
  attack(
    'searches an endless list',
    `return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)`,
    STOPPED,
  ),
  attack('fills a sparse list', `${SPARSE} sparse.fill(0)`, STOPPED),
  attack('sorts a sparse list', `${SPARSE} return sparse.sort()`, STOPPED),
  attack('applies an endless list', 'return Math.max.apply(null, { length: 2 ** 27 })', STOPPED),
]

/** What is not there to be attacked with. */
const ABSENT: readonly Attack[] = [
  ['shared memory that grows', 'new SharedArrayBuffer(8, { maxByteLength: 2 ** 32 })'],
  ['waiting', 'Atomics.wait(new Int32Array(8), 0, 0)'],
  ['memory of WebAssembly', 'new WebAssembly.Memory({ initial: 65536 })'],
  ['an inspector', 'createInspectorSession()'],
  ['promises that are rejected', `Promise.reject({ get message() { for (;;); } })`],
  ['finalisers', 'new FinalizationRegistry(() => { for (;;); })'],
  ['integers without end', 'BigInt(2) ** BigInt(2 ** 30)'],
].map(([what, code]) =>
  attack(`wants ${what}`, code!, STOPPED, { says: /ReferenceError: \w+ is not defined/ }),
)

/** What a plugin cannot even be loaded with. */
const REFUSED: readonly Attack[] = [
  attack('rejects a promise that bites', `(async () => { ${LOOPING_ERROR} })()`, NEVER_RAN),
  attack('loops in microtasks', 'const again = async () => { await 0; again() }; again()', NEVER_RAN),
  attack('makes an enormous integer', 'return 2n ** (2n ** 30n)', NEVER_RAN),
  attack('shifts an integer', 'return 1n << 1073741823n', NEVER_RAN),
  attack('imports', `import('node:fs')`, NEVER_RAN),
]

/** The same at every other place where a plugin's code runs. */
const PLACES: readonly Attack[] = [
  attack('loops', 'for (;;);', NEVER_RAN, { at: 'load' }),
  attack('grows', COLLECT, NEVER_RAN, { at: 'load' }),
  attack('throws a getter that loops', LOOPING_ERROR, NEVER_RAN, { at: 'load' }),
  attack('exports what loops', 'module.exports = { get setup() { for (;;); } }', NEVER_RAN, { at: 'load' }),
  attack('loops', 'for (;;);', NEVER_RAN, { at: 'setup' }),
  attack('grows', COLLECT, NEVER_RAN, { at: 'setup' }),
  attack('throws a getter that loops', LOOPING_ERROR, NEVER_RAN, { at: 'setup' }),
  attack('returns what loops as JSON', 'return { stateVersions: { toJSON() { for (;;); } } }', NEVER_RAN, {
    at: 'setup',
  }),
  attack(
    'claims without end',
    `for (let n = 0; ; n++) router.flows.claim({ to: '198.19.0.0/16', toPort: n }, () => ({ drop: true }))`,
    NEVER_RAN,
    { at: 'setup' },
  ),
  attack('loops', 'for (;;);', ENDED, { at: 'message' }),
  attack('answers what loops as JSON', 'return { toJSON() { for (;;); } }', STOPPED, {
    at: 'message',
    times: 1,
  }),
  attack('answers a rope', `${ROPE} return rope`, EITHER, { at: 'message' }),
  attack('loops', 'for (;;);', STOPPED, { at: 'timer', times: 1, says: /timeout/ }),
  attack('loops', 'for (;;);', STOPPED, { at: 'query', times: 1, says: /timeout/ }),
  attack('loops', 'for (;;);', STOPPED, { at: 'export', times: 1, says: /timeout/ }),
]

export const ATTACKS: readonly Attack[] = [
  ...TIME,
  ...ERRORS,
  ...MEMORY,
  ...BUILT_IN,
  ...ABSENT,
  ...REFUSED,
  ...PLACES,
]

/** The plugin's module, with the attack at its place. It claims the attacked service. */
export function moduleOf({ at = 'decide', code }: Attack): string {
  if (at === 'load') return `${code}\nmodule.exports ??= { setup() {} }`
  const inside = (place: Place): string => (place === at ? code : '')
  return `module.exports = { setup(router, config) {
    ${inside('setup')}
    const tunnel = router.tunnels.open({ to: '10.0.2.9' })
    router.flows.claim({ to: '${ATTACKED_SERVICE}' }, (flow) => { ${inside('decide')}; return { tunnel } }, { wait: '10s' })
    router.messages.on('attack', () => { ${inside('message')} })
    router.query.answer('attack', () => { ${inside('query')}; return 1 })
    ${at === 'timer' ? `router.timers.every('10ms', () => { ${code} })` : ''}
    return { exportState() { ${inside('export')}; return { version: 1 } }, importState() {} }
  } }`
}
