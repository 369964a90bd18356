import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { before, describe, it } from 'mocha'
import { TrustStore } from '../../execution-env/certificates/index.ts'
import { loadLabFile } from '../../lab/index.ts'
import { originOf, RecordWriter } from '../../lab/record/index.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { FakeBackend, measurementsOf, type } from './world.ts'

const LAB = `
name: small
nodes:
  c1: { kind: host, addresses: { eth0: 10.0.1.2/24 }, gateway: 10.0.1.1 }
  r1: { kind: router, addresses: { eth0: 10.0.1.1/24 } }
links:
  - { endpoints: [ "c1:eth0", "r1:eth0" ] }
`

describe('records on the command line', () => {
  const folder = temporaryFolder('pronto-cli-record-')
  const lab = join(folder, 'lab.yaml')
  const record = join(folder, 'record.jsonl')

  before(() => {
    writeFileSync(lab, LAB)
    const { lab: resolved } = loadLabFile(lab)
    const writer = new RecordWriter(record, originOf({ ...resolved, seed: 9 }, new TrustStore([])))
    writer.add(7, 'r1', { do: 'rollback', id: 'a', by: 'me' })
    writer.end(11)
  })

  describe('when a lab is kept up', () => {
    it('tells where the record is and how to repeat it, if there is one', async () => {
      const backend = new FakeBackend()
      backend.behaviour = async (each, { record: file, onRecorded }) => {
        onRecorded?.(file!)
        return measurementsOf(each)
      }
      const { err, code } = await type(['lab', 'up', lab, '--record', join(folder, 'mine.jsonl')], backend)
      expect(code).to.equal(0)
      expect(err).to.include(`pronto lab run ${lab} --replay ${join(folder, 'mine.jsonl')}`)
      expect((await type(['lab', 'up', lab], new FakeBackend())).err).to.equal('')
    })

    it('has a place for it where none is named, and refuses one that cannot be written', async () => {
      const backend = new FakeBackend()
      await type(['lab', 'up', lab], backend)
      expect(backend.calls[0]!.options!.record).to.match(/\/small\/commands-\d{8}T\d{6}Z\.jsonl$/)
      const { err, code } = await type(['lab', 'up', lab, '--record', '/nowhere/at/all'], backend)
      expect(code).to.equal(1)
      expect(err).to.include('--record: expected a folder that can be written to: /nowhere/at')
    })
  })

  describe('when one is replayed', () => {
    it('runs with what the record says', async () => {
      const backend = new FakeBackend()
      expect(await type(['lab', 'run', lab, '--replay', record], backend)).to.include({ code: 0 })
      const { options, lab: given } = backend.calls[0]!
      expect(given.seed).to.equal(9)
      expect(options!.replay).to.deep.include({ endNs: 11 })
      expect(options!.replay!.commands).to.have.length(1)
    })

    it('takes no other seed, duration or backend beside it', async () => {
      for (const words of [
        ['--seed', '4'],
        ['--duration', '4s'],
        ['--backend', 'netns'],
      ]) {
        const { code, err } = await type(['lab', 'run', lab, '--replay', record, ...words], new FakeBackend())
        expect({ words, code }).to.deep.equal({ words, code: 2 })
        expect(err).to.match(/record|repeat/)
      }
    })

    it('tells in words what is wrong with it', async () => {
      const other = join(folder, 'other.jsonl')
      writeFileSync(other, '{"form":"something else"}\n')
      const { code, err } = await type(['lab', 'run', lab, '--replay', other], new FakeBackend())
      expect(code).to.equal(1)
      expect(err).to.equal(`pronto: ${other}:1: expected form "pronto lab record 1"\n`)
    })
  })
})
