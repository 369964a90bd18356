/**
 * What hostile code does once it runs: it loops, it grows, it throws things that bite. Each attack ends with the
 * attacker named and gone or refused, the router at work, and the plugins of other signers answering (R-PR-02,
 * R-PR-04). What an attack takes down is at most the process of its own signer, and that comes back.
 */
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import type { JsonValue } from '../../execution-env/contract/json.ts'
import { Batch } from '../../execution-env/sandbox/batch.ts'
import type { Reply } from '../../execution-env/sandbox/effects.ts'
import type { ProcessSandbox } from '../../execution-env/sandbox/process-sandbox.ts'
import type { SandboxErrorCode } from '../../execution-env/sandbox/sandbox-error.ts'
import type { SandboxEvent } from '../../execution-env/sandbox/sandbox-event.ts'
import { findProblems, vet } from '../../execution-env/sandbox/vetting.ts'
import {
  AT,
  call,
  codeOf,
  load,
  loaded,
  OPTIONS,
  openSandbox,
  resultOf,
  settle,
} from '../execution-env/sandbox/rig.ts'

/** Long ropes are made without anything that is guarded. */
const ROPE = `let rope = 'ab'; for (let n = 0; n < 27; n++) rope += rope;`
const SPARSE = 'const sparse = []; sparse.length = 2 ** 32 - 1;'

/** Attack, and how it may end. */
const ATTACKS: readonly (readonly [string, string, readonly SandboxErrorCode[]])[] = [
  ['loops', 'for (;;);', ['timeout']],
  ['loops in a finally', 'try { for (;;); } finally { for (;;); }', ['timeout']],
  ['backtracks', `return /^(a+)+$/.test('a'.repeat(50) + 'b')`, ['timeout']],
  ['recurses', '(function dig() { dig() })()', ['thrown']],
  ['recurses and catches', 'const dig = () => { try { dig() } catch { dig() } }; dig()', ['timeout']],
  ['collects objects', 'const all = []; for (;;) all.push({})', ['memory', 'timeout']],
  ['collects lists', 'const all = []; for (;;) all.push(new Array(1000).fill(1))', ['memory', 'timeout']],
  [
    'collects buffers',
    'const all = []; for (;;) all.push(new Uint8Array(1e6).fill(1))',
    ['thrown', 'memory'],
  ],
  [
    'collects in a map',
    'const all = new Map(); for (let n = 0; ; n++) all.set(n, {})',
    ['memory', 'timeout'],
  ],
  ['splits a long text', `return 'a'.repeat(2 ** 28).split('')`, ['thrown']],
  ['splits a rope', `${ROPE} return rope.split('')`, ['thrown']],
  ['spreads a rope', `${ROPE} return [...rope].length`, ['memory', 'timeout', 'crashed']],
  ['makes a rope a key', `${ROPE} return { [rope]: 1 }`, ['memory', 'timeout', 'crashed', 'thrown']],
  ['throws a rope', `${ROPE} throw new Error(rope)`, ['memory', 'timeout', 'crashed', 'thrown']],
  ['returns a rope', `${ROPE} return rope`, ['memory', 'timeout', 'crashed', 'thrown']],
  ['throws a getter that loops', 'throw { get message() { for (;;); } }', ['thrown']],
  [
    'throws an error with getters that loop',
    `const error = new Error('x'); for (const key of ['message', 'stack', 'name'])
     Object.defineProperty(error, key, { get() { for (;;); } }); throw error`,
    ['thrown', 'timeout'],
  ],
  [
    'throws what loops as text',
    'throw { toString() { for (;;); }, [Symbol.toPrimitive]() { for (;;); } }',
    ['thrown'],
  ],
  ['returns what loops as JSON', 'return { toJSON() { for (;;); } }', ['timeout']],
  ['requests what loops as JSON', 'host.request({ get x() { for (;;); } })', ['timeout']],
  ['logs what loops as text', `host.log('info', { toString() { for (;;); } })`, ['timeout']],
  [
    'parses a huge text',
    `let text = '1,'; for (let n = 0; n < 23; n++) text += text; return JSON.parse('[' + text + '1]')`,
    ['thrown'],
  ],
  [
    'nests without end',
    'let nest = {}; for (let n = 0; n < 1e6; n++) nest = { nest }; return nest',
    ['thrown', 'memory', 'timeout'],
  ],
  [
    'compiles an enormous pattern',
    `new RegExp('(' + '(?:a|b){1,1000}'.repeat(20) + '){1,100}').test('ab')`,
    ['thrown'],
  ],
  ['matches an enormous pattern', `'x'.match('(a{1000}){1000}')`, ['thrown']],
  ['searches an endless list', `return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)`, ['thrown']],
  ['fills a sparse list', `${SPARSE} sparse.fill(0)`, ['thrown']],
  ['sorts a sparse list', `${SPARSE} return sparse.sort()`, ['thrown']],
  ['spreads a sparse list', `${SPARSE} return [...sparse].length`, ['memory', 'timeout', 'crashed']],
  [
    'walks a sparse list natively',
    `${SPARSE} return [...sparse.values().drop(2 ** 32 - 2)].length`,
    ['timeout', 'crashed'],
  ],
  ['applies an endless list', 'return Math.max.apply(null, { length: 2 ** 27 })', ['thrown']],
  [
    'flattens itself',
    'let all = [1]; for (let n = 0; n < 34; n++) all = [all, all]; return all.flat(99).length',
    ['memory', 'timeout', 'crashed'],
  ],
  ['never ends a generator', 'function* all() { for (;;) yield 1 } return [...all()]', ['memory', 'timeout']],
  [
    'indents without end',
    `let list = new Array(50_000).fill(1); for (let n = 0; n < 3000; n++) list = [list]
    return JSON.stringify(list, null, '          ').length`,
    ['timeout', 'crashed', 'memory', 'thrown'],
  ],
  ['floods with requests', 'for (;;) try { host.request(1) } catch {}', ['timeout']],
  ['floods with questions', `for (;;) try { host.ask('nothing', 1) } catch {}`, ['timeout']],
]

/** What code cannot even be loaded with. */
const REFUSED: readonly (readonly [string, string])[] = [
  ['a promise that is rejected', '(async () => { throw { get message() { for (;;); } } })()'],
  ['a loop of microtasks', 'const again = async () => { await 0; again() }; again()'],
  ['an enormous integer', 'return 2n ** (2n ** 30n)'],
  ['a shift of an integer', 'return 1n << 1073741823n'],
  ['an import', `import('node:fs')`],
]

/** What is not there to be attacked with. */
const ABSENT: readonly (readonly [string, string])[] = [
  ['shared memory', 'new SharedArrayBuffer(8, { maxByteLength: 2 ** 32 })'],
  ['waiting', 'Atomics.wait(new Int32Array(8), 0, 0)'],
  ['WebAssembly memory', 'new WebAssembly.Memory({ initial: 65536 })'],
  ['an inspector', 'createInspectorSession()'],
  ['promises', 'Promise.reject({ get message() { for (;;); } })'],
  ['finalisers', 'new FinalizationRegistry(() => { for (;;); })'],
]

describe('A plugin that attacks (R-PR-02, R-PR-04)', () => {
  let attacker: ProcessSandbox
  let neighbour: ProcessSandbox
  let events: SandboxEvent[]

  before(async () => {
    const restart = { crashesMax: 1_000, calmNs: 0 }
    ;({ sandbox: attacker, events } = openSandbox({ limits: { graceMs: 150, bootMs: 60_000 }, restart }))
    ;({ sandbox: neighbour } = openSandbox({ limits: { bootMs: 60_000 } }))
    await loaded(neighbour, 'other', codeOf('return argument + 1'))
  })
  after(async () => {
    await attacker.close()
    await neighbour.close()
  })

  /** Runs an attack beside a peaceful instance of the same signer. */
  const attack = async (body: string): Promise<Reply<JsonValue>> => {
    events.length = 0
    await settle(attacker)
    for (const instance of ['hostile', 'peaceful']) attacker.unload(instance)
    await loaded(attacker, 'peaceful', codeOf('return argument + 1'))
    await loaded(attacker, 'hostile', codeOf(body), { limits: { callMs: 100, memoryBytes: 16e6 } })
    return call(attacker, 'hostile', 'run')
  }

  const staysContained = async (reply: Reply<JsonValue>): Promise<void> => {
    expect(await resultOf(neighbour, 'other', 'run', 1), 'the other signer').to.equal(2)
    expect(neighbour.stats().crashes).to.equal(0)
    const crash = events.find((event) => event.kind === 'crashed')
    const crashed = !reply.ok && reply.failure.code === 'crashed'
    expect(crash !== undefined, 'a crash and its event').to.equal(crashed)
    if (crash?.kind === 'crashed' && !reply.ok) {
      expect([crash.culprit, reply.failure.blamed]).to.deep.equal(['hostile', true])
      expect(['timeout', 'memory', 'died']).to.include(crash.reason)
      await loaded(attacker, 'peaceful', codeOf('return argument + 1'))
    }
    expect(await resultOf(attacker, 'peaceful', 'run', 1), 'the same signer').to.equal(2)
    const gone = !reply.ok && reply.failure.code !== 'thrown'
    expect('hostile' in attacker.stats().instances, 'the attacker is there').to.equal(!gone)
  }

  describe('when it runs', () => {
    for (const [what, body, ends] of ATTACKS)
      it(`is contained when it ${what}`, async () => {
        const reply = await attack(body)
        expect(ends).to.include(reply.ok ? `no failure: ${JSON.stringify(reply.value)}` : reply.failure.code)
        await staysContained(reply)
      })

    for (const [what, body] of ABSENT)
      it(`finds nothing when it wants ${what}`, async () => {
        const reply = await attack(body)
        expect(reply.ok ? '' : reply.failure.message).to.match(/^ReferenceError: \w+ is not defined$/)
        await staysContained(reply)
      })

    it('gets no resizable memory', async () => {
      const reply = await attack(`const buffer = new ArrayBuffer(8, { maxByteLength: 2 ** 32 })
        const view = new Uint8Array(buffer); try { buffer.resize(2 ** 32) } catch {} return view.length`)
      expect(reply.ok && reply.value).to.equal(8)
      await staysContained(reply)
    })
  })

  describe('when it is loaded', () => {
    for (const [what, body] of REFUSED)
      it(`is refused with ${what}`, () => {
        expect(
          findProblems(`module.exports = { calls: { run() { ${body} } } }`, 'plugin.js'),
        ).not.to.have.length(0)
      })

    for (const [what, code, end] of [
      ['loops at once', 'for (;;);', 'timeout'],
      ['grows at once', 'const all = []; for (;;) all.push({})', 'memory'],
      ['throws a getter that loops', 'throw { get message() { for (;;); } }', 'thrown'],
      ['exports what loops', 'module.exports = { get calls() { for (;;); } }', 'timeout'],
    ] as const)
      it(`is contained when it ${what}`, async () => {
        await attack('return 1')
        attacker.unload('hostile')
        const limits = { loadMs: 100, memoryBytes: 8e6 }
        const reply = await load(attacker, 'loading', vet(code, 'plugin.js'), { limits })
        expect(reply.ok ? 'loaded' : [end, 'timeout'].includes(reply.failure.code)).to.equal(true)
        expect(attacker.stats().instances).to.have.all.keys('peaceful')
        expect(await resultOf(attacker, 'peaceful', 'run', 1)).to.equal(2)
      })
  })

  describe('when it takes more memory than the process may', () => {
    it('takes down its own process only, is named, and comes back when loaded again', async () => {
      const small = openSandbox({ limits: { memoryBytes: 120e6, graceMs: 60_000, bootMs: 60_000 } })
      try {
        const grow = `const all = []; for (let n = 0; n < 100; n++) all.push(new Uint8Array(4e6).fill(n)); for (;;);`
        const limits = { memoryBytes: 1e9, callMs: 60_000 }
        await loaded(small.sandbox, 'hostile', codeOf(grow), { limits })
        const reply = await call(small.sandbox, 'hostile', 'run')
        expect(reply.ok ? 'no failure' : reply.failure).to.include({ code: 'crashed', blamed: true })
        expect(small.events).to.deep.include({
          kind: 'crashed',
          reason: 'memory',
          culprit: 'hostile',
          lost: ['hostile'],
          detail: '',
        })
        await loaded(small.sandbox, 'peaceful', codeOf('return 7'))
        expect(await resultOf(small.sandbox, 'peaceful', 'run')).to.equal(7)
      } finally {
        await small.sandbox.close()
      }
    })
  })

  describe('when it does not come back from a batch', () => {
    it('takes its process down once; from then on it is timed, and takes down nobody else', async () => {
      // Between the isolate's own end and the watchdog's lies more than any machine stands still.
      const { sandbox, events } = openSandbox({ limits: { graceMs: 3_000, bootMs: 60_000 } })
      const code = vet(
        'module.exports = { batches: { decide(host, input) { if (input[0] === 7) for (;;); } } }',
        'plugin.js',
      )
      const limits = { batchMs: 100 }
      const decide = async (): Promise<Batch> => {
        const batch = new Batch({ capacity: 4, inputWords: 1, outputWords: 1 })
        batch.count = 2
        batch.input[0] = 7
        sandbox.decide('hostile', 'decide', batch, AT, () => {})
        await settle(sandbox)
        return batch
      }
      try {
        await loaded(sandbox, 'peaceful', codeOf('return 7'))
        await loaded(sandbox, 'hostile', code, { limits })
        expect((await decide()).failure).to.include({ code: 'crashed', blamed: true })
        expect(events.filter((event) => event.kind === 'crashed')).to.deep.equal([
          {
            kind: 'crashed',
            reason: 'timeout',
            culprit: 'hostile',
            lost: ['peaceful', 'hostile'],
            detail: '',
          },
        ])
        await loaded(sandbox, 'peaceful', codeOf('return 7'))
        await loaded(sandbox, 'hostile', code, { limits })
        expect((await decide()).failure).to.include({ code: 'timeout', blamed: false })
        expect(Object.keys(sandbox.stats().instances)).to.deep.equal(['peaceful'])
        expect(await resultOf(sandbox, 'peaceful', 'run')).to.equal(7)
        expect(sandbox.stats().crashes).to.equal(1)
      } finally {
        await sandbox.close()
      }
    })
  })

  describe('when it takes its process down again and again', () => {
    it('is quarantined; its neighbours in the process are not', async () => {
      // A rope that is written down is one native loop: the watchdog has to end it.
      const crashing = codeOf(`${ROPE} return [rope, rope, rope, rope]`)
      const limits = { callMs: 50, memoryBytes: 1e9 }
      const { sandbox, events } = openSandbox({
        limits: { graceMs: 0, memoryBytes: 300e6, bootMs: 60_000 },
        restart: { crashesMax: 2, firstDelayNs: 1 },
      })
      try {
        for (let round = 0; round < 2; round++) {
          await loaded(sandbox, 'peaceful', codeOf('return 7'))
          await loaded(sandbox, 'hostile', crashing, { limits })
          const reply = await call(sandbox, 'hostile', 'run')
          expect(reply.ok ? 'no failure' : reply.failure.code).to.equal('crashed')
          await settle(sandbox)
        }
        expect(events.filter((event) => event.kind === 'quarantined')).to.deep.equal([
          { kind: 'quarantined', instance: 'hostile' },
        ])
        expect(sandbox.stats()).to.deep.include({ quarantined: ['hostile'], crashes: 2 })
        await loaded(sandbox, 'peaceful', codeOf('return 7'))
        let refused = ''
        sandbox.load('hostile', crashing, OPTIONS, AT, (reply) => {
          refused = reply.ok ? 'loaded' : reply.failure.code
        })
        await settle(sandbox)
        expect(refused).to.equal('quarantined')
        sandbox.pardon('hostile')
        await loaded(sandbox, 'hostile', codeOf('return 8'))
      } finally {
        await sandbox.close()
      }
    })
  })
})
