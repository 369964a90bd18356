/** What every sandbox promises, as one suite. An implementation is one call: it says how to open one. */
import { expect } from 'chai'
import { after, afterEach, before, describe, it } from 'mocha'
import { Random } from '../../engine/random.ts'
import { Batch } from '../../execution-env/sandbox/batch.ts'
import type { Sandbox } from '../../execution-env/sandbox/sandbox.ts'
import { vet } from '../../execution-env/sandbox/vetting.ts'
import {
  AT,
  call,
  codeOf,
  codeOfFailure,
  load,
  loaded,
  OPTIONS,
  resultOf,
  settle,
} from '../execution-env/sandbox/rig.ts'

const DOUBLER = vet(
  `module.exports = {
    calls: { late(host) { return host.now() }, sum(host, list) { return list.reduce((a, b) => a + b, 0) } },
    batches: {
      unused() {},
      double(host, input, output, count) {
        for (let at = 0; at < count; at++) {
          const mark = host.mark()
          try {
            host.request({ record: at })
            if (input[at * 2] === 13) throw new Error('unlucky')
            output[at] = input[at * 2] * 2 + input[at * 2 + 1]
          } catch (thrown) { host.fault(at, thrown, mark) }
        }
      },
      refuse() { throw new Error('not today') },
      quiet(host, input, output, count) { for (let at = 0; at < count; at++) output[at] = at + 1 },
    },
  }`,
  'doubler.js',
)

export interface SandboxRig {
  open(): Sandbox
}

export function describeSandbox(name: string, rig: SandboxRig): void {
  describe(`Sandbox (${name}) (R-PR-02)`, () => {
    let sandbox: Sandbox
    before(() => {
      sandbox = rig.open()
    })
    after(() => sandbox.close())
    afterEach(async () => {
      for (const instance of Object.keys(sandbox.stats().instances)) sandbox.unload(instance)
      await settle(sandbox)
    })

    describe('when it loads', () => {
      it('tells the entries', async () => {
        const report = await loaded(sandbox, 'a', DOUBLER)
        expect(report.calls).to.deep.equal(['late', 'sum'])
        expect(report.batches).to.deep.equal(['unused', 'double', 'refuse', 'quiet'])
        expect(Object.keys(sandbox.stats().instances)).to.deep.equal(['a'])
      })

      it('refuses a name in use, and takes it again after it was unloaded', async () => {
        await loaded(sandbox, 'a', DOUBLER)
        expect(codeOfFailure(await load(sandbox, 'a', DOUBLER))).to.equal('exists')
        const replies: string[] = []
        sandbox.unload('a', (reply) => replies.push(reply.ok ? 'gone' : 'failed'))
        sandbox.load('a', DOUBLER, OPTIONS, AT, (reply) => replies.push(reply.ok ? 'loaded' : 'failed'))
        await settle(sandbox)
        expect(replies).to.deep.equal(['gone', 'loaded'])
        expect(await resultOf(sandbox, 'a', 'sum', [1, 2])).to.equal(3)
      })

      it('leaves nothing behind of code that throws', async () => {
        const reply = await load(sandbox, 'a', vet('\n  null.field', 'broken.js'))
        if (reply.ok) throw new Error('it loaded')
        expect(reply.failure.code).to.equal('thrown')
        expect(reply.failure.stack).to.contain('broken.js:2:8')
        expect(sandbox.stats().instances).to.deep.equal({})
        expect(codeOfFailure(await call(sandbox, 'a', 'run'))).to.equal('unknown')
        await loaded(sandbox, 'a', DOUBLER)
      })

      it('refuses a runtime that is not a program', async () => {
        expect(codeOfFailure(await load(sandbox, 'a', DOUBLER, { runtime: '(host' }))).to.equal('refused')
      })

      it('keeps instances apart', async () => {
        const code = vet('let n = 0; module.exports = { calls: { next: () => ++n } }', 'counter.js')
        await loaded(sandbox, 'a', code)
        await loaded(sandbox, 'b', code)
        await resultOf(sandbox, 'a', 'next')
        expect(await resultOf(sandbox, 'a', 'next')).to.equal(2)
        expect(await resultOf(sandbox, 'b', 'next')).to.equal(1)
      })

      it('succeeds in unloading what is not there', async () => {
        let told = false
        sandbox.unload('nobody', (reply) => {
          told = reply.ok
        })
        await settle(sandbox)
        expect(told).to.equal(true)
      })
    })

    describe('when it calls', () => {
      it('gives the value, the requests and the log lines', async () => {
        const body = `host.log('warn', 'heard ' + argument.word); host.request({ do: 'this' }); return { heard: argument }`
        await loaded(sandbox, 'a', codeOf(body))
        const reply = await call(sandbox, 'a', 'run', { word: 'grüß\u{1f600}' })
        expect(reply.ok && reply.value).to.deep.equal({ heard: { word: 'grüß\u{1f600}' } })
        expect(reply.requests).to.deep.equal([{ do: 'this' }])
        expect(reply.logs).to.deep.equal([{ level: 'warn', text: 'heard grüß\u{1f600}' }])
      })

      it('gives null for no value', async () => {
        await loaded(sandbox, 'a', codeOf(''))
        expect(await resultOf(sandbox, 'a', 'run')).to.equal(null)
      })

      it('shows the time of the call, and of the load', async () => {
        const code = `let at; module.exports = { calls: { run: (host) => [host.now(), host.clock()] } }`
        await loaded(sandbox, 'a', vet(code, 'time.js'))
        expect(await resultOf(sandbox, 'a', 'run')).to.deep.equal([AT.now, AT.clock])
      })

      it("draws from the engine's generator, started by the seed", async () => {
        await loaded(sandbox, 'a', codeOf('return [host.random(), host.random(), host.random()]'), {
          seed: [11, 22, 33, 44],
        })
        const random = new Random([11, 22, 33, 44])
        expect(await resultOf(sandbox, 'a', 'run')).to.deep.equal([
          random.float(),
          random.float(),
          random.float(),
        ])
      })

      it('tells what was thrown, discards the requests, and goes on', async () => {
        const body = `host.log('info', 'so far'); host.request(1); if (argument) throw new TypeError('no ' + argument)`
        await loaded(sandbox, 'a', codeOf(body))
        const reply = await call(sandbox, 'a', 'run', 'way')
        if (reply.ok) throw new Error('it succeeded')
        expect(reply.failure).to.include({ code: 'thrown', message: 'TypeError: no way', blamed: false })
        expect(reply.requests).to.deep.equal([])
        expect(reply.logs).to.deep.equal([{ level: 'info', text: 'so far' }])
        expect((await call(sandbox, 'a', 'run', 0)).requests).to.deep.equal([1])
      })

      for (const [what, thrown] of [
        ['nothing', 'undefined'],
        ['a number', '7'],
        ['a symbol', 'Symbol("s")'],
        ['an object', '{ a: 1 }'],
        ['a function', '() => {}'],
      ])
        it(`survives that ${what} is thrown`, async () => {
          await loaded(sandbox, 'a', codeOf(`throw ${thrown}`))
          expect(codeOfFailure(await call(sandbox, 'a', 'run'))).to.equal('thrown')
        })

      it('refuses entries that are not there, whatever their names', async () => {
        await loaded(sandbox, 'a', codeOf(''))
        for (const name of ['other', 'constructor', '__proto__', 'toString', ''])
          expect(codeOfFailure(await call(sandbox, 'a', name)), name).to.equal('unknown')
      })

      it('answers in the order of the calls', async () => {
        await loaded(sandbox, 'a', codeOf('return argument'))
        await loaded(sandbox, 'b', codeOf('return argument'))
        const order: unknown[] = []
        for (let number = 0; number < 40; number++)
          sandbox.call(number % 2 === 0 ? 'a' : 'b', 'run', number, AT, (reply) => {
            order.push(reply.ok && reply.value)
          })
        await settle(sandbox)
        expect(order).to.deep.equal(Array.from({ length: 40 }, (_, at) => at))
      })

      it('never answers before it is polled, and takes new calls from within an answer', async () => {
        await loaded(sandbox, 'a', codeOf('return argument + 1'))
        const seen: unknown[] = []
        sandbox.call('a', 'run', 1, AT, (first) => {
          seen.push(first.ok && first.value)
          sandbox.call('a', 'run', 10, AT, (second) => seen.push(second.ok && second.value))
        })
        expect(seen).to.deep.equal([])
        await settle(sandbox)
        expect(seen).to.deep.equal([2, 11])
      })

      it('moves state from one instance to the next', async () => {
        const code = vet(
          `const flows = new Map(); module.exports = { calls: {
            add: (host, key) => { flows.set(key, flows.size) },
            exportState: () => ({ version: 1, flows: [...flows] }),
            importState: (host, old) => { for (const [k, v] of old.flows) flows.set(k, v); return flows.size } } }`,
          'state.js',
        )
        await loaded(sandbox, 'v1', code)
        for (const key of ['x', 'y', 'z']) await resultOf(sandbox, 'v1', 'add', key)
        const state = await resultOf(sandbox, 'v1', 'exportState')
        await loaded(sandbox, 'v2', code)
        expect(await resultOf(sandbox, 'v2', 'importState', state)).to.equal(3)
        expect(await resultOf(sandbox, 'v2', 'exportState')).to.deep.equal(state)
      })
    })

    describe('when plugins ask the host', () => {
      const host = {
        double: (argument: unknown) => (argument as number) * 2,
        forbid: () => {
          throw Object.assign(new Error('not for you'), { code: 'forbidden' })
        },
      }

      it('gives the answer, or throws the refusal with its code', async () => {
        const body = `if (argument < 9) return host.ask('double', argument)
          try { host.ask('forbid', null) } catch (error) { return [error.code, error.message] }`
        await loaded(sandbox, 'a', codeOf(body), { host })
        expect(await resultOf(sandbox, 'a', 'run', 4)).to.equal(8)
        expect(await resultOf(sandbox, 'a', 'run', 9)).to.deep.equal(['forbidden', 'not for you'])
      })

      it('refuses what was not granted to this instance', async () => {
        const body = `try { host.ask(argument, 1) } catch (error) { return error.code }`
        await loaded(sandbox, 'a', codeOf(body), { host })
        await loaded(sandbox, 'b', codeOf(body))
        for (const name of ['double', 'toString', '__proto__'])
          expect(await resultOf(sandbox, 'b', 'run', name)).to.equal('unknown')
        expect(await resultOf(sandbox, 'a', 'run', 'constructor')).to.equal('unknown')
      })

      it('answers while other calls wait', async () => {
        await loaded(sandbox, 'a', codeOf(`return host.ask('double', argument)`), { host })
        const values: unknown[] = []
        for (let number = 0; number < 10; number++)
          sandbox.call('a', 'run', number, AT, (reply) => values.push(reply.ok && reply.value))
        await settle(sandbox)
        expect(values).to.deep.equal([0, 2, 4, 6, 8, 10, 12, 14, 16, 18])
      })
    })

    describe('when batches ask the host', () => {
      it('decides each with its own answers while others wait', async () => {
        const code = vet(
          `module.exports = { batches: { look: (host, input, output, count) => {
            for (let at = 0; at < count; at++) output[at] = host.ask('double', input[at]) } } }`,
          'asking.js',
        )
        await loaded(sandbox, 'a', code, { host: { double: (argument) => (argument as number) * 2 } })
        const decided: number[] = []
        for (let number = 0; number < 12; number++) {
          const batch = new Batch({ capacity: 2, inputWords: 1, outputWords: 1 })
          batch.count = 2
          batch.input.set([number, number + 100])
          sandbox.decide('a', 'look', batch, AT, (given) => decided.push(given.output[0]!, given.output[1]!))
        }
        await settle(sandbox)
        expect(decided).to.deep.equal(
          Array.from({ length: 12 }, (_, number) => [number * 2, (number + 100) * 2]).flat(),
        )
        expect(sandbox.stats().crashes).to.equal(0)
      })
    })

    describe('when it decides batches', () => {
      const decide = async (entry: string, records: readonly number[], batch?: Batch): Promise<Batch> => {
        const used = batch ?? new Batch({ capacity: 256, inputWords: 2, outputWords: 1 })
        used.count = records.length / 2
        used.input.set(records)
        let told: Batch | undefined
        sandbox.decide('a', entry, used, AT, (given) => {
          told = given
        })
        await settle(sandbox)
        expect(told).to.equal(used)
        return used
      }

      it('decides every record', async () => {
        await loaded(sandbox, 'a', DOUBLER)
        const records = Array.from({ length: 512 }, (_, at) => (at * 31) % 7)
        const batch = await decide('double', records)
        expect(batch.failure).to.equal(undefined)
        const wanted = Array.from({ length: 256 }, (_, at) => records[at * 2]! * 2 + records[at * 2 + 1]!)
        expect([...batch.output]).to.deep.equal(wanted)
        expect(batch.requests.length).to.equal(256)
      })

      it('tells the records that threw, takes back their requests, and decides the others', async () => {
        await loaded(sandbox, 'a', DOUBLER)
        const batch = await decide('double', [1, 0, 13, 0, 3, 0])
        expect([...batch.output.subarray(0, 3)]).to.deep.equal([2, 0, 6])
        expect(batch.faulty).to.equal(1)
        expect(batch.faults[0]).to.include({ record: 1, message: 'Error: unlucky' })
        expect(batch.faults[0]!.stack).to.contain('doubler.js:')
        expect(batch.requests).to.deep.equal([{ record: 0 }, { record: 2 }])
      })

      it('uses a batch again without remembering', async () => {
        await loaded(sandbox, 'a', DOUBLER)
        const batch = await decide('double', [13, 0, 5, 0])
        await decide('quiet', [0, 0], batch)
        expect([batch.failure, batch.faulty, batch.requests.length]).to.deep.equal([undefined, 0, 0])
        expect(batch.output[0]).to.equal(1)
        await decide('unused', [0, 0], batch)
        expect(batch.output[0]).to.equal(0)
      })

      it('decides nothing when the entry throws, or is not there', async () => {
        await loaded(sandbox, 'a', DOUBLER)
        const batch = await decide('quiet', [0, 0])
        await decide('refuse', [0, 0], batch)
        expect(batch.failure).to.include({ code: 'thrown', message: 'Error: not today' })
        expect(batch.output[0]).to.equal(0)
        await decide('sum', [0, 0], batch)
        expect(batch.failure?.code).to.equal('unknown')
      })

      it('refuses records over the limit', async () => {
        await loaded(sandbox, 'a', DOUBLER, { limits: { batchBytes: 64 } })
        const batch = await decide('quiet', new Array(16).fill(0))
        expect(batch.failure).to.equal(undefined)
        await decide('quiet', new Array(18).fill(0), batch)
        expect(batch.failure?.code).to.equal('limit')
      })

      it('counts', async () => {
        await loaded(sandbox, 'a', DOUBLER)
        await decide('quiet', [0, 0, 0, 0])
        await call(sandbox, 'a', 'sum', 'not a list')
        const stats = sandbox.stats().instances['a']!
        expect(stats).to.include({ batches: 1, decisions: 2, calls: 1, failures: 1 })
        expect(stats.spentNs).to.be.greaterThan(0)
      })
    })

    describe('when a plugin wants too much', () => {
      it('bounds its requests', async () => {
        await loaded(sandbox, 'a', codeOf('for (let n = 0; n < argument; n++) host.request(n)'), {
          limits: { requests: 10, requestBytes: 1_000 },
        })
        expect((await call(sandbox, 'a', 'run', 10)).requests.length).to.equal(10)
        expect(codeOfFailure(await call(sandbox, 'a', 'run', 11))).to.equal('thrown')
        await loaded(sandbox, 'b', codeOf(`host.request('x'.repeat(argument))`), {
          limits: { requestBytes: 1_000 },
        })
        expect((await call(sandbox, 'b', 'run', 998)).requests.length).to.equal(1)
        expect(codeOfFailure(await call(sandbox, 'b', 'run', 999))).to.equal('thrown')
      })

      it('bounds its results', async () => {
        const limits = { resultBytes: 100 }
        await loaded(sandbox, 'a', codeOf(`return 'x'.repeat(argument)`), { limits })
        expect((await call(sandbox, 'a', 'run', 98)).ok).to.equal(true)
        expect(codeOfFailure(await call(sandbox, 'a', 'run', 99))).to.equal('thrown')
      })

      it('cuts its log lines and counts those over the limit', async () => {
        await loaded(sandbox, 'a', codeOf(`for (let n = 0; n < 9; n++) host.log('odd', 'x'.repeat(50))`), {
          limits: { logLines: 4, logLineLength: 20 },
        })
        const reply = await call(sandbox, 'a', 'run')
        expect(reply.logs).to.deep.equal(new Array(4).fill({ level: 'info', text: 'x'.repeat(20) }))
        expect(reply.logsDropped).to.equal(5)
      })

      it('bounds its questions', async () => {
        await loaded(sandbox, 'a', codeOf(`for (let n = 0; n < argument; n++) host.ask('same', n)`), {
          limits: { asks: 5 },
          host: { same: (argument) => argument },
        })
        expect((await call(sandbox, 'a', 'run', 5)).ok).to.equal(true)
        expect(codeOfFailure(await call(sandbox, 'a', 'run', 6))).to.equal('thrown')
      })

      for (const [what, value] of [
        ['too deep', `(function nest(n) { return n === 0 ? 1 : [nest(n - 1)] })(100)`],
        ['reaching a prototype', `JSON.parse('{ "a": { "__proto__": 1 } }')`],
      ])
        it(`fails calls whose values are ${what}, and goes on`, async () => {
          await loaded(sandbox, 'a', codeOf(`if (argument === 1) return ${value}; host.request(${value})`))
          expect(codeOfFailure(await call(sandbox, 'a', 'run', 1))).to.equal('invalid')
          expect(codeOfFailure(await call(sandbox, 'a', 'run', 2))).to.equal('invalid')
          expect(sandbox.stats().crashes).to.equal(0)
          expect(Object.keys(sandbox.stats().instances)).to.deep.equal(['a'])
        })

      it('fails calls whose values cannot be written down', async () => {
        await loaded(sandbox, 'a', codeOf('const loop = {}; loop.self = loop; return loop'))
        expect(codeOfFailure(await call(sandbox, 'a', 'run'))).to.equal('thrown')
      })
    })

    describe('when a callback throws', () => {
      it('throws out of poll, and still tells everybody else, once', async () => {
        await loaded(sandbox, 'a', codeOf('return argument'))
        const told: unknown[] = []
        for (const number of [1, 2, 3])
          sandbox.call('a', 'run', number, AT, (reply) => {
            told.push(reply.ok && reply.value)
            if (number === 2) throw new Error('mine')
          })
        const errors: unknown[] = []
        while (told.length < 3)
          try {
            await settle(sandbox)
          } catch (error) {
            errors.push((error as Error).message)
          }
        await settle(sandbox)
        expect([told, errors]).to.deep.equal([[1, 2, 3], ['mine']])
      })
    })

    describe('when it is closed', () => {
      it('fails what is outstanding and what comes later', async () => {
        const closing = rig.open()
        await loaded(closing, 'a', DOUBLER)
        const codes: string[] = []
        closing.call('a', 'sum', [1], AT, (reply) => codes.push(codeOfFailure(reply)))
        const batch = new Batch({ capacity: 1, inputWords: 2, outputWords: 1 })
        batch.count = 1
        closing.decide('a', 'quiet', batch, AT, (given) => codes.push(given.failure?.code ?? 'none'))
        await closing.close()
        closing.call('a', 'sum', [1], AT, (reply) => codes.push(codeOfFailure(reply)))
        await settle(closing)
        expect(codes).to.deep.equal(['closed', 'closed', 'closed'])
        expect(closing.stats().state).to.equal('closed')
        await closing.close()
      })
    })
  })
}
