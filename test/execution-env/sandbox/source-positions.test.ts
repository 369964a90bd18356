import { expect } from 'chai'
import { transformSync } from 'esbuild'
import { describe, it } from 'mocha'
import { SourcePositions } from '../../../execution-env/sandbox/source-positions.ts'
import { findProblems, vet } from '../../../execution-env/sandbox/vetting.ts'
import { call, load, loaded, openSandbox } from './rig.ts'

const SOURCE = `interface Server { load: number }

export const calls = {
  run(_host: unknown, server: Server | null): number {
    return server!.load
  },
}
`

function build(source: string): { code: string; map: string } {
  return transformSync(source, {
    loader: 'ts',
    format: 'cjs',
    sourcemap: 'external',
    sourcefile: 'src/policy.ts',
  })
}

describe('SourcePositions', () => {
  describe('when there is a map', () => {
    it('finds the line and column of the author', () => {
      const { code, map } = build(SOURCE)
      const lines = code.split('\n')
      const line = lines.findIndex((each) => each.includes('return server'))
      const column = lines[line]!.indexOf('server')
      const origin = new SourcePositions('plugin.js', map).origin(line + 1, column + 1)
      expect(origin).to.deep.equal({ file: 'src/policy.ts', line: 5, column: 12 })
    })

    it('maps the frames of the bundle in a stack, and no others', () => {
      const { map } = build(SOURCE)
      const positions = new SourcePositions('plugin.js', map)
      const stack = positions.mapStack('Error: x\n    at run (plugin.js:1:1)\n    at call (pronto:boot:7:9)')
      expect(stack.split('\n')[2]).to.equal('    at call (pronto:boot:7:9)')
    })

    it('tells problems of vetting where the author made them', () => {
      const { code, map } = build('\nexport const f = async (): Promise<number> => 1\n')
      const [problem] = findProblems(code, 'plugin.js', map)
      expect(problem?.position).to.include({ file: 'src/policy.ts', line: 2 })
    })

    it('tells where a plugin threw (R-PR-02)', async () => {
      const { code, map } = build(SOURCE)
      const { sandbox } = openSandbox()
      try {
        await loaded(sandbox, 'a', vet(code, 'plugin.js', map))
        const reply = await call(sandbox, 'a', 'run', null)
        if (reply.ok) throw new Error('it succeeded')
        expect(reply.failure.stack).to.contain('src/policy.ts:5:')
        const broken = build('\n\nconst none: { x: number } | null = null\nnone!.x\n')
        const refused = await load(sandbox, 'b', vet(broken.code, 'plugin.js', broken.map))
        if (refused.ok) throw new Error('it loaded')
        expect(refused.failure.stack).to.contain('src/policy.ts:4:')
      } finally {
        await sandbox.close()
      }
    })
  })

  describe('when the map is missing, broken or hostile', () => {
    for (const map of [
      undefined,
      '',
      '{',
      '[]',
      'null',
      '{"version":3}',
      '{"version":3,"sources":["a"],"mappings":7}',
      '{"version":3,"sources":[{}],"mappings":"AAAA"}',
      '{"version":3,"sources":["a"],"mappings":"AAAA","sections":[]}',
      `{"version":3,"sources":[${new Array(10_001).fill('""').join()}],"mappings":""}`,
    ])
      it(`keeps the bundle's position with ${String(map).slice(0, 40)}`, () => {
        const positions = new SourcePositions('plugin.js', map)
        expect(positions.origin(3, 4)).to.deep.equal({ file: 'plugin.js', line: 3, column: 4 })
        expect(positions.mapStack('at f (plugin.js:3:4)')).to.equal('at f (plugin.js:3:4)')
      })

    it('gives some position for mappings that are none', () => {
      for (const mappings of [
        '!!!!',
        'AAAA;AAgggggggggggggggggggA',
        ';'.repeat(100_000),
        'z',
        'AAAAAAAAAAAA',
      ])
        for (const sources of [[], ['a'], ['a', 'b']]) {
          const positions = new SourcePositions(
            'plugin.js',
            JSON.stringify({ version: 3, sources, mappings }),
          )
          expect(positions.origin(1, 1)).to.have.all.keys('file', 'line', 'column')
          expect(positions.mapStack('at f (plugin.js:999999999:1)')).to.be.a('string')
        }
    })
  })
})
