import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { readBundle } from '../../execution-env/bundle/index.ts'
import { parseGrant } from '../../execution-env/certificates/grant.ts'
import { unsupportedVerbs, VERBS } from '../../execution-env/contract/api/index.ts'
import { within } from '../../execution-env/contract/index.ts'
import { buildPlugin } from '../../sdk/build.ts'
import { checkTypes } from '../../sdk/check-types.ts'
import { findTests } from '../../sdk/find-tests.ts'
import * as policies from '../../sdk/policies/index.ts'
import { runTests } from '../../sdk/run-tests.ts'
import { testRouter } from '../../sdk/testing/index.ts'
import { Rig } from '../execution-env/rig.ts'
import { inFolder, ROOT, writeFiles } from './kit.ts'

const guide = readFileSync(join(ROOT, 'docs', 'plugin-guide.md'), 'utf8')

/** The text of the code block with this heading. */
function block(heading: string): string {
  const found = new RegExp(`\`\`\`${heading}\\n([\\s\\S]*?)\`\`\``).exec(guide)
  return found?.[1] ?? ''
}

/** Rows of the table of words: the words of each, its verbs, and what is not there yet. */
function words(): { words: string[]; verbs: string[]; later: string }[] {
  const table = guide.slice(
    guide.indexOf('| word | verbs |'),
    guide.indexOf('A verb that needs a capability'),
  )
  const names = (cell: string) => [...cell.matchAll(/`([A-Za-z]+)/g)].map((match) => match[1]!)
  return table
    .split('\n')
    .slice(2)
    .filter((row) => row.startsWith('|'))
    .map((row) => row.split('|'))
    .map(([, word, verbs, later]) => ({ words: names(word!), verbs: names(verbs!), later: later! }))
}

describe('docs/plugin-guide.md', () => {
  it('shows a plugin that builds and runs, within the grant that it shows', async () => {
    await inFolder(async (folder) => {
      const files = { 'pronto.json': block('json manifest'), 'plugin.ts': block('ts plugin') }
      const { manifest, bytes } = await buildPlugin(writeFiles(folder, files))
      const grant = parseGrant(block('json grant'))
      expect(within(manifest.capabilities, grant.capabilities!)).to.deep.equal([])
      const { code } = readBundle(bytes)
      const { name, capabilities } = manifest
      const rig = new Rig()
      const config = { virtualHost: '198.18.0.0/15', servers: ['10.0.2.2', '10.0.2.3'] }
      const outcome = rig.load({ name, capabilities, module: code }, { config })
      expect(outcome, JSON.stringify(outcome)).to.include({ ok: true })
      for (let port = 1; port <= 10; port++) rig.syn(port)
      rig.advance(11e9)
      expect(rig.log('my-policy').at(-1)).to.equal('[["10.0.2.2",5],["10.0.2.3",5]]')
    })
  })

  it('shows tests that pass', async () => {
    await inFolder(async (folder) => {
      const files = { 'pronto.json': block('json manifest'), 'plugin.ts': block('ts plugin') }
      writeFiles(folder, { ...files, 'plugin.test.ts': block('ts test') })
      const { passed, tests } = await runTests({ folder, files: findTests(folder) })
      expect(tests.filter((each) => each.status !== 'passed')).to.deep.equal([])
      expect(passed).to.equal(5)
      expect(await checkTypes(folder)).to.deep.equal([])
    })
  })

  it('shows how the web is asked, and a test of it that passes', async () => {
    await inFolder(async (folder) => {
      writeFiles(folder, { 'prices.test.ts': block('ts services') })
      const { passed, tests } = await runTests({ folder, files: findTests(folder) })
      expect(tests.filter((each) => each.status !== 'passed')).to.deep.equal([])
      expect(passed).to.equal(1)
      expect(await checkTypes(folder)).to.deep.equal([])
    })
  })

  it('names everything that a test may say to its router', async () => {
    const router = await testRouter({ setup() {} })
    const verbs = Object.getOwnPropertyNames(Object.getPrototypeOf(router))
    for (const verb of verbs.filter((each) => !['constructor', 'load', 'now', 'close'].includes(each)))
      expect(guide).to.match(new RegExp(`\\b${verb}\\(`))
  })

  it('names every word and verb, and says which are not there yet', () => {
    const rows = words()
    expect(rows.flatMap((row) => row.words).sort()).to.deep.equal([...Object.keys(VERBS), 'log'].sort())
    for (const { words, verbs, later } of rows)
      for (const word of words)
        for (const verb of Object.keys(VERBS[word] ?? {})) {
          const isMissing = unsupportedVerbs().includes(`${word}.${verb}`)
          const isTold = later.includes('every verb') || later.includes(`\`${verb}\``)
          expect(isTold, `${word}.${verb} is told as missing`).to.equal(isMissing)
          if (!isMissing) expect(verbs, word).to.include(verb)
        }
  })

  it('names every policy', () => {
    for (const name of [
      'RoundRobin',
      'leastLoad',
      'Maglev',
      'Rendezvous',
      'Proximity',
      'TimeOfDay',
      'hashSource',
    ]) {
      expect(policies).to.have.property(name)
      expect(guide).to.contain(name)
    }
  })
})
