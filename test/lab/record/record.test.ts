import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { loadTrustStore, TrustStore } from '../../../execution-env/certificates/index.ts'
import { LabRecordError, readLabRecord } from '../../../lab/index.ts'
import { type Command, defaultRecordFile, originOf, RecordWriter } from '../../../lab/record/index.ts'
import { labOf } from '../../support/labs.ts'
import { authorityIn } from '../../support/operators.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const TEXT = `
name: small
seed: 3
duration: 9s
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1 }
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24 } }
links:
  - { endpoints: [ "c1:eth0", "r1:eth0" ] }
`
const { lab } = labOf(TEXT)
const SETTINGS = { config: { servers: [1, 2] }, priority: 3, limits: {}, trusted: false }
const BUNDLE = Uint8Array.of(1, 2, 3)

const COMMANDS: Command[] = [
  { do: 'try-load', bundle: BUNDLE, settings: SETTINGS, by: 'local:install' },
  { do: 'load', bundle: BUNDLE, id: 'mine', settings: SETTINGS, by: 'local:install' },
  { do: 'upgrade', id: 'mine', bundle: Uint8Array.of(9), config: null, state: 'discard', by: 'me' },
  { do: 'try-upgrade', id: 'mine', bundle: BUNDLE, state: 'move', by: '' },
  { do: 'rollback', id: 'mine', by: 'me' },
  { do: 'call', id: 'mine', name: 'greet', argument: { a: ['é'] }, by: 'me' },
  { do: 'ask', id: 'mine', name: 'table', argument: null, by: '' },
  { do: 'unload', id: 'mine', flows: 'purge' },
]

/** A record of all commands, a second apart. */
function recordIn(folder: string, trust = new TrustStore([])): string {
  const file = join(folder, 'record.jsonl')
  const writer = new RecordWriter(file, originOf({ ...lab, epochMs: 1_790_000_000_000 }, trust))
  for (const [index, command] of COMMANDS.entries()) writer.add(index * 1e9, 'r1', command)
  writer.end(12_345_678_901)
  return file
}

/** Why a record is refused, without its folder. */
function refusalOf(file: string, folder: string, other = lab): string {
  try {
    readLabRecord(file, other)
    return 'read'
  } catch (error) {
    if (!(error instanceof LabRecordError)) throw error
    return `${error.code}: ${error.message.replaceAll(`${folder}/`, '')}`
  }
}

describe('a record of a lab', () => {
  const folder = () => temporaryFolder('pronto-record-')

  describe('when it is read for its lab', () => {
    it('gives back every command, what the run followed from, and the end', () => {
      const place = folder()
      authorityIn(join(place, 'ca'))
      const trust = loadTrustStore(join(place, 'ca'))
      const recorded = readLabRecord(recordIn(place, trust), lab)
      expect(recorded.commands.map((each) => each.atNs)).to.deep.equal(COMMANDS.map((_, i) => i * 1e9))
      const plain = (command: object) => JSON.parse(JSON.stringify(command)) as unknown
      const bytes = (command: object) =>
        'bundle' in command ? { ...command, bundle: [...(command.bundle as Uint8Array)] } : command
      expect(recorded.commands.map(({ command }) => plain(bytes(command)))).to.deep.equal(
        COMMANDS.map((each) => plain(bytes(each))),
      )
      expect(recorded.endNs).to.equal(12_345_678_901)
      expect(recorded.lab).to.deep.include({
        seed: 3,
        rootSeed: 3,
        epochMs: 1_790_000_000_000,
        durationNs: 9e9,
      })
      expect(recorded.trust.roots[0]!.fingerprint).to.equal(trust.roots[0]!.fingerprint)
      expect(recorded.trust.lists).to.have.length(trust.lists.length)
    })

    it('keeps each bundle once, under the name of its bytes', () => {
      const place = folder()
      recordIn(place)
      expect(readdirSync(join(place, 'bundles'))).to.have.length(2)
    })

    it('holds without its end, and without a line that was not finished', () => {
      const place = folder()
      const file = recordIn(place)
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
      writeFileSync(file, `${lines.slice(0, 3).join('\n')}\n${lines[3]!.slice(0, 20)}`)
      const recorded = readLabRecord(file, lab)
      expect(recorded.commands).to.have.length(2)
      expect(recorded.endNs).to.equal(undefined)
    })
  })

  describe('when nobody has asked for anything', () => {
    it('is not there', () => {
      const file = join(folder(), 'record.jsonl')
      new RecordWriter(file, originOf(lab, new TrustStore([]))).end(5)
      expect(existsSync(file)).to.equal(false)
    })
  })

  describe('when it is damaged', () => {
    const damaged = (change: (lines: string[]) => void) => {
      const place = folder()
      const file = recordIn(place)
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
      change(lines)
      writeFileSync(file, `${lines.join('\n')}\n`)
      return refusalOf(file, place)
    }
    const replaceAt = (line: number, from: string | RegExp, to: string) =>
      damaged((lines) => {
        const changed = lines[line - 1]!.replace(from, to)
        expect(changed).to.not.equal(lines[line - 1])
        lines[line - 1] = changed
      })

    it('is refused with file and line', () => {
      expect(replaceAt(3, '{', '[')).to.match(/^damaged: record.jsonl:3: /)
      expect(replaceAt(3, '"do":"load"', '"do":"format"')).to.match(
        /^damaged: record.jsonl:3: do: expected one of load/,
      )
      expect(replaceAt(6, '"by":"me"', '"by":7')).to.match(/^damaged: record.jsonl:6: by: expected who/)
      expect(replaceAt(9, 'purge', 'keep')).to.match(
        /^damaged: record.jsonl:9: flows: expected drain or purge/,
      )
      expect(replaceAt(9, '"flows"', '"extra":1,"flows"')).to.match(/^damaged: record.jsonl:9: .*extra/)
      expect(replaceAt(5, /"atNs":\d+/, '"atNs":1')).to.equal(
        'damaged: record.jsonl:5: this is before the line above it',
      )
      expect(replaceAt(3, '"trusted":false', '"trusted":true')).to.match(
        /^damaged: record.jsonl:3: settings.trusted/,
      )
      expect(replaceAt(1, '"certificates":""', '"certificates":"x"')).to.match(
        /^damaged: record.jsonl:1: trust: /,
      )
      expect(damaged((lines) => lines.push(lines[8]!))).to.equal(
        'damaged: record.jsonl:11: this stands behind the end',
      )
      expect(damaged((lines) => lines.splice(0, lines.length))).to.match(/^damaged: record.jsonl:1: /)
    })

    it('is refused with the line whose bundle is gone or was altered', () => {
      const place = folder()
      const file = recordIn(place)
      const bundles = join(place, 'bundles')
      for (const name of readdirSync(bundles)) appendFileSync(join(bundles, name), 'x')
      expect(refusalOf(file, place)).to.match(
        /^damaged: record.jsonl:2: its bundle was altered: bundles\/[0-9a-f]{64}/,
      )
      const alone = folder()
      writeFileSync(join(alone, 'record.jsonl'), readFileSync(file))
      expect(refusalOf(join(alone, 'record.jsonl'), alone)).to.match(
        /^unreadable: record.jsonl:2: its bundle: ENOENT/,
      )
      expect(refusalOf(join(alone, 'none'), alone)).to.match(/^unreadable: none: ENOENT/)
    })
  })

  describe('when it is of another lab', () => {
    it('is refused with the line that says so', () => {
      const place = folder()
      const file = recordIn(place)
      const other = (from: string, to: string) => labOf(TEXT.replaceAll(from, to)).lab
      expect(refusalOf(file, place, other('small', 'large'))).to.equal(
        'foreign: record.jsonl:1: this is a record of small, not of large',
      )
      expect(refusalOf(file, place, other('10.0.1.2', '10.0.1.3'))).to.equal(
        'foreign: record.jsonl:1: nodes, links or events of small have changed since',
      )
      // The record says these itself.
      expect(refusalOf(file, place, other('seed: 3', 'seed: 4'))).to.equal('read')
      writeFileSync(file, '{"resourceSpans":[]}\n')
      expect(refusalOf(file, place)).to.equal('foreign: record.jsonl:1: expected form "pronto lab record 1"')
      writeFileSync(file, 'name: small\n')
      expect(refusalOf(file, place)).to.match(/^damaged: record.jsonl:1: /)
    })
  })
})

describe('defaultRecordFile', () => {
  it('names a new file for each time, beside the sockets of the lab', () => {
    expect(defaultRecordFile(lab, Date.UTC(2026, 0, 2, 3, 4, 5))).to.match(
      /\/small\/commands-20260102T030405Z\.jsonl$/,
    )
  })
})
