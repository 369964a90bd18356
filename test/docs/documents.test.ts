import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { commands } from '../../cli/commands/index.ts'
import { COMMON_OPTIONS, findCommand, nextWords } from '../../cli/parse.ts'
import { type Finding, readDocument, schemaCheck } from '../../document/index.ts'
import { hostSchema } from '../../host/agent/linux/index.ts'
import { labSchema } from '../../lab/file/index.ts'
import { CONFIG_FORMATS, configSchema } from '../../router/config/config-schema.ts'
import { commandsIn } from './commands.ts'
import { anchorOf, type Block, documents, ROOT } from './documents.ts'

/** What is wrong with one call; undefined when nothing is. */
function faultOf(all: readonly string[]): string | undefined {
  // What follows `--` is another program's.
  const words = all.includes('--') ? all.slice(0, all.indexOf('--')) : all
  // `pronto lab` alone stands for the group.
  if (nextWords(words, commands).length > 0) return undefined
  try {
    const { command, rest } = findCommand(words, commands)
    const known = { ...command.options, ...COMMON_OPTIONS }
    const unknown = rest
      .filter((each) => each.startsWith('--'))
      .map((each) => each.slice(2).replace(/=.*/, ''))
    const wrong = unknown.find((each) => !Object.hasOwn(known, each))
    return wrong === undefined ? undefined : `there is no option --${wrong}`
  } catch (error) {
    return (error as Error).message
  }
}

const router = schemaCheck(configSchema, CONFIG_FORMATS)
const host = schemaCheck(hostSchema)
const lab = schemaCheck(labSchema)

type Mapping = Record<string, unknown>

/** What a check says of a block: a whole file, or a part of one with the rest put around it. */
function findingsOf({ info, text }: Block): Finding[] {
  const value = withoutEllipses(readDocument(text, 'block.yaml').value)
  if (Array.isArray(value)) return lab({ name: 'x', nodes: STUBS, links: value } as never)
  const mapping = value as Mapping
  if (info === 'yaml host' || 'devices' in mapping) return host(mapping as never)
  if ('nodes' in mapping)
    return lab({ ...mapping, nodes: { ...STUBS, ...(mapping['nodes'] as Mapping) } } as never)
  if (Object.values(mapping).every((each) => each !== null && Object.hasOwn(each as object, 'kind')))
    return lab({ name: 'x', nodes: mapping } as never)
  if (/plugin: /.test(text)) return lab({ name: 'x', nodes: { r1: { ...STUBS.r1, ...mapping } } } as never)
  return router({ name: 'x', addresses: { eth0: '10.0.1.1/24' }, ...mapping } as never)
}

const STUBS = { r1: { kind: 'router', addresses: { eth0: '10.0.1.1/24' } } }

/** `{ ... }` and `[ ... ]` stand for something that the reader knows already. */
function withoutEllipses(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((each) => each !== '...').map(withoutEllipses)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key]) => key !== '...')
  return Object.fromEntries(entries.map(([key, each]) => [key, withoutEllipses(each)]))
}

describe('the documents', () => {
  for (const document of documents)
    describe(document.file, () => {
      it('names no command and no option that is not there', () => {
        const faults = commandsIn(document).flatMap(({ text, calls }) =>
          calls.flatMap((each) => {
            const fault = faultOf(each)
            return fault === undefined ? [] : [`pronto ${text}: ${fault}`]
          }),
        )
        expect(faults).to.deep.equal([])
      })

      it('links to what exists', () => {
        const targets = [...document.prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!)
        const broken = targets.filter(
          (target) => !target.includes('://') && !leadsSomewhere(document.file, target),
        )
        expect(broken).to.deep.equal([])
      })

      for (const block of document.blocks.filter(({ info }) => info.startsWith('yaml')))
        it(`shows configurations that are accepted, line ${block.line}`, () => {
          expect(findingsOf(block)).to.deep.equal([])
        })
    })

  it('are read right: commands, alternatives and options are found', () => {
    const all = documents.flatMap(commandsIn).flatMap(({ calls }) => calls.map((each) => each.join(' ')))
    expect(all).to.include.members(['flows', 'plugin build mine', 'host status s1', 'reload --dry-run'])
    expect(all.length).to.be.greaterThan(80)
    expect(faultOf(['lab', 'rnu'])).to.contain('no command rnu')
    expect(faultOf(['lab', 'run', 'x.yaml', '--sed', '7'])).to.equal('there is no option --sed')
    expect(findingsOf({ info: 'yaml router', text: 'name: x\nport: 1', line: 1 })).to.have.length(1)
    expect(findingsOf({ info: 'yaml host', text: 'name: x', line: 1 })).to.not.have.length(0)
  })

  it('have units of systemd that call commands that are there', () => {
    const folder = join(ROOT, 'examples', 'systemd')
    for (const name of readdirSync(folder)) {
      const unit = readFileSync(join(folder, name), 'utf8')
      const calls = [...unit.matchAll(/^Exec\w+=\/usr\/local\/bin\/pronto (.*)$/gm)].map((match) => match[1]!)
      expect(calls, name).to.not.have.length(0)
      expect(
        calls.map((each) => faultOf(each.split(' '))).filter((fault) => fault !== undefined),
      ).to.deep.equal([])
    }
  })

  it('show in the README every document there is', () => {
    const readme = documents.find(({ file }) => file === 'README.md')!.text
    const missing = documents
      .map(({ file }) => file)
      .filter((file) => file !== 'README.md' && !readme.includes(`(${file})`))
    expect(missing).to.deep.equal([])
  })
})

function leadsSomewhere(from: string, target: string): boolean {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? from : join(dirname(from), path)
  if (!existsSync(join(ROOT, file))) return false
  const document = documents.find((each) => each.file === file)
  if (anchor === undefined || document === undefined) return true
  return document.prose
    .split('\n')
    .some((line) => line.startsWith('#') && anchorOf(line.replace(/^#+ /, '')) === anchor)
}
