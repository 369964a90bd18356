import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { loadLabFile, parseLabFile } from '../../lab/index.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const examples = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.yaml'))

describe('examples', () => {
  it('are there', () => {
    expect(examples.length).to.be.greaterThan(2)
  })

  for (const name of examples)
    it(`has ${name} as a lab of that name`, () => {
      expect(loadLabFile(join(root, 'examples', name)).lab.name).to.equal(name.replace('.yaml', ''))
    })
})

describe('docs/lab.md', () => {
  it('shows hosts, routers and links that make a lab', () => {
    const page = readFileSync(join(root, 'docs', 'lab.md'), 'utf8')
    const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((block) => block[1]!)
    const [, host, router, link] = blocks.map((block) => block.replaceAll(/^(?=.)/gm, '  '))
    const text = `name: docs
nodes:
${host}${router}  s1: { kind: host, addresses: { eth0: 10.0.2.2/24 } }
links:
${link}  - { endpoints: [ "r1:eth1", "s1:eth0" ] }
`
    const { lab } = parseLabFile(text, 'docs', { folder: root, exists: () => true })
    expect(lab.nodes.map(({ name }) => name)).to.deep.equal(['c1', 'r1', 's1'])
  })
})
