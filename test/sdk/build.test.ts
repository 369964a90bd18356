import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { readBundle } from '../../execution-env/bundle/index.ts'
import { buildPlugin } from '../../sdk/build.ts'
import { EXAMPLES, inFolder, MANIFEST, pluginOf, ROOT, refusalOf, runInIsolate, writeFiles } from './kit.ts'

const EMPTY = 'export default { setup() {} }\n'

async function codeOf(files: Readonly<Record<string, string>>) {
  return inFolder(async (folder) => {
    const built = await buildPlugin(writeFiles(folder, files))
    return { ...built, ...readBundle(built.bytes) }
  })
}

describe('buildPlugin (R-PR-01)', () => {
  describe('when the sources are in order', () => {
    for (const name of EXAMPLES)
      it(`builds the example ${name} into a bundle, with its map and nothing of the machine`, async () => {
        const built = await buildPlugin(join(ROOT, 'examples', name))
        expect(built.fileName).to.equal(`${name}-1.0.0.pronto`)
        expect(built.warnings).to.deep.equal([])
        const bundle = readBundle(built.bytes)
        expect(bundle.digest).to.equal(built.digest)
        expect(bundle.signature).to.equal(undefined)
        expect((JSON.parse(bundle.sourceMap) as { sources: string[] }).sources).to.include('plugin.ts')
        expect(Buffer.from(built.bytes).includes(ROOT), 'a path').to.equal(false)
      })

    it('takes in only what is used of the kit', async () => {
      const { code } = readBundle((await buildPlugin(join(ROOT, 'examples', 'round-robin'))).bytes)
      expect(code).to.contain('RoundRobin').and.not.contain('Maglev').and.not.contain('require(')
    })

    it('bundles TypeScript in several files, JSON, and libraries beside the folder', async () => {
      const { code } = await codeOf(
        pluginOf(
          `import { twice } from './lib/twice.ts'\nimport table from './table.json'\nimport { three } from 'small'
           enum Colour { red = 5 }
           export default { setup: () => twice(table.two) + three + Colour.red }`,
          {
            'lib/twice.ts': 'export const twice = (n: number): number => 2 * n',
            'table.json': '{ "two": 2 }',
            'node_modules/small/package.json': '{ "name": "small", "main": "index.js" }',
            'node_modules/small/index.js': 'exports.three = 3',
          },
        ),
      )
      expect(runInIsolate(code, '({ default: plugin }) => plugin.setup()')).to.equal(12)
    })

    it('tells what the bundler warns of, and its place', async () => {
      const { warnings } = await codeOf(pluginOf('export default { setup() {},\n  a: 1, a: 2 }'))
      expect(warnings).to.have.length(1)
      expect(warnings[0]).to.include({ line: 2, column: 9 })
      expect(warnings[0]!.message).to.contain('Duplicate key')
    })
  })

  describe('when the same sources are built again', () => {
    it('gives the same bytes, in another place with other settings around it', async () => {
      const name = 'consistent-hash'
      const { bytes } = await buildPlugin(join(ROOT, 'examples', name))
      const before = { ...process.env }
      const again = await inFolder(async (folder) => {
        writeFiles(folder, {
          'tsconfig.json': '{ "compilerOptions": { "target": "es5", "useDefineForClassFields": false } }',
          'package.json': '{ "type": "commonjs", "sideEffects": true }',
        })
        cpSync(join(ROOT, 'examples', name), join(folder, 'deep', 'elsewhere'), { recursive: true })
        Object.assign(process.env, { NODE_ENV: 'production', NODE_PATH: folder })
        try {
          return (await buildPlugin(join(folder, 'deep', 'elsewhere'))).bytes
        } finally {
          process.env = before
        }
      })
      expect(Buffer.compare(again, bytes)).to.equal(0)
    })

    it('gives other bytes for another version', async () => {
      const one = await codeOf(pluginOf(EMPTY))
      const other = await codeOf(pluginOf(EMPTY, {}, { ...MANIFEST, version: '1.0.1' }))
      expect(other.digest).not.to.equal(one.digest)
    })
  })

  describe('when the sources are not in order', () => {
    const cases: readonly (readonly [string, Record<string, string>, string, string | RegExp])[] = [
      [
        'a syntax error, by its column in characters',
        pluginOf(`const text = 'ää€'; const = 1`),
        'source',
        /^FOLDER\/plugin\.ts:1:27: .*found "="/,
      ],
      [
        'a file that is not there',
        pluginOf(`import { a } from './lib/a.ts'\nexport default a`),
        'source',
        'FOLDER/plugin.ts:1:19: Could not resolve "./lib/a.ts"',
      ],
      [
        'a name that is not exported',
        pluginOf(`import { Roundrobin } from 'pronto-router/sdk/policies'\nexport default Roundrobin`),
        'source',
        /^FOLDER\/plugin\.ts:1:10: No matching export .*"Roundrobin"/,
      ],
      [
        'a part of Node',
        pluginOf(`\n  import { readFileSync } from 'node:fs'\nexport default readFileSync`),
        'source',
        'FOLDER/plugin.ts:2:32: node:fs cannot be used: a plugin has no system around it, only its router',
      ],
      [
        'a part of Node by its old name',
        pluginOf(EMPTY, { 'plugin.ts': `import fs from 'fs'\nexport default fs` }),
        'source',
        'FOLDER/plugin.ts:1:16: fs cannot be used: a plugin has no system around it, only its router',
      ],
      [
        'import()',
        pluginOf(`export default { setup: () => import('./a.ts') }`),
        'source',
        'FOLDER/plugin.ts:1:38: import() cannot be used: a bundle holds all of its code, and handlers are synchronous',
      ],
      [
        'another part of this package',
        pluginOf(`import { a } from 'pronto-router/sdk/tools'\nexport default a`),
        'source',
        'FOLDER/plugin.ts:1:19: pronto-router/sdk/tools cannot be used in a plugin, expected pronto-router/sdk or pronto-router/sdk/policies',
      ],
      [
        'no plugin',
        pluginOf('export const setup = () => {}'),
        'source',
        'FOLDER/plugin.ts:1:1: exports no plugin: expected export default definePlugin({ setup(router, config) { ... } })',
      ],
      [
        'a global that plugins do not have, in another file',
        pluginOf(`import { now } from './time.ts'\nexport default { setup: now }`, {
          'time.ts': 'export function now(): number {\n  return Date.now()\n}',
        }),
        'source',
        'FOLDER/time.ts:2:10: Date cannot be used: router.clock() tells calendar time, router.now() monotonic time',
      ],
      [
        'an async function',
        pluginOf(`export default {\n  setup(): void {\n    void (async (): Promise<void> => {})()\n  },\n}`),
        'refused',
        /^FOLDER\/plugin\.ts:3:11: async functions cannot be used: handlers are synchronous$/,
      ],
      [
        'eval',
        pluginOf(`export default {\n  setup: () => eval('1'),\n}`),
        'refused',
        /^FOLDER\/plugin\.ts:2:16: eval cannot be used$/,
      ],
      [
        'a BigInt',
        pluginOf(`export default { setup: () => 2n }`),
        'refused',
        /^FOLDER\/plugin\.ts:1:31: BigInt cannot be used$/,
      ],
    ]
    for (const [what, files, code, problem] of cases)
      it(`names ${what}`, async () => {
        const [refused, ...problems] = await refusalOf(files)
        expect(refused).to.equal(code)
        expect(problems).to.have.length(1)
        if (typeof problem === 'string') expect(problems[0]).to.equal(problem)
        else expect(problems[0]).to.match(problem)
      })

    it('names all that can be found', async () => {
      const [, ...problems] = await refusalOf(
        pluginOf(
          `export default { setup() {\n  console.log(1)\n  setTimeout(() => {}, process.uptime())\n} }`,
        ),
      )
      expect(problems).to.deep.equal([
        'FOLDER/plugin.ts:2:3: console cannot be used: router.log has debug, info, warn and error',
        'FOLDER/plugin.ts:3:3: setTimeout cannot be used: router.timers has every and after',
        'FOLDER/plugin.ts:3:24: process cannot be used: a plugin has no system around it, only its router',
      ])
    })

    it('says which parts are large when it is too large', async () => {
      const [code, problem] = await refusalOf(
        pluginOf(`import { text } from './text.ts'\nexport default { setup: () => text }`, {
          'text.ts': `export const text = '${'x'.repeat(1_999_000)}' + '${'y'.repeat(200_000)}'`,
        }),
      )
      expect(code).to.equal('limit')
      expect(problem).to.match(
        /^plugin\.js: \d+ characters, expected at most 2000000; the largest parts are text\.ts 2199\d\d\d, plugin\.ts \d+$/,
      )
    })
  })

  describe('when a global is only asked for', () => {
    it('accepts typeof, and names of the author’s own', async () => {
      const { code } = await codeOf(
        pluginOf(`const process = 1
          export default { setup: (console: number) => [typeof Promise, process, console, ({ Date: 2 }).Date] }`),
      )
      expect(runInIsolate(code, '({ default: plugin }) => plugin.setup(3)')).to.deep.equal([
        'undefined',
        1,
        3,
        2,
      ])
    })

    it('warns where a library uses one', async () => {
      const { warnings } = await codeOf(
        pluginOf(`import { three } from 'small'\nexport default { setup: () => three }`, {
          'node_modules/small/package.json': '{ "name": "small", "module": "index.mjs" }',
          'node_modules/small/index.mjs': `export const three = () => process.env.NODE_ENV`,
        }),
      )
      expect(warnings).to.have.length(1)
      expect(warnings[0]!.file).to.match(/node_modules\/small\/index\.mjs$/)
    })
  })

  describe('when the folder is none of a plugin', () => {
    it('says that there is no manifest', async () => {
      expect(await refusalOf({ 'plugin.ts': EMPTY })).to.deep.equal([
        'unreadable',
        'FOLDER/pronto.json: there is no such file: a plugin is a folder with a manifest',
      ])
    })

    it('names every key that is wrong', async () => {
      const manifest = { ...MANIFEST, capabilities: { flows: { to: ['10.0.0.0/40'] } }, colour: 'red' }
      const [code, ...problems] = await refusalOf(pluginOf(EMPTY, {}, manifest))
      expect(code).to.equal('manifest')
      expect(
        problems.some((each) => each.startsWith('FOLDER/pronto.json: capabilities.flows.to[0]: ')),
      ).to.equal(true)
      expect(problems.some((each) => each.startsWith('FOLDER/pronto.json: colour: '))).to.equal(true)
    })

    it('says that the manifest is no JSON', async () => {
      const [code, problem] = await refusalOf(pluginOf(EMPTY, { 'pronto.json': '{ "name": }' }))
      expect(code).to.equal('manifest')
      expect(problem).to.match(/^FOLDER\/pronto\.json: /)
    })

    it('says that the entry is not there', async () => {
      expect(await refusalOf(pluginOf(EMPTY, {}, { ...MANIFEST, entry: 'main.ts' }))).to.deep.equal([
        'manifest',
        'FOLDER/pronto.json: entry: there is no file main.ts',
      ])
    })

    it('refuses an enormous manifest without reading it', async () => {
      const [code, problem] = await refusalOf(pluginOf(EMPTY, { 'pronto.json': ' '.repeat(100_000) }))
      expect([code, problem]).to.deep.equal([
        'manifest',
        'FOLDER/pronto.json: 100000 bytes, expected at most 65536',
      ])
    })
  })
})

describe('the examples', () => {
  for (const name of EXAMPLES)
    it(`${name} is shorter than 80 lines`, () => {
      const lines = readFileSync(join(ROOT, 'examples', name, 'plugin.ts'), 'utf8').split('\n').length
      expect(lines).to.be.lessThan(81)
    })
})
