import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import {
  AnswerError,
  readAnswer,
  readFailure,
  readNames,
  readValue,
  ValueError,
} from '../../../execution-env/sandbox/answer.ts'

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

describe('readAnswer', () => {
  describe('when it is what a kernel answers', () => {
    it('gives all its parts', () => {
      const text = JSON.stringify({
        value: { a: 1 },
        requests: [1, 'two'],
        logs: [['warn', 'look out']],
        dropped: 2,
        faults: [{ record: 3, message: 'm', stack: 's' }],
        faulty: 4,
      })
      expect(readAnswer(text)).to.deep.equal({
        value: { a: 1 },
        thrown: undefined,
        requests: [1, 'two'],
        logs: [{ level: 'warn', text: 'look out' }],
        dropped: 2,
        faults: [{ record: 3, message: 'm', stack: 's' }],
        faulty: 4,
      })
      expect(readAnswer('{}')).to.include({ value: null, thrown: undefined, dropped: 0, faulty: 0 })
    })

    it('cuts texts that are too long', () => {
      const long = 'x'.repeat(100_000)
      const { thrown, logs } = readAnswer(
        JSON.stringify({ thrown: { message: long, stack: long }, logs: [['info', long]] }),
      )
      expect([thrown?.message.length, thrown?.stack.length, logs[0]?.text.length]).to.deep.equal([
        2000, 4000, 2000,
      ])
    })
  })

  describe('when a taken-over process makes it up', () => {
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '7',
      '{"thrown":7}',
      '{"thrown":{"message":7,"stack":""}}',
      '{"thrown":{"message":""}}',
      '{"requests":{}}',
      '{"logs":[7]}',
      '{"logs":[["loud","x"]]}',
      '{"logs":[["info",{}]]}',
      '{"dropped":-1}',
      '{"dropped":1.5}',
      '{"dropped":"1"}',
      '{"faults":[[]]}',
      '{"faults":[{"record":1e300,"message":"","stack":""}]}',
      '{"faulty":null}',
    ])
      it(`refuses ${text}`, () => {
        expect(() => readAnswer(text)).to.throw(AnswerError)
      })

    it('gives an answer or refuses any JSON (property)', () => {
      fc.assert(
        fc.property(fc.json({ maxDepth: 4 }), (text) => {
          for (const read of [readAnswer, readFailure, (each: string) => readNames(readValue(each))])
            try {
              read(text)
            } catch (error) {
              expect(error instanceof AnswerError || error instanceof ValueError).to.equal(true)
            }
        }),
        { numRuns: 500 },
      )
    })
  })

  describe('when a plugin makes values that cannot be taken', () => {
    it('refuses depth without walking it', () => {
      expect(readValue(nested(64))).to.be.an('array')
      expect(() => readValue(nested(200_000))).to.throw(ValueError)
      expect(() => readAnswer(`{"value":${nested(100)}}`)).to.throw(ValueError)
    })

    it('refuses keys that reach a prototype, however they are written', () => {
      for (const text of ['{"__proto__":1}', '[{"a":{"\\u005f_proto__":{}}}]'])
        expect(() => readValue(text)).to.throw(ValueError)
      expect(readValue('{"constructor":1}')).to.deep.equal({ constructor: 1 })
    })
  })
})

describe('readFailure', () => {
  it('gives the failure', () => {
    expect(readFailure('{"code":"timeout","message":"no end"}')).to.deep.equal({
      code: 'timeout',
      message: 'no end',
      stack: '',
      blamed: false,
    })
  })

  it('refuses codes that are none', () => {
    for (const text of ['{"code":"toString","message":""}', '{"message":""}', '{"code":"timeout"}'])
      expect(() => readFailure(text)).to.throw(AnswerError)
  })
})
