import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { wrapModule } from '../../../execution-env/sandbox/module-text.ts'
import { SandboxError } from '../../../execution-env/sandbox/sandbox-error.ts'
import { CODE_LENGTH_MAX, findProblems, vet } from '../../../execution-env/sandbox/vetting.ts'

const reasons = (source: string): string[] =>
  findProblems(source, 'plugin.js').map((problem) => problem.reason)

describe('vet', () => {
  describe('when code is acceptable', () => {
    for (const source of [
      '',
      'module.exports = { setup() {} }',
      'function* each(list) { for (const item of list) yield item }',
      'class Server { #load = 0; static { this.count = 0 } get load() { return this.#load } }',
      'const { eval: number, ...rest } = { eval: 1 }; rest.eval = number; class A { eval() {} }',
      'const words = /^[a-z]{1,63}$/u',
      'using handle = { [Symbol.dispose]() {} }',
      'return',
      '// a comment at the end',
    ])
      it(`accepts ${JSON.stringify(source)}`, () => {
        expect(vet(source, 'plugin.js')).to.deep.equal({ vetted: true, source, file: 'plugin.js' })
      })
  })

  describe('when code could run outside the calls into it', () => {
    for (const source of [
      'async function f() {}',
      'const f = async () => 1',
      'module.exports = { async setup() {} }',
      'class A { static async m() {} }',
      'async function* f() {}',
      ['const text = `$', '{async () => 1}`'].join(''),
      'import("fs")',
      'import.meta',
    ])
      it(`refuses ${source}`, () => {
        expect(reasons(source)).to.have.length(1)
      })

    for (const source of ['import fs from "fs"', 'export default 1', 'await 1', 'for await (const x of []);'])
      it(`refuses ${source} as a syntax error`, () => {
        expect(reasons(source)).to.have.length(1)
      })
  })

  describe('when code uses what cannot be bounded', () => {
    for (const source of ['eval("1")', 'const e = eval', '(0, eval)("1")', '({ eval })', 'x[eval]'])
      it(`refuses ${source}`, () => {
        expect(reasons(source)).to.deep.equal(['eval cannot be used'])
      })

    it('refuses BigInt', () => {
      expect(reasons('const a = 2n ** 64n')).to.deep.equal(['BigInt cannot be used', 'BigInt cannot be used'])
    })

    it('refuses enormous regular expressions', () => {
      expect(reasons('/(?:a{1000}){1000}/')).to.deep.equal(['a regular expression with too many repetitions'])
      expect(reasons(`/${'a'.repeat(5000)}/`)[0]).to.contain('5000 characters')
    })

    it('refuses with', () => {
      expect(reasons('with (Math) random()')[0]).to.contain('with')
    })
  })

  describe('when code is too large or too deep', () => {
    it('refuses it unparsed', () => {
      expect(reasons(' '.repeat(CODE_LENGTH_MAX + 1))).to.have.length(1)
      expect(reasons(' '.repeat(CODE_LENGTH_MAX))).to.deep.equal([])
    })

    for (const [what, source] of [
      ['lists', `x = ${'['.repeat(1000)}${']'.repeat(1000)}`],
      ['sums', `x = 1${'+1'.repeat(5000)}`],
      ['functions', `${'() => '.repeat(2000)}1`],
      ['blocks without end', '{'.repeat(200_000)],
    ] as const)
      it(`refuses deeply nested ${what}`, () => {
        expect(reasons(source)).not.to.deep.equal([])
      })
  })

  describe('when code tries to end its wrapping', () => {
    for (const source of [
      '}); (function (module, exports) {',
      '}, function () {',
      '})\n(function (module, exports) {',
      '} /* ',
      '}) // ',
      '}) <!-- ',
    ])
      it(`refuses ${JSON.stringify(source)}`, () => {
        expect(reasons(source)).not.to.deep.equal([])
      })

    it('accepts only what is one function expression to the compiler, too', () => {
      const pieces = [
        '}',
        '{',
        ')',
        '(',
        ';',
        ',',
        'x',
        '//',
        '/*',
        '*/',
        '`',
        "'",
        '\n',
        '-->',
        '<!--',
        'function',
      ]
      const source = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join(' '))
      fc.assert(
        fc.property(source, (text) => {
          if (findProblems(text, 'plugin.js').length > 0) return
          const made: unknown = new Function(`return ${wrapModule(text)}`)()
          expect(typeof made).to.equal('function')
          expect((made as () => void).length).to.equal(2)
        }),
        { numRuns: 2000 },
      )
    })
  })

  describe('when it refuses', () => {
    it('throws all problems with their positions', () => {
      const source = 'const a = 1n\nconst b = async () => 1'
      try {
        vet(source, 'plugin.js')
        expect.fail('accepted')
      } catch (error) {
        if (!(error instanceof SandboxError)) throw error
        expect(error.code).to.equal('refused')
        expect(error.message.split('\n')).to.deep.equal([
          'plugin.js:1:11: BigInt cannot be used',
          'plugin.js:2:11: async functions cannot be used: handlers are synchronous',
        ])
      }
    })

    it('bounds what it tells', () => {
      expect(reasons('1n;'.repeat(100))).to.have.length(10)
    })

    it('refuses names that are not file names', () => {
      for (const file of ['', 'a b', 'a:1', 'a\nb', '(a)', 'a'.repeat(201)])
        expect(() => vet('', file), file).to.throw(SandboxError)
    })
  })

  it('never throws anything but a SandboxError', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        expect(findProblems(text, 'plugin.js')).to.be.an('array')
      }),
      { numRuns: 500 },
    )
  })
})
